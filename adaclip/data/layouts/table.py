"""One's own CSV: `manifest.csv` with a column `image`, and `label`, `mask` or both; one row for each image.

Further columns: `category`, `split` (train or test), `defect`. Paths are relative to the CSV's folder. Without `label`
an image with a mask is anomalous. Other columns, such as those of a prepared set's manifest, do not matter.
"""

from __future__ import annotations

from pathlib import Path

from adaclip.data.layouts.common import Item, Reading, known_category, named_file, only_category, read_table
from adaclip.data.options import Options
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError

TITLE = "images listed by manifest.csv"
OPTIONS = ()
NAME = "manifest.csv"
LABELS = {"0": 0, "normal": 0, "good": 0, "1": 1, "anomaly": 1, "anomalous": 1, "bad": 1}


def recognise(folder: Path) -> bool:
    """A manifest.csv whose columns say where images are."""
    path = folder / NAME
    if not path.is_file():
        return False
    columns, _ = _read(path)
    return "image" in columns and ("label" in columns or "mask" in columns)


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    rows = read_table(path)
    columns = [name.lower() for name in rows[0]] if rows else []
    for line, row in enumerate(rows[1:], start=2):
        if row and len(row) != len(columns):
            raise AdaclipError(f"{path} line {line} has {len(row)} cells, but there are {len(columns)} columns")
    return columns, [dict(zip(columns, row, strict=True)) if row else {} for row in rows[1:]]


def read(top: Path, dataset: Dataset, options: Options) -> Reading:
    """The images that the table lists."""
    path = top / NAME
    items = []
    for line, row in enumerate(_read(path)[1], start=2):
        if not row:
            continue
        where = f"{path} line {line}"
        if not row["image"]:
            raise AdaclipError(f"{where} names no image")
        image = named_file(top, row["image"], where)
        mask = named_file(top, row["mask"], where) if row.get("mask") else None
        label = LABELS.get(row["label"].lower()) if "label" in row else int(mask is not None)
        if label is None:
            raise AdaclipError(f"{where}: label is {row['label']!r}, not 0 (normal) or 1 (anomalous)")
        split = row.get("split") or "test"
        if split not in ("train", "test"):
            raise AdaclipError(f"{where}: split is {split!r}, not train or test")
        category = known_category(row.get("category") or only_category(dataset), dataset, path)
        items.append(Item(category, split, image, mask, label, row.get("defect") or ("anomalous" if label else "good")))
    return Reading(items)
