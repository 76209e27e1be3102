"""The images of a prepared set, as evaluation and training go through them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adaclip.data.manifest import read_manifest, read_prepared
from adaclip.errors import AdaclipError


@dataclass(frozen=True)
class Row:
    """One image of a prepared set."""

    dataset: str
    category: str
    words: str
    image: Path
    relative: str
    mask: Path | None
    label: int
    defect: str
    has_pixels: bool
    sha256: str = ""
    mask_sha256: str = ""


def read_rows(manifest: str | Path, split: str = "test") -> list[Row]:
    """The images of one split of a prepared set, in the manifest's order.

    Raises:
        AdaclipError: no image in that split, or the manifest is damaged.
    """
    manifest = Path(manifest)
    frame = read_manifest(manifest)
    prepared = read_prepared(manifest)
    frame = frame[frame["split"] == split]
    if frame.empty:
        raise AdaclipError(f"{manifest} has no image in the split '{split}'")
    masks = "mask" in prepared["labels"]
    words = prepared["prompts"]
    return [
        Row(
            dataset=row["set"],
            category=row["category"],
            words=words.get(row["category"], row["category"]),
            image=manifest.parent / row["image"],
            relative=row["image"],
            mask=manifest.parent / row["mask"] if row["mask"] else None,
            label=int(row["label"]),
            defect=row["defect"],
            has_pixels=masks and (bool(row["mask"]) or int(row["label"]) == 0),
            sha256=row["sha256"],
            mask_sha256=row["mask_sha256"],
        )
        for row in frame.to_dict("records")
    ]
