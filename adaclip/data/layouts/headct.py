"""HeadCT's layout: `head_ct/NNN.png` and `labels.csv` with the header `id, hemorrhage` and unpadded ids."""

from __future__ import annotations

import csv
from pathlib import Path

from adaclip.data.layouts.common import Item, images_in, only_category, subfolders
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError


def recognise(folder: Path) -> bool:
    """A labels.csv beside a folder of images."""
    return (folder / "labels.csv").is_file() and _folder(folder) is not None


def _folder(top: Path) -> Path | None:
    """The folder with the images; some copies nest it once more."""
    for folder in subfolders(top):
        for candidate in (folder, *subfolders(folder)):
            if images_in(candidate):
                return candidate
    return None


def items(top: Path, dataset: Dataset) -> list[Item]:
    """All images, as the test split."""
    table = top / "labels.csv"
    with table.open(newline="", encoding="utf-8-sig") as stream:
        rows = [[cell.strip() for cell in row] for row in csv.reader(stream) if row]
    if not rows or rows[0][:1] != ["id"] or len(rows[0]) != 2:
        raise AdaclipError(
            f"{table}: expected the header 'id, hemorrhage', found {','.join(rows[0]) if rows else 'nothing'}"
        )
    labels: dict[int, int] = {}
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != 2 or not row[0].isdigit() or row[1] not in ("0", "1"):
            raise AdaclipError(f"{table} line {line}: expected a number and 0 or 1, found {','.join(row)}")
        labels[int(row[0])] = int(row[1])
    folder = _folder(top)
    assert folder is not None
    category = only_category(dataset)
    found = []
    for image in images_in(folder):
        number = int(image.stem) if image.stem.isdigit() else None
        if number not in labels:
            raise AdaclipError(f"{table} has no label for {image}")
        label = labels.pop(number)
        found.append(Item(category, "test", image, None, label, "hemorrhage" if label else "normal"))
    if labels:
        raise AdaclipError(f"{table} has a label for id {min(labels)}, but {folder} has no such image")
    return found
