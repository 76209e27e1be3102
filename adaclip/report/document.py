"""Tables and figures as documents: what the makers write and the page reads, free of any format.

`index.json` beside the tables (or figures) lists them in the order of the page. A cell with nothing but text is written
as a plain string, and keys at their default are left out, since the leaderboard has tens of thousands of cells.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from adaclip.errors import AdaclipError
from adaclip.system.files import read_json, write_json

Kind = Literal["text", "number", "percent"]
Section = Literal["paper", "methods", "measured", "leaderboard", "data", "audit", "cost"]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: what a person reads, such as "89.2 ± 0.3"; a dash where there is nothing.
        value: what the column is sorted by; None sorts last, text columns sort by `text`.
        best: the best of those that it is compared with.
        second: the second best of them.
        notes: keys of the table's `notes`.
        href: where it leads to, or "".
    """

    text: str
    value: float | None = None
    best: bool = False
    second: bool = False
    notes: tuple[str, ...] = ()
    href: str = ""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        key: unique within the table.
        title: its heading.
        kind: `text` is set left, `number` and `percent` right.
        filter: whether the page offers to choose among its values.
        group: heading that it shares with its neighbours, or "".
    """

    key: str
    title: str
    kind: Kind = "text"
    filter: bool = False
    group: str = ""


@dataclass(frozen=True)
class TableDoc:
    """A table.

    Attributes:
        name: stem of its files.
        title: its heading.
        caption: what it shows, in sentences.
        section: where it stands on the page.
        columns: its columns.
        rows: one cell for each column.
        notes: footnotes by key, in the order in which they are printed.
        group: heading within the section, or "".
        marked: indices of rows that stand out: this benchmark's own among others.
        rules: how to read tables of its kind; the page says it once for neighbours that share it.
        runs: whose figures it holds.
        csv: its file in full precision, beside the index; "" where there is none.
    """

    name: str
    title: str
    caption: str
    section: Section
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    marked: tuple[int, ...] = ()
    rules: str = ""
    runs: tuple[str, ...] = ()
    csv: str = ""

    def __post_init__(self) -> None:
        """Refuse a table whose parts do not fit together."""
        keys = [column.key for column in self.columns]
        if len(set(keys)) < len(keys):
            raise ValueError(f"table {self.name}: two columns have one key")
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.name}: {len(row)} cells under {len(self.columns)} columns")
            for cell in row:
                missing = [note for note in cell.notes if note not in self.notes]
                if missing:
                    raise ValueError(f"table {self.name}: no note '{missing[0]}'")


@dataclass(frozen=True)
class FigureDoc:
    """A figure; `<name>.svg` and `<name>.png` stand beside the index.

    Attributes:
        name: stem of its files.
        title: its heading.
        caption: what it shows.
        rules: how to read figures of its kind; the page says it at the first of them.
        source: which files of which runs it was drawn from.
        settings: of these runs, one sentence part each; the page says once what all figures share.
        alt: what it shows, for who cannot see it.
        section: where it stands on the page.
        shows: ids of the sets whose images it shows; a page that may not show them leaves it out.
    """

    name: str
    title: str
    caption: str
    alt: str
    section: Section
    shows: tuple[str, ...] = ()
    rules: str = ""
    source: str = ""
    settings: tuple[str, ...] = ()


def write_tables_index(path: Path, tables: Sequence[TableDoc]) -> None:
    """Write the index of tables."""
    write_json(
        path, [_plain(table) | {"rows": [[_cell(cell) for cell in row] for row in table.rows]} for table in tables]
    )


def write_figures_index(path: Path, figures: Sequence[FigureDoc]) -> None:
    """Write the index of figures."""
    write_json(path, [_plain(figure) for figure in figures])


def read_tables_index(path: Path) -> list[TableDoc]:
    """Read an index of tables.

    Raises:
        AdaclipError: missing, damaged, or written by another version.
    """
    return [
        _make(
            TableDoc,
            {
                **entry,
                "columns": tuple(_make(Column, column, path) for column in entry.get("columns", ())),
                "rows": tuple(
                    tuple(Cell(cell) if isinstance(cell, str) else _make(Cell, cell, path) for cell in row)
                    for row in entry.get("rows", ())
                ),
            },
            path,
        )
        for entry in _entries(path)
    ]


def read_figures_index(path: Path) -> list[FigureDoc]:
    """Read an index of figures.

    Raises:
        AdaclipError: missing, damaged, or written by another version.
    """
    return [_make(FigureDoc, entry, path) for entry in _entries(path)]


def _entries(path: Path) -> list[dict[str, Any]]:
    entries = read_json(path)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise AdaclipError(f"{path} is not an index of tables or figures")
    for entry in entries:
        if entry.get("section") not in get_args(Section):
            raise AdaclipError(f"{path}: {entry.get('name')}: unknown section '{entry.get('section')}'")
    return entries


def _plain(value: Any) -> dict[str, Any]:
    """Fields of a document that are not at their default, as JSON values."""
    plain: dict[str, Any] = {}
    for item in dataclasses.fields(value):
        found = getattr(value, item.name)
        if found == item.default or found == {}:
            continue
        if item.name == "columns":
            found = [_plain(part) for part in found]
        plain[item.name] = found
    return plain


def _cell(cell: Cell) -> str | dict[str, Any]:
    plain = _plain(cell)
    return cell.text if len(plain) == 1 else plain


def _make(kind: type[_T], entry: Any, path: Path) -> _T:
    try:
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()})
    except (TypeError, ValueError, AttributeError) as error:
        raise AdaclipError(f"{path} was written by another version ({error}): make it again") from error
