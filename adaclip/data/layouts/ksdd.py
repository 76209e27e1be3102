"""KolektorSDD's layout: `kosNN/PartM.jpg` and `kosNN/PartM_label.bmp`, a label of zeros for a normal image.

What the original gives: each of the 399 images is cut into three by height, which makes 1,143 normal and 54 defective
thirds (52 images are defective, two of them across a cut). A quarter of the normal thirds is kept, 286, as in the
reference, drawn by a seed; the defective ones all are. `whole` leaves the images uncut: 347 normal and 52 defective.
The 181 + 74 of the paper cannot come of it, whatever is drawn: they are in the archive only that its authors
repackaged.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from pathlib import Path

from adaclip.data.decode import open_mask
from adaclip.data.layouts.common import Item, Reading, images_in, only_category, pair, subfolders
from adaclip.data.reading_options import Options
from adaclip.data.registry import Dataset

TITLE = "KolektorSDD items (<item>/<part>.jpg, <item>/<part>_label.bmp)"
OPTIONS = ("ksdd_cut", "seed")
ENDING = "_label"
ITEM = re.compile(r"kos\d+", re.IGNORECASE)
#: One of so many normal thirds is kept.
KEPT = 4


def recognise(folder: Path) -> bool:
    """An item in which an image has its label beside it; other sets that have such labels are not to be cut."""
    for below in subfolders(folder):
        if not ITEM.fullmatch(below.name):
            continue
        stems = {path.stem for path in images_in(below)}
        if any(stem + ENDING in stems for stem in stems):
            return True
    return False


def read(top: Path, dataset: Dataset, options: Options) -> Reading:
    """All images, or the thirds, as the test split."""
    category = only_category(dataset)
    pairs: dict[Path, Path] = {}
    for folder in subfolders(top):
        files = images_in(folder)
        labels = [path for path in files if path.stem.endswith(ENDING)]
        images = [path for path in files if not path.stem.endswith(ENDING)]
        pairs |= pair(images, labels, (ENDING,), f"data set '{dataset.id}' {folder.name}")
    if options.ksdd_cut == "whole":
        items = [_whole(category, image, mask, options) for image, mask in pairs.items()]
        return Reading(items, ["images are left whole"], {"normal": 347, "anomalous": 52})
    thirds = [third for image, mask in pairs.items() for third in _thirds(category, image, mask, options)]
    normal = [item for item in thirds if not item.label]
    anomalous = [item for item in thirds if item.label]
    kept = random.Random(options.seed).sample(normal, -(-len(normal) // KEPT))
    note = (
        f"{len(pairs)} images were cut into {len(thirds)} thirds by height, {len(normal)} normal and {len(anomalous)} "
        f"anomalous; a quarter of the normal ones, {len(kept)}, was drawn with seed {options.seed}"
    )
    notes = [note]
    if dataset.test_original:
        notes.append(
            f"the original gives {_counts(dataset.test_original)} test images; the paper's {_counts(dataset.test)} are "
            "in the repackaged archive only: fetch it with arrangement: repackaged to compare with the paper"
        )
    drawn_from = [path for two in pairs.items() for path in two]
    return Reading([*kept, *anomalous], notes, dataset.test_original or None, drawn_from)


def _counts(test: Mapping[str, int]) -> str:
    return f"{test['normal']} + {test['anomalous']}"


def _whole(category: str, image: Path, mask: Path, options: Options) -> Item:
    label = int(_highest(mask) > options.threshold)
    name = f"{image.parent.name}_{image.name}"
    return Item(category, "test", image, mask, label, "defect" if label else "good", name=name)


def _highest(mask: Path) -> int:
    return int(open_mask(mask).getextrema()[1])  # type: ignore[arg-type]


def _thirds(category: str, image: Path, mask: Path, options: Options) -> list[Item]:
    """Three parts from top to bottom, whose heights differ by one pixel at most."""
    label_image = open_mask(mask)
    width, height = label_image.size
    found = []
    for third in range(3):
        box = (0, height * third // 3, width, height * (third + 1) // 3)
        highest = label_image.crop(box).getextrema()[1]
        label = int(highest > options.threshold)  # type: ignore[operator]
        name = f"{image.parent.name}_{image.stem}_{third + 1}.png"
        found.append(Item(category, "test", image, mask, label, "defect" if label else "good", box, name))
    return found
