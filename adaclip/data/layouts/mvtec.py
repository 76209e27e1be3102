"""MVTec's layout: `<category>/{train,test}/<good or defect>/NNN.png`, `<category>/ground_truth/<defect>/NNN_mask.png`.

Also a folder that is one category by itself, with `test` directly in it.
"""

from __future__ import annotations

from pathlib import Path

from adaclip.data.layouts.common import Item, images_in, pair, subfolders
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError

NORMAL = frozenset({"good", "ok"})


def recognise(folder: Path) -> bool:
    """A category, or a folder with at least one."""
    return _is_category(folder) or any(_is_category(below) for below in subfolders(folder))


def _is_category(folder: Path) -> bool:
    return (folder / "test").is_dir() and any(images_in(below) for below in subfolders(folder / "test"))


def items(top: Path, dataset: Dataset) -> list[Item]:
    """The images of both splits."""
    if _is_category(top):
        return _category(top, _category_name(top, dataset), dataset)
    found = []
    for folder in subfolders(top):
        if _is_category(folder):
            if dataset.categories and folder.name not in dataset.categories:
                raise AdaclipError(
                    f"data set '{dataset.id}': unknown category '{folder.name}' in {top} "
                    f"(known: {', '.join(dataset.categories)}): rename the folder, or add it under 'categories'"
                )
            found += _category(folder, folder.name, dataset)
    return found


def _category_name(top: Path, dataset: Dataset) -> str:
    if len(dataset.categories) == 1:
        return next(iter(dataset.categories))
    # mvtec_grid is the category grid of mvtec.
    name = top.name.removeprefix(f"{dataset.id}_")
    if dataset.categories and name not in dataset.categories:
        raise AdaclipError(
            f"data set '{dataset.id}': {top} is one category, but '{name}' is none of {', '.join(dataset.categories)}: "
            "give one category under 'categories', or rename the folder"
        )
    return name


def _category(folder: Path, category: str, dataset: Dataset) -> list[Item]:
    truth = folder / "ground_truth"
    if "mask" in dataset.labels and not truth.is_dir():
        raise AdaclipError(
            f"data set '{dataset.id}': {folder} has no ground_truth folder, but the set should have masks"
        )
    found = []
    for split in ("train", "test"):
        if not (folder / split).is_dir():
            continue
        for kind in subfolders(folder / split):
            images = images_in(kind)
            normal = kind.name.lower() in NORMAL
            masks: dict[Path, Path] = {}
            if truth.is_dir() and not normal:
                masks = pair(
                    images, _masks(truth / kind.name), ("_mask",), f"data set '{dataset.id}' {category}/{kind.name}"
                )
            found += [Item(category, split, image, masks.get(image), int(not normal), kind.name) for image in images]
    if truth.is_dir():
        kinds = {item.defect for item in found}
        for orphan in subfolders(truth):
            if orphan.name not in kinds and images_in(orphan):
                raise AdaclipError(f"data set '{dataset.id}': masks without images: {orphan}")
    return found


def _masks(folder: Path) -> list[Path]:
    return images_in(folder) if folder.is_dir() else []
