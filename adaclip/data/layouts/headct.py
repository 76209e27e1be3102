"""HeadCT's layout: `head_ct/NNN.png` and `labels.csv` with the header `id, hemorrhage` and unpadded ids."""

from __future__ import annotations

from pathlib import Path

from adaclip.data.layouts.common import Item, Reading, images_in, only_category, read_table, subfolders
from adaclip.data.reading_options import Options
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError

TITLE = "HeadCT (labels.csv beside a folder of numbered images)"
OPTIONS = ()


def recognise(folder: Path) -> bool:
    """A labels.csv beside a folder of images."""
    return (folder / "labels.csv").is_file() and _folder(folder) is not None


def _folder(top: Path) -> Path | None:
    """The folder with the images: the table's own, or one or two levels below."""
    below = [candidate for folder in subfolders(top) for candidate in (folder, *subfolders(folder))]
    return next((candidate for candidate in (top, *below) if images_in(candidate)), None)


def read(top: Path, dataset: Dataset, options: Options) -> Reading:
    """All images, as the test split."""
    table = top / "labels.csv"
    labels = _read_labels(table)
    folder = _folder(top)
    assert folder is not None
    category = only_category(dataset)
    found = []
    for image in images_in(folder):
        number = int(image.stem) if image.stem.isdecimal() else None
        if number not in labels:
            raise AdaclipError(f"{table} has no label for {image}")
        label = labels.pop(number)
        found.append(Item(category, "test", image, None, label, "hemorrhage" if label else "normal"))
    if labels:
        raise AdaclipError(f"{table} has a label for id {min(labels)}, but {folder} has no such image")
    return Reading(found)


def _read_labels(table: Path) -> dict[int, int]:
    rows = [row for row in read_table(table) if row]
    if not rows or [cell.lower() for cell in rows[0]] != ["id", "hemorrhage"]:
        found = ",".join(rows[0]) if rows else "nothing"
        raise AdaclipError(f"{table}: expected the header 'id, hemorrhage', found {found}")
    labels: dict[int, int] = {}
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != 2 or not row[0].isdecimal() or row[1] not in ("0", "1"):
            raise AdaclipError(f"{table} line {line}: expected a number and 0 or 1, found {','.join(row)}")
        if int(row[0]) in labels:
            raise AdaclipError(f"{table} line {line}: id {row[0]} stands twice")
        labels[int(row[0])] = int(row[1])
    return labels
