"""Small trees of folders, and what was read of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from adaclip.data.layouts import Original, read_original
from adaclip.data.registry import dataset_for
from tests.raw import draw_image, draw_mask

Truth = dict[str, tuple[str, str, int, str | None]]


def draw(root: Path, images: Iterable[str], masks: Iterable[str] = (), empty: Iterable[str] = ()) -> Path:
    for name in images:
        draw_image(root / name)
    for name in masks:
        draw_mask(root / name)
    for name in empty:
        draw_mask(root / name, value=0)
    return root


def read(root: Path, dataset: str = "own", **entry: Any) -> Original:
    return read_original(root, dataset_for(dataset, entry))


def truth(original: Original, root: Path) -> Truth:
    """(category, split, label, mask) of each image."""
    return {
        item.image.relative_to(root).as_posix(): (
            item.category,
            item.split,
            item.label,
            item.mask.relative_to(root).as_posix() if item.mask else None,
        )
        for item in original.reading.items
    }


def several(folder: str, count: int = 2, suffix: str = ".png") -> list[str]:
    return [f"{folder}/{number:03}{suffix}" for number in range(count)]
