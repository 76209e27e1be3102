"""A folder of images beside a folder of masks, every image anomalous: ISIC, CVC-ClinicDB, TN3K, repackaged polyp sets.

Which folder is which follows from the words in its name; the rest of the name says which two belong together and which
split they are: `test-image` and `test-mask`, `Original` and `Ground Truth`, `..._Test_Data` and `..._Test_GroundTruth`.
"""

from __future__ import annotations

import re
from pathlib import Path

from adaclip.data.layouts.common import Item, Reading, images_in, only_category, pair, subfolders
from adaclip.data.options import Options
from adaclip.data.registry import Dataset

TITLE = "a folder of images beside a folder of masks"
OPTIONS = ()
#: Words of folder names, in small letters and without blanks.
_IMAGES = re.compile(r"images?|imgs?|originals?|data|frames?")
_MASKS = re.compile(r"masks?|groundtruths?|gts?|labels?|segmentations?|annotations?")
#: What mask names add to the image's.
ENDINGS = ("_segmentation", "_mask", "_gt", "_label")


def recognise(folder: Path) -> bool:
    """Both folders of at least one pair."""
    return bool(_pairs(folder))


def _pairs(top: Path) -> dict[str, tuple[Path, Path]]:
    """(images, masks) by what is left of their names."""
    found: dict[str, dict[str, Path]] = {}
    for below in subfolders(top):
        words = re.sub(r"ground[\s_-]*truth", "groundtruth", below.name.lower())
        parts = re.split(r"[\s_-]+", words)
        for kind, pattern in (("masks", _MASKS), ("images", _IMAGES)):
            rest = [part for part in parts if not pattern.fullmatch(part)]
            if len(rest) < len(parts) and images_in(below):
                found.setdefault("_".join(rest), {}).setdefault(kind, below)
                break
    return {rest: (two["images"], two["masks"]) for rest, two in found.items() if len(two) == 2}


def _split(rest: str) -> str | None:
    """`train` or `test`; None for a part that belongs to neither."""
    words = rest.split("_")
    if any(word.startswith(("train", "training")) for word in words):
        return "train"
    return None if any(word in ("val", "valid", "validation") for word in words) else "test"


def read(top: Path, dataset: Dataset, options: Options) -> Reading:
    """All images; what its folder calls training is the train split, the others are the test split."""
    category = only_category(dataset)
    items = []
    notes = []
    for rest, (images, masks) in _pairs(top).items():
        split = _split(rest)
        if split is None:
            notes.append(f"{images.name} and {masks.name} are for validation and are left out")
            continue
        paired = pair(images_in(images), images_in(masks), ENDINGS, f"data set '{dataset.id}' {images.name}")
        items += [Item(category, split, image, mask, 1, "anomalous") for image, mask in paired.items()]
        notes.append(f"images of {images.name}, masks of {masks.name}")
    return Reading(items, notes)
