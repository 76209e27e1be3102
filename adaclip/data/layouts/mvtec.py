"""MVTec's layout: `<category>/{train,test}/<kind>`, `<category>/ground_truth/<kind>`.

MPDD, DTD-Synthetic and BTAD have it too. Images lie in `test/good` or `test/<defect>` (BTAD: `ok` and `ko`), masks in
`ground_truth/<defect>` with the image's stem, perhaps with `_mask` behind it, and a suffix of their own. A folder may
also be one category by itself.
"""

from __future__ import annotations

from pathlib import Path

from adaclip.data.layouts.common import Item, Reading, child, images_in, known_category, pair, subfolders
from adaclip.data.options import Options
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError

TITLE = "MVTec folders (<category>/test/<kind>, <category>/ground_truth/<kind>)"
OPTIONS = ()
NORMAL = frozenset({"good", "ok"})
#: What mask names add to the image's.
ENDINGS = ("_mask",)


def recognise(folder: Path) -> bool:
    """A category, or a folder with at least one."""
    return _is_category(folder) or any(_is_category(below) for below in subfolders(folder))


def _is_category(folder: Path) -> bool:
    test = child(folder, "test")
    return test is not None and any(images_in(below) for below in subfolders(test))


def read(top: Path, dataset: Dataset, options: Options) -> Reading:
    """The images of both splits."""
    if _is_category(top):
        return Reading(_category(top, _category_name(top, dataset), dataset))
    return Reading(
        [
            item
            for folder in subfolders(top)
            if _is_category(folder)
            for item in _category(folder, known_category(folder.name, dataset, top), dataset)
        ]
    )


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
    truth = child(folder, "ground_truth")
    if "mask" in dataset.labels and truth is None:
        raise AdaclipError(
            f"data set '{dataset.id}': {folder} has no ground_truth folder, but the set should have masks"
        )
    kinds_with_masks = {below.name: images_in(below) for below in subfolders(truth)} if truth else {}
    found = []
    for split in ("train", "test"):
        for kind in subfolders(folder_of) if (folder_of := child(folder, split)) else []:
            images = images_in(kind)
            normal = kind.name.lower() in NORMAL
            masks: dict[Path, Path] = {}
            # Some trees have masks of normal images too; that they are empty is checked with the pixels.
            if split == "test" and (kind.name in kinds_with_masks or (truth and not normal)):
                where = f"data set '{dataset.id}' {category}/{kind.name}"
                masks = pair(images, kinds_with_masks.get(kind.name, ()), ENDINGS, where)
            found += [Item(category, split, image, masks.get(image), int(not normal), kind.name) for image in images]
    kinds = {item.defect for item in found if item.split == "test"}
    for name, masks_of_kind in kinds_with_masks.items():
        if masks_of_kind and name not in kinds:
            raise AdaclipError(f"data set '{dataset.id}': masks without images: {masks_of_kind[0].parent}")
    return found
