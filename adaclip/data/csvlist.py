"""Listings in CSV: a column `image`, and `label`, `mask` or both; one row for each image."""

from __future__ import annotations

from pathlib import Path

from adaclip.data.csvfile import SEPARATORS, Sheet, read_sheet
from adaclip.data.listed import NAMES, Record, columns_of, record_of
from adaclip.errors import AdaclipError

NAME = "manifest.csv"


def fault_of(sheet: Sheet, path: Path) -> str:
    """Why a CSV does not list images as this reads it, in a sentence without a subject; "" if it does.

    Raises:
        AdaclipError: two columns that may be meant.
    """
    columns, _ = _parts(sheet)
    found = columns_of([name for name in columns if name], str(path))
    if "image" in found and ("label" in found or "mask" in found):
        return ""
    lacks = f"column {NAMES['image'][0]}" if "image" not in found else "column label or mask"
    separator = SEPARATORS.get(sheet.separator, repr(sheet.separator))
    between = f"separated by {separator}" if len(columns) > 1 else "neither a comma, a semicolon nor a tab between them"
    return f"has no {lacks}: its columns are {', '.join(columns) or 'none'} ({between})"


def read_records(path: Path) -> list[Record]:
    """Read a listing, in its order.

    Raises:
        AdaclipError: no such columns, or a row that does not fit them; what is there is named.
    """
    sheet = read_sheet(path)
    fault = fault_of(sheet, path)
    if fault:
        raise AdaclipError(f"{path} {fault}")
    names, rows = _parts(sheet)
    columns = columns_of([name for name in names if name], str(path))
    found = []
    for line, cells in rows:
        # Spreadsheets leave empty cells at the end.
        row = cells[: len(names)] if not any(cells[len(names) :]) else cells
        if len(row) != len(names):
            raise AdaclipError(f"{path} line {line} has {len(row)} cells, but there are {len(names)} columns")
        values = {name: cell for name, cell in zip(names, row, strict=True) if name}
        found.append(record_of(values, f"{path} line {line}", columns))
    return found


def _parts(sheet: Sheet) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The columns, without empty ones at their end, and the rows that hold something."""
    filled = [(line, cells) for line, cells in sheet.rows if cells]
    if not filled:
        return [], []
    names = filled[0][1]
    while names and not names[-1]:
        names = names[:-1]
    return names, filled[1:]
