"""Small prepared sets, written without the preparation that has tests of its own."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from adaclip.data.manifest import ManifestRow, read_manifest, write_manifest
from adaclip.system.files import sha256_of, write_json


def draw_image(rng: np.random.Generator, width: int, height: int, defect: bool) -> tuple[np.ndarray, np.ndarray]:
    """A noisy grey image (height, width, 3) and its mask (height, width): a defect is a bright rectangle."""
    image = rng.integers(40, 90, (height, width, 3), dtype=np.uint8)
    mask = np.zeros((height, width), np.uint8)
    if defect:
        top, left = rng.integers(0, height // 2), rng.integers(0, width // 2)
        mask[top : top + height // 3, left : left + width // 3] = 255
        image[mask > 0] = (240, 60, 40)
    return image, mask


def write_set(
    folder: Path,
    name: str,
    *,
    categories: Sequence[str] = ("bolt",),
    normal: int = 3,
    anomalous: int = 3,
    width: int = 40,
    height: int = 40,
    masks: bool = True,
    labels: Sequence[str] = ("image", "mask"),
) -> Path:
    """Write a prepared set and give its manifest's path. Equal names give equal images."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    rows = []
    for category in categories:
        for index in range(normal + anomalous):
            defect = index >= normal
            pixels, mask = draw_image(rng, width, height, defect)
            image = folder / "images" / category / f"{index:03}.png"
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(image)
            mask_path = ""
            if defect and masks:
                mask_path = f"masks/{category}/{index:03}.png"
                (folder / mask_path).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(folder / mask_path)
            rows.append(
                ManifestRow(
                    set=name,
                    category=category,
                    split="test",
                    image=image.relative_to(folder).as_posix(),
                    mask=mask_path,
                    label=int(defect),
                    defect="hole" if defect else "good",
                    width=width,
                    height=height,
                    sha256=sha256_of(image),
                    mask_sha256=sha256_of(folder / mask_path) if mask_path else "",
                )
            )
    write_manifest(folder / "manifest.csv", rows)
    write_json(folder / "prepared.json", {"set": name, "labels": list(labels), "prompts": {}})
    return folder / "manifest.csv"


def write_digests(manifest: Path) -> None:
    """Put the digests of its files into a manifest whose images were changed by a test."""
    rows = []
    for row in read_manifest(manifest).to_dict("records"):
        digests = {"sha256": sha256_of(manifest.parent / row["image"])}
        if row["mask"]:
            digests["mask_sha256"] = sha256_of(manifest.parent / row["mask"])
        rows.append(ManifestRow(**{**row, **digests}))
    write_manifest(manifest, rows)
