"""One page about a prepared set, so that a person sees at a glance that it is right.

`overview.json` holds what the page shows; shares are fractions in [0, 1], thumbnails stand beside it:
```json
{"set": "mvtec", "title": "MVTec AD", "domain": "industrial", "labels": ["image", "mask"], "layout": "mvtec",
 "images": 1725, "splits": {"test": {"normal": 467, "anomalous": 1258}},
 "size": {"different": 4, "smallest": [700, 700], "largest": [1024, 1024],
          "frequent": [{"width": 1024, "height": 1024, "images": 900}]},
 "modes": [{"mode": "RGB", "images": 1500}, {"mode": "L", "images": 225}],
 "formats": [{"format": "PNG", "images": 1725}],
 "mask_area": {"masks": 1258, "min": 0.0001, "median": 0.02, "max": 0.6},
 "warnings": [], "duplicate_groups": 0,
 "categories": [{"name": "bottle", "prompt": "bottle", "images": 83,
                 "splits": {"test": {"normal": 20, "anomalous": 63}},
                 "mask_area": {"masks": 63, "min": 0.005, "median": 0.06, "max": 0.2},
                 "examples": [{"kind": "anomalous", "defect": "contamination", "image": "images/bottle/test/...png",
                               "file": "thumbnails/000_anomalous.webp", "width": 192, "height": 192,
                               "outlined": true, "alt": "bottle, anomalous (contamination), mask outlined"}]}]}
```
`mask_area` is null where there is no mask. `size` compares areas; its `frequent` lists five sizes at most, the most
frequent first. A category has one example of each kind that it holds, the normal one first; `image` is relative to the
manifest.
"""

from __future__ import annotations

import io
import statistics
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageChops, ImageFilter

from adaclip.data.decode import FORMATS, decode, open_image, open_mask, read
from adaclip.data.manifest import read_manifest, read_prepared
from adaclip.system.files import remove, write_json, write_whole
from adaclip.system.pool import each

if TYPE_CHECKING:
    import pandas as pd

#: Longest side of a thumbnail in pixels.
SIDE = 192
#: Sizes that are listed.
FREQUENT = 5
#: The outline, and the line around it that keeps it visible on any ground.
OUTLINE, HALO = (255, 214, 0), (0, 0, 0)


def write_overview(manifest: Path, out: Path, jobs: int | None = None) -> None:
    """Write `overview.json` and `thumbnails/*.webp` of a prepared set into `out`.

    Args:
        manifest: of the prepared set.
        out: folder to write.
        jobs: processes that read masks; default one for each core.

    Raises:
        AdaclipError: a file is missing or damaged; it is named.
    """
    frame = read_manifest(manifest)
    prepared = read_prepared(manifest)
    folder = manifest.parent
    masks = [folder / mask if mask else None for mask in frame["mask"]]
    images = (folder / image for image in frame["image"])
    paths = list(zip(images, frame["sha256"], masks, frame["mask_sha256"], strict=True))
    facts = each(_facts, paths, jobs, f"overview of {frame['set'].iloc[0]}")
    frame["mode"], frame["format"], frame["area"] = zip(*facts, strict=True)
    categories = []
    for index, (name, own) in enumerate(frame.groupby("category", sort=True)):
        examples = []
        for kind, label in (("normal", 0), ("anomalous", 1)):
            row = _example(own[own["label"] == label])
            if row is not None:
                file = f"thumbnails/{index:03d}_{kind}.webp"
                mask = folder / row["mask"] if row["mask"] else None
                size = _write_thumbnail(row, folder / row["image"], mask, out / file)
                examples.append(_describe(str(name), kind, row, file, size))
        categories.append(
            {
                "name": str(name),
                "prompt": prepared["prompts"].get(name, name),
                "images": len(own),
                "splits": _splits(own),
                "mask_area": _areas(own),
                "examples": examples,
            }
        )
    write_json(
        out / "overview.json",
        {
            "set": frame["set"].iloc[0],
            "title": prepared.get("title", frame["set"].iloc[0]),
            "domain": prepared.get("domain", "custom"),
            "labels": prepared["labels"],
            "layout": prepared.get("layout", ""),
            "images": len(frame),
            "splits": _splits(frame),
            "size": _sizes(frame),
            "modes": _frequencies(frame["mode"], "mode"),
            "formats": _frequencies(frame["format"], "format"),
            "mask_area": _areas(frame),
            "warnings": prepared.get("warnings", []),
            "duplicate_groups": len(prepared.get("duplicate_groups", [])),
            "categories": categories,
        },
    )
    _remove_others(out / "thumbnails", {example["file"] for entry in categories for example in entry["examples"]})


def _facts(files: tuple[Path, str, Path | None, str]) -> tuple[str, str, float | None]:
    """Mode and format of an image, from its header where Pillow can read that; the share of it that the mask covers."""
    image, sha256, mask, mask_sha256 = files
    content = read(image, sha256)
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            mode, kind = opened.mode, opened.format or ""
    except (OSError, Image.DecompressionBombError):
        mode, kind = decode(content, image).mode, "TIFF"
    if mask is None:
        return mode, kind, None
    histogram = open_mask(mask, mask_sha256).histogram()
    return mode, kind, 1 - histogram[0] / sum(histogram)


def _splits(frame: pd.DataFrame) -> dict[str, dict[str, int]]:
    return {
        str(split): {"normal": int((own["label"] == 0).sum()), "anomalous": int((own["label"] == 1).sum())}
        for split, own in frame.groupby("split", sort=True)
    }


def _sizes(frame: pd.DataFrame) -> dict[str, Any]:
    counts = Counter(zip(frame["width"].tolist(), frame["height"].tolist(), strict=True))
    by_area = sorted(counts, key=lambda size: (size[0] * size[1], size))
    frequent = sorted(counts, key=lambda size: (-counts[size], size))[:FREQUENT]
    return {
        "different": len(counts),
        "smallest": list(by_area[0]),
        "largest": list(by_area[-1]),
        "frequent": [{"width": size[0], "height": size[1], "images": counts[size]} for size in frequent],
    }


def _frequencies(column: pd.Series[Any], key: str) -> list[dict[str, Any]]:
    counts = Counter(column)
    return [{key: value, "images": counts[value]} for value in sorted(counts, key=lambda v: (-counts[v], v))]


def _areas(frame: pd.DataFrame) -> dict[str, Any] | None:
    areas = frame["area"].dropna().tolist()
    if not areas:
        return None
    return {"masks": len(areas), "min": min(areas), "median": statistics.median(areas), "max": max(areas)}


def _example(rows: pd.DataFrame) -> dict[str, Any] | None:
    """The image of a test split that stands for others: its mask's area is in the middle; without masks, itself is."""
    test = rows[rows["split"] == "test"]
    chosen = test if len(test) else rows
    if chosen.empty:
        return None
    if chosen["area"].notna().any():
        chosen = chosen[chosen["area"].notna()].sort_values(["area", "image"])
    return {str(key): value for key, value in chosen.iloc[len(chosen) // 2].items()}


def _describe(category: str, kind: str, row: dict[str, Any], file: str, size: tuple[int, int]) -> dict[str, Any]:
    defect = f" ({row['defect']})" if kind == "anomalous" and row["defect"] else ""
    outlined = bool(row["mask"])
    return {
        "kind": kind,
        "defect": row["defect"],
        "image": row["image"],
        "file": file,
        "width": size[0],
        "height": size[1],
        "outlined": outlined,
        "alt": f"{category}, {kind}{defect}" + (", mask outlined" if outlined else ""),
    }


def _write_thumbnail(row: dict[str, Any], image: Path, mask: Path | None, path: Path) -> tuple[int, int]:
    small = open_image(image, row["sha256"]).convert("RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    if mask is not None:
        draw_outline(small, open_mask(mask, row["mask_sha256"]))
    with write_whole(path) as part:
        small.save(part, format="WEBP", quality=80, method=6)
    return small.size


def draw_outline(image: Image.Image, mask: Image.Image) -> None:
    """Draw a mask's outline onto an image, around the marked pixels, so that what they show stays visible.

    Args:
        image: mode RGB; changed.
        mask: of any size, mode L; above 0 is marked. A single marked pixel of a large mask is outlined too.
    """
    # Areas are averaged in floating point: with 8 bits a small defect would be rounded away.
    share = mask.point(lambda value: 255 * (value > 0)).convert("F").resize(image.size, Image.Resampling.BOX)
    marked = share.point(lambda value: value * 1e6 + 0).convert("L")
    ring = marked.filter(ImageFilter.MaxFilter(3))
    outer = marked.filter(ImageFilter.MaxFilter(5))
    image.paste(HALO, mask=ImageChops.subtract(outer, ring))
    image.paste(OUTLINE, mask=ImageChops.subtract(ring, marked))


def _remove_others(folder: Path, files: set[str]) -> None:
    """Thumbnails of categories that the set had before and has no longer."""
    for path in folder.glob("*.webp"):
        if f"{folder.name}/{path.name}" not in files:
            remove(path)
