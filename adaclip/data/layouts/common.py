"""What the layouts share: items, folders, and pairing masks with images by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from adaclip.data.decode import SUFFIXES
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError


@dataclass(frozen=True)
class Item:
    """One image of an original; `defect` is the raw folder's word for what it shows."""

    category: str
    split: str
    image: Path
    mask: Path | None
    label: int
    defect: str


class Layout(Protocol):
    """A raw layout."""

    def recognise(self, folder: Path) -> bool:
        """Whether `folder` is the top of this layout."""

    def items(self, top: Path, dataset: Dataset) -> list[Item]:
        """The images below `top`, in any order."""


def subfolders(folder: Path) -> list[Path]:
    """Folders in a folder, sorted, without hidden ones and what archivers of some systems add."""
    return sorted(
        entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__MACOSX"))
    )


def images_in(folder: Path) -> list[Path]:
    """Image files directly in a folder, sorted by name."""
    return sorted(
        entry
        for entry in folder.iterdir()
        if entry.suffix.lower() in SUFFIXES and not entry.name.startswith(".") and entry.is_file()
    )


def only_category(dataset: Dataset) -> str:
    """The category of a set whose layout has none: the registry's only one, or the set's id."""
    return next(iter(dataset.categories)) if len(dataset.categories) == 1 else dataset.id


def pair(images: Iterable[Path], masks: Iterable[Path], endings: Iterable[str], where: str) -> dict[Path, Path]:
    """Pair masks with images by name: a mask's stem is the image's, perhaps with one of `endings`.

    Position in a sorted listing is no pairing: one missing file would shift all that follow.

    Args:
        images: image files.
        masks: mask files.
        endings: such as `_mask`.
        where: what to call the place in errors.

    Returns:
        The mask of each image.

    Raises:
        AdaclipError: an image without a mask, a mask without an image, or two that claim the same partner.
    """
    images = list(images)
    by_stem: dict[str, Path] = {}
    for mask in masks:
        stem = mask.stem
        for ending in endings:
            stem = stem.removesuffix(ending)
        if stem in by_stem:
            raise AdaclipError(f"{where}: two masks for one image: {by_stem[stem].name} and {mask.name}")
        by_stem[stem] = mask
    found: dict[Path, Path] = {}
    for image in images:
        if image.stem not in by_stem:
            raise AdaclipError(f"{where}: no mask for image {image}")
        found[image] = by_stem.pop(image.stem)
        twin = next((other for other in images if other != image and other.stem == image.stem), None)
        if twin is not None:
            raise AdaclipError(f"{where}: {image.name} and {twin.name} claim the same mask")
    if by_stem:
        raise AdaclipError(f"{where}: mask without an image: {next(iter(by_stem.values()))}")
    return found
