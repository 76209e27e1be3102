"""KolektorSDD's layout: `kosNN/PartM.jpg` and `kosNN/PartM_label.bmp`, a label of zeros for a normal image.

The paper tests on 181 normal and 74 anomalous images. What is known: the reference cuts each of the 399 images into
three by height, keeps a quarter of the normal thirds, and splits what is left by a seed, in the order in which the file
system lists it. What is not known: how many thirds are defective, and by which shares they are split. Two readings fit
the counts: all 74 defective thirds and 281 kept normal ones less 100 for training, or two thirds of about 111 and 271.
`thirds` takes what both have in common: of the sorted thirds a quarter of the normal ones, at most 181, and at most 74
defective ones, drawn by a seed. `whole` leaves the images uncut: 347 normal and 52 defective.
"""

from __future__ import annotations

import random
from pathlib import Path

from adaclip.data.decode import open_mask
from adaclip.data.layouts.common import Item, Reading, images_in, only_category, pair, subfolders
from adaclip.data.options import Options
from adaclip.data.registry import Dataset

TITLE = "KolektorSDD items (<item>/<part>.jpg, <item>/<part>_label.bmp)"
OPTIONS = ("ksdd_cut", "seed")
ENDING = "_label"
#: The paper's test split.
NORMAL, ANOMALOUS = 181, 74
#: One of so many normal thirds is kept.
KEPT = 4


def recognise(folder: Path) -> bool:
    """A folder in which an image has its label beside it."""
    for below in subfolders(folder):
        stems = {path.stem for path in images_in(below)}
        if any(stem + ENDING in stems for stem in stems):
            return True
    return False


def read(top: Path, dataset: Dataset, options: Options) -> Reading:
    """All images or the drawn thirds, as the test split."""
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
    draw = random.Random(options.seed)
    kept = draw.sample(normal, min(NORMAL, -(-len(normal) // KEPT))) + draw.sample(
        anomalous, min(ANOMALOUS, len(anomalous))
    )
    note = (
        f"{len(pairs)} images were cut into {len(thirds)} thirds by height, {len(normal)} normal and {len(anomalous)} "
        f"anomalous; a quarter of the normal ones, at most {NORMAL}, and at most {ANOMALOUS} anomalous ones were drawn "
        f"with seed {options.seed}"
    )
    return Reading(kept, [note])


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
