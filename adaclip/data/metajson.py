"""The field's interchange format, `meta.json`: a prepared set that other programs of zero-shot anomaly detection read.

`{"train" or "test": {category: [{"img_path", "mask_path", "cls_name", "specie_name", "anomaly"}]}}`; paths are relative
to the file's folder, `mask_path` is empty where there is no mask, `specie_name` is the kind of defect.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaclip.data.manifest import ManifestRow
from adaclip.errors import AdaclipError
from adaclip.files import read_json, write_text

NAME = "meta.json"
SPLITS = ("train", "test")


@dataclass(frozen=True)
class MetaEntry:
    """One image of a `meta.json`; paths are as they stand there."""

    split: str
    category: str
    image: str
    mask: str
    defect: str
    label: int


def is_meta(path: Path) -> bool:
    """Whether a file has the shape of the interchange format (`meta.json` is a common name).

    Raises:
        AdaclipError: it is no JSON, or cannot be read: to pass it over would lose what it says.
    """
    value = read_json(path)
    return (
        isinstance(value, dict)
        and bool(value)
        and set(value) <= set(SPLITS)
        and all(isinstance(categories, dict) for categories in value.values())
    )


def read_meta(path: Path) -> list[MetaEntry]:
    """Read a `meta.json`, in its order.

    Raises:
        AdaclipError: damaged or of another shape; the entry is named.
    """
    if not is_meta(path):
        raise AdaclipError(f"{path} is not {{train, test: {{category: [images]}}}}: see the docs on meta.json")
    found = []
    for split, categories in read_json(path).items():
        for category, entries in categories.items():
            if not isinstance(entries, list):
                raise AdaclipError(f"{path}: {split}.{category} is not a list of images")
            found += [
                _entry(entry, split, category, f"{path}: {split}.{category} entry {number}")
                for number, entry in enumerate(entries, start=1)
            ]
    return found


def _entry(entry: Any, split: str, category: str, where: str) -> MetaEntry:
    if not isinstance(entry, dict) or not isinstance(entry.get("img_path"), str) or not entry["img_path"]:
        raise AdaclipError(f"{where} has no 'img_path'")
    label = entry.get("anomaly")
    if label not in (0, 1):
        raise AdaclipError(f"{where}: 'anomaly' is {label!r}, not 0 or 1")
    mask = entry.get("mask_path") or ""
    if not isinstance(mask, str):
        raise AdaclipError(f"{where}: 'mask_path' is {mask!r}, not a path")
    defect = str(entry.get("specie_name") or ("anomalous" if label else "good"))
    return MetaEntry(split, category, entry["img_path"], mask, defect, int(label))


def write_meta(path: Path, rows: Iterable[ManifestRow]) -> None:
    """Write `meta.json` for a manifest; both splits are there, in the manifest's order."""
    meta: dict[str, dict[str, list[dict[str, Any]]]] = {split: {} for split in SPLITS}
    for row in sorted(rows, key=lambda row: (row.category, row.split, row.image)):
        meta[row.split].setdefault(row.category, []).append(
            {
                "img_path": row.image,
                "mask_path": row.mask,
                "cls_name": row.category,
                "specie_name": row.defect,
                "anomaly": row.label,
            }
        )
    # Without indentation Python writes it ten times as fast.
    write_text(path, json.dumps(meta, ensure_ascii=False) + "\n")
