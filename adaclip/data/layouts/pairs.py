"""A folder of images beside a folder of masks, every image anomalous: ISIC, ClinicDB, TN3K, repackaged polyp sets."""

from __future__ import annotations

from pathlib import Path

from adaclip.data.layouts.common import Item, images_in, only_category, pair, subfolders
from adaclip.data.registry import Dataset

#: (images, masks) by folder name, in small letters with blanks and hyphens as underscores.
FOLDERS = (
    ("images", "masks"),
    ("image", "mask"),
    ("original", "ground_truth"),
    ("test_image", "test_mask"),
    ("isbi2016_isic_part1_test_data", "isbi2016_isic_part1_test_groundtruth"),
)
#: What mask names add to the image's.
ENDINGS = ("_segmentation", "_Segmentation", "_mask")


def recognise(folder: Path) -> bool:
    """Both folders of some pair."""
    return _folders(folder) is not None


def _folders(top: Path) -> tuple[Path, Path] | None:
    by_name = {below.name.lower().replace(" ", "_").replace("-", "_"): below for below in subfolders(top)}
    for images, masks in FOLDERS:
        if images in by_name and masks in by_name:
            return by_name[images], by_name[masks]
    return None


def items(top: Path, dataset: Dataset) -> list[Item]:
    """All images, as the test split."""
    folders = _folders(top)
    assert folders is not None
    category = only_category(dataset)
    masks = pair(images_in(folders[0]), images_in(folders[1]), ENDINGS, f"data set '{dataset.id}' {top}")
    return [Item(category, "test", image, mask, 1, "anomalous") for image, mask in masks.items()]
