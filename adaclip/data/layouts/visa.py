"""VisA's layout: `<category>/Data/Images/{Normal,Anomaly}/*.JPG`, `<category>/Data/Masks/Anomaly/*.png`.

The split stands in `split_csv/1cls.csv` with the columns object, split, label, image, mask. Masks hold labels from 1
upwards, so what is not zero is anomalous.
"""

from __future__ import annotations

import random
from pathlib import Path

from adaclip.data.layouts.common import (
    Item,
    Reading,
    child,
    images_in,
    known_category,
    named_file,
    pair,
    read_table,
    subfolders,
)
from adaclip.data.reading_options import Options
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError

TITLE = "VisA folders (<category>/Data/Images/Normal and Anomaly)"
OPTIONS = ("seed",)
COLUMNS = ("object", "split", "label", "image", "mask")


def recognise(folder: Path) -> bool:
    """At least one category with its normal and anomalous images, the level `Data`, or the split table."""
    found = [below for below in subfolders(folder) if _images(below) is not None]
    return bool(found) and (_table(folder) is not None or any(child(below, "Data") is not None for below in found))


def _table(top: Path) -> Path | None:
    return next((table for table in (top / "split_csv" / "1cls.csv", top / "1cls.csv") if table.is_file()), None)


def _images(category: Path) -> Path | None:
    """`Images` of a category; the level `Data` may be missing."""
    images = child(child(category, "Data") or category, "Images")
    whole = images is not None and child(images, "Normal") is not None and child(images, "Anomaly") is not None
    return images if whole else None


def read(top: Path, dataset: Dataset, options: Options) -> Reading:
    """The images after the split table; without it, see `_without_table`."""
    table = _table(top)
    if table is not None:
        return Reading(_after_table(top, table, dataset), [f"split after {table.relative_to(top)}"])
    return _without_table(top, dataset, options)


def _after_table(top: Path, table: Path, dataset: Dataset) -> list[Item]:
    columns, *rows = read_table(table) or [[]]
    if not set(COLUMNS) <= set(columns):
        raise AdaclipError(f"{table}: expected the columns {', '.join(COLUMNS)}, found {', '.join(columns)}")
    found = []
    masks: dict[Path, Path] = {}
    for line, cells in enumerate(rows, start=2):
        if not cells:
            continue
        # A normal image's row may end before its empty mask.
        row = dict.fromkeys(COLUMNS, "") | dict(zip(columns, cells, strict=False))
        where = f"{table} line {line}"
        if row["split"] not in ("train", "test") or row["label"] not in ("normal", "anomaly"):
            raise AdaclipError(f"{where}: split {row['split']!r} with label {row['label']!r} cannot be")
        category = known_category(row["object"], dataset, table)
        image = named_file(top, row["image"], where)
        label = int(row["label"] == "anomaly")
        mask = None
        if label:
            if not row["mask"]:
                raise AdaclipError(f"{where}: no mask for image {image}")
            mask = named_file(top, row["mask"], where)
            if mask in masks:
                raise AdaclipError(f"{where}: {masks[mask]} and {image} claim the same mask")
            masks[mask] = image
        found.append(Item(category, row["split"], image, mask, label, row["label"]))
    for category_folder in subfolders(top):
        for mask in _masks(category_folder):
            if mask not in masks:
                raise AdaclipError(f"data set '{dataset.id}': mask without an image in {table}: {mask}")
    return found


def _masks(category: Path) -> list[Path]:
    masks = child(child(category, "Data") or category, "Masks")
    anomaly = child(masks, "Anomaly") if masks is not None else None
    return images_in(anomaly) if anomaly is not None else []


def _without_table(top: Path, dataset: Dataset, options: Options) -> Reading:
    """All anomalous images and a tenth of the normal ones are the test split; a half counts up.

    This gives the published counts of every category, but not the published images.
    """
    found = []
    for folder in subfolders(top):
        images = _images(folder)
        if images is None:
            continue
        category = known_category(folder.name, dataset, top)
        normal_folder, anomalous_folder = child(images, "Normal"), child(images, "Anomaly")
        normal = images_in(normal_folder) if normal_folder is not None else []
        anomalous = images_in(anomalous_folder) if anomalous_folder is not None else []
        test = set(random.Random(f"{options.seed} {category}").sample(normal, (len(normal) + 5) // 10))
        found += [Item(category, "test" if image in test else "train", image, None, 0, "normal") for image in normal]
        masks = pair(anomalous, _masks(folder), (), f"data set '{dataset.id}' {category}")
        found += [Item(category, "test", image, mask, 1, "anomaly") for image, mask in masks.items()]
    note = (
        f"no split table split_csv/1cls.csv: a tenth of the normal images, drawn with seed {options.seed}, "
        "and all anomalous ones are the test split, which is not the published split"
    )
    return Reading(found, [note])
