"""One image as a listing names it, whatever the listing's format: the names that its columns or keys may have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from adaclip.data.decode import SUFFIXES, UNREAD
from adaclip.errors import AdaclipError

#: What a column or key may be called, in small letters; the first name is the one to recommend.
NAMES: Mapping[str, tuple[str, ...]] = {
    "image": ("image", "img_path", "image_path", "filename", "file_name"),
    "mask": ("mask", "mask_path", "maskname"),
    "label": ("label", "anomaly", "is_anomaly"),
    "category": ("category", "cls_name", "clsname"),
    "split": ("split",),
    "defect": ("defect", "specie_name", "label_name"),
}
_PATHS = ("image", "mask")
#: Names of the label under which true and false are understood.
_YES_OR_NO = ("anomaly", "is_anomaly")


@dataclass(frozen=True)
class Record:
    """One image of a listing, its values as they stand there.

    Attributes:
        where: the listing and its line or entry, for a person.
        image: path relative to the listing's folder; "" for a placeholder.
        mask: the same of its mask; "" where none is given.
        label: the word for normal or anomalous, or None where the listing has none.
        category: "" where none is given.
        split: "" where none is given.
        defect: "" where none is given.
    """

    where: str
    image: str
    mask: str
    label: str | None
    category: str
    split: str
    defect: str


def columns_of(names: list[str], where: str) -> dict[str, str]:
    """Which of some columns or keys holds what.

    Args:
        names: as they stand in the listing.
        where: the listing, for errors.

    Returns:
        The column for each name of `NAMES` that is there.

    Raises:
        AdaclipError: two columns that may be meant.
    """
    found: dict[str, str] = {}
    for meaning, known in NAMES.items():
        fitting = [name for name in names if plain(name) in known]
        if len(fitting) > 1:
            raise AdaclipError(f"{where}: {' and '.join(fitting)} both say the {meaning}: keep one of them")
        if fitting:
            found[meaning] = fitting[0]
    return found


def plain(name: str) -> str:
    """A column's name in small letters, words joined by underscores."""
    return "_".join(name.strip().lower().replace("-", " ").split())


def record_of(values: Mapping[str, Any], where: str, columns: Mapping[str, str] | None = None) -> Record:
    """The record that a row or an object holds.

    Args:
        values: by column or key.
        where: its place, for errors.
        columns: which of them holds what (see `columns_of`), where all rows have the same.

    Raises:
        AdaclipError: no image or neither label nor mask, a value that is no text, or a further one that names an image.
    """
    columns = columns_of(list(values), where) if columns is None else columns
    if "image" not in columns:
        raise AdaclipError(f"{where} has no '{NAMES['image'][1]}' or 'image' (it has {', '.join(values) or 'nothing'})")
    if "label" not in columns and "mask" not in columns:
        raise AdaclipError(f"{where} has neither a label nor a mask (it has {', '.join(values)})")
    for name, value in values.items():
        # Its masks, say, would be dropped without a word.
        if name not in columns.values() and names_image(value):
            raise AdaclipError(
                f"{where}: '{name}' names an image file ({value}), but is no name of this format: "
                f"call it mask if it is one, or leave it out (known names: {', '.join(sum(NAMES.values(), ()))})"
            )
    texts = {meaning: _text(values[name], name, meaning in _PATHS, where) for meaning, name in columns.items()}
    label = texts.get("label")
    # What pandas makes of whole numbers when one of them is missing.
    label = {"0.0": "0", "1.0": "1"}.get(label, label) if label is not None else None
    if label is not None and plain(columns["label"]) in _YES_OR_NO:
        label = {"true": "1", "false": "0"}.get(label.lower(), label)
    return Record(
        where,
        texts.get("image", ""),
        texts.get("mask", ""),
        label,
        texts.get("category", ""),
        texts.get("split", ""),
        texts.get("defect", ""),
    )


def _text(value: Any, name: str, path: bool, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, str if path else bool | int | float | str):
        return str(value).strip()
    raise AdaclipError(f"{where}: '{name}' is {value!r}, not a {'path' if path else 'text'}")


def names_image(value: Any) -> bool:
    """Whether a value is the name of an image file, or holds one."""
    if isinstance(value, list):
        return any(names_image(part) for part in value)
    if not isinstance(value, str) or "\n" in value or "://" in value:
        return False
    return PurePosixPath(value.strip().replace("\\", "/")).suffix.lower() in SUFFIXES | UNREAD


_MENTION = re.compile(rf"[^\s.]\.({'|'.join(suffix[1:] for suffix in sorted(SUFFIXES | UNREAD))})\b", re.I)


def mentions_image(text: str) -> bool:
    """Whether the name of an image file stands somewhere in a text."""
    return _MENTION.search(text) is not None
