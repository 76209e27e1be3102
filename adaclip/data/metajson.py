"""The field's interchange format, `meta.json`, and its relatives: sets as other programs of this field list them.

`{"train" or "test": {category: [{"img_path", "mask_path", "cls_name", "specie_name", "anomaly"}]}}`; paths are relative
to the file's folder, `mask_path` is empty where there is no mask, `specie_name` is the kind of defect. Read are also
`{"train" or "test": [records]}`, a list of records, and one record a line (JSON lines).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adaclip.data.csvfile import text_of
from adaclip.data.listed import Record, names_image, record_of
from adaclip.data.manifest import ManifestRow
from adaclip.errors import AdaclipError
from adaclip.system.files import write_text
from adaclip.system.wording import counted

NAME = "meta.json"
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Lines:
    """JSON lines: their values, and the number of the line of each."""

    values: list[Any]
    numbers: list[int]


def load(path: Path) -> Any:
    """The value of a JSON file; `Lines` of one whose suffix or content says that each line is a value.

    Raises:
        AdaclipError: neither, or a key that stands twice; the line is named.
    """
    text = text_of(path)
    try:
        return _lines(text, path) if path.suffix.lower() != ".json" else json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError too
        lines = [line for line in text.split("\n") if line.strip()]
        if isinstance(error, json.JSONDecodeError) and len(lines) > 1 and _is_whole(lines[0]):
            return _lines(text, path)
        raise AdaclipError(f"cannot read {path} as JSON: {error}") from error


class _TwiceError(ValueError):
    """A key that stands twice in one object."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a key that stands twice JSON's reader would drop the first value without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands twice")
    return found


def _is_whole(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _lines(text: str, path: Path) -> Lines:
    found = Lines([], [])
    # Not splitlines: a string may hold what that takes for the end of a line.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                found.values.append(json.loads(line, object_pairs_hook=_once))
            except (ValueError, RecursionError) as error:
                raise AdaclipError(f"{path} line {number} is not a record in JSON: {error}") from error
            found.numbers.append(number)
    return found


def shape_of(value: Any) -> str:
    """How a JSON value lists images: `meta`, `records`, or "" for another."""
    if isinstance(value, dict):
        splits = [value[split] for split in SPLITS if split in value]
        return "meta" if splits and all(isinstance(split, dict | list) for split in splits) else ""
    value = value.values if isinstance(value, Lines) else value
    records = isinstance(value, list) and bool(value) and all(isinstance(record, dict) for record in value)
    return "records" if records and any(names_image(part) for record in value for part in record.values()) else ""


def read_records(path: Path) -> tuple[list[Record], list[str]]:
    """Read a listing in JSON, in its order.

    Returns:
        Its images, and notes on what was not used of it.

    Raises:
        AdaclipError: damaged or of another shape; the entry is named.
    """
    value = load(path)
    shape = shape_of(value)
    if not shape:
        raise AdaclipError(
            f"{path} is not {{train, test: {{category: [images]}}}} or a list of records ({described(value)}): "
            "see docs/own-data.md"
        )
    if isinstance(value, Lines):
        return [_record(v, f"{path} line {n}") for v, n in zip(value.values, value.numbers, strict=True)], []
    if shape == "records":
        return [_record(v, f"{path} entry {n}") for n, v in enumerate(value, start=1)], []
    others = [name for name in value if name not in SPLITS]
    for name in others:
        if any(names_image(text) for text in texts_of(value[name])):
            raise AdaclipError(f"{path}: '{name}' names images too, but is neither train nor test: rename or remove it")
    notes = [f"{path.name}: the key '{name}' names no image and is not used" for name in others]
    found = []
    renamed = 0
    for split in SPLITS:
        for category, record in _of_split(value.get(split, {}), split, path):
            renamed += bool(category and record.category and record.category != category)
            found.append(replace(record, split=split, category=category or record.category))
    if renamed:
        notes.append(
            f"{path.name}: {counted(renamed, 'image has', 'images have')} a cls_name that is not the key "
            "above it: the key counts"
        )
    return found, notes


def _of_split(value: dict[str, Any] | list[Any], split: str, path: Path) -> Iterator[tuple[str, Record]]:
    """The records of a split, each with the key of its category, or with "" where the format has none."""
    parts: Mapping[str, Any] = value if isinstance(value, dict) else {"": value}
    for category, entries in parts.items():
        name = f"{split}.{category}" if category else split
        if not isinstance(entries, list):
            raise AdaclipError(f"{path}: {name} is not a list of images")
        for number, entry in enumerate(entries, start=1):
            where = f"{path}: {name} entry {number}"
            record = _record(entry, where)
            if record.split and record.split != split:
                raise AdaclipError(f"{where} says split {record.split!r}")
            yield category, record


def _record(value: Any, where: str) -> Record:
    if not isinstance(value, dict):
        raise AdaclipError(f"{where} is {json.dumps(value)[:40]}, not an object with 'img_path'")
    return record_of(value, where)


def described(value: Any) -> str:
    """What a JSON value is, in a few words."""
    if isinstance(value, dict):
        names = ", ".join(list(value)[:6])
        return f"an object with {f'the keys {names}' if names else 'no key'}{', ...' if len(value) > 6 else ''}"
    value = value.values if isinstance(value, Lines) else value
    return f"a list of {len(value)}" if isinstance(value, list) else f"a {type(value).__name__}"


def texts_of(value: Any) -> Iterator[str]:
    """All strings in a JSON value, keys not among them."""
    waiting = [value.values if isinstance(value, Lines) else value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


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
