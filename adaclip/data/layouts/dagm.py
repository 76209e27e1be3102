"""DAGM's layout: `ClassN/{Train,Test}/NNNN.PNG`, and beside defective images `Label/NNNN_label.PNG`.

`Label/Labels.txt` lists each image with its label's file name or 0. Without a label an image is normal, so the list is
what tells a lost label from a normal image.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

from adaclip.data.layouts.common import Item, Reading, child, images_in, known_category, pair, subfolders
from adaclip.data.reading_options import Options
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError

TITLE = "DAGM folders (<class>/Train and Test, each with its Label)"
OPTIONS = ("dagm_normal", "seed")
ENDING = "_label"


def recognise(folder: Path) -> bool:
    """A class, or a folder with at least one."""
    return _is_class(folder) or any(_is_class(below) for below in subfolders(folder))


def _is_class(folder: Path) -> bool:
    return any(_labels(split) is not None for split in _splits(folder).values())


def _splits(folder: Path) -> dict[str, Path]:
    return {name: found for name in ("train", "test") if (found := child(folder, name)) is not None}


def _labels(split: Path) -> Path | None:
    return child(split, "Label", "Labels") if images_in(split) else None


def read(top: Path, dataset: Dataset, options: Options) -> Reading:
    """Both splits; of the normal test images all, or as many as there are defective ones in the class."""
    classes = [top] if _is_class(top) else [below for below in subfolders(top) if _is_class(below)]
    items = []
    unlisted = []
    left_out: list[Path] = []
    for folder in classes:
        category = known_category(folder.name, dataset, top)
        for split, images in _splits(folder).items():
            found, listed = _split(images, category, split, dataset)
            if not listed:
                unlisted.append(str(images.relative_to(top)))
            if split == "test" and options.dagm_normal == "released":
                drawn = _balanced(found, f"{options.seed} {category}")
                left_out += sorted({item.image for item in found} - {item.image for item in drawn})
                found = drawn
            items += found
    notes = []
    if unlisted:
        notes.append(f"no Labels.txt in {', '.join(unlisted)}: a lost label would pass for a normal image there")
    if options.dagm_normal == "all":
        return Reading(items, notes)
    notes.append(
        f"of each class as many normal test images as defective ones were drawn with seed {options.seed}; "
        "the released preprocessing takes them in the order of a directory listing"
    )
    anomalous = dataset.test.get("anomalous")
    expected = {} if anomalous is None else {"normal": anomalous, "anomalous": anomalous}
    return Reading(items, notes, expected, left_out)


def _split(folder: Path, category: str, split: str, dataset: Dataset) -> tuple[list[Item], bool]:
    """The images of a split, and whether a list confirms their labels."""
    images = images_in(folder)
    labels = _labels(folder)
    where = f"data set '{dataset.id}' {category}/{folder.name}"
    masks = {path.stem.lower().removesuffix(ENDING): path for path in images_in(labels)} if labels else {}
    defective = [image for image in images if image.stem.lower() in masks]
    listed = _listed(labels) if labels else None
    if listed is not None:
        for image in images:
            if (image.stem in listed) != (image.stem.lower() in masks):
                lists = "lists a label" if image.stem in listed else "lists no label"
                there = "is not there" if image.stem in listed else "is there"
                raise AdaclipError(f"{where}: Labels.txt {lists} for {image}, but it {there}")
    paired = pair(defective, masks.values(), (ENDING,), where)
    return [
        Item(category, split, image, paired.get(image), int(image in paired), "defect" if image in paired else "good")
        for image in images
    ], listed is not None


def _listed(labels: Path) -> set[str] | None:
    """Stems of the images for which Labels.txt names a label; None when there is no list or it names none."""
    path = next((entry for entry in labels.iterdir() if entry.name.lower() == "labels.txt"), None)
    if path is None:
        return None
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    return {match[1] for match in re.finditer(rf"([^\s/\\]+){ENDING}\.\w+", text, re.IGNORECASE)} or None


def _balanced(items: list[Item], seed: str) -> list[Item]:
    normal = [item for item in items if not item.label]
    anomalous = [item for item in items if item.label]
    return anomalous + random.Random(seed).sample(normal, min(len(normal), len(anomalous)))
