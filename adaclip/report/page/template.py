"""The template of the page, with what it asks of its data: groups, headings over columns, what may run."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from adaclip.report.document import Cell, TableDoc

ASSETS = Path(__file__).parent / "assets"
#: A column of text no longer than this keeps it on one line.
NARROW = 20
#: So many columns at most stay in view.
HEADS = 3
#: Longer text is broken on paper.
LETTERS = 26


def template() -> jinja2.Template:
    """The page, with style and scripts; everything else that it is given is escaped."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        runs=runs,
        in_groups=in_groups,
        beginnings=beginnings,
        narrow=narrow_columns,
        heads=heads,
        beside=beside,
        letters=letters,
        allowed=content_hash,
    )
    # The theme is chosen in the head, before anything is painted; the rest runs when the page is there.
    made.globals.update(css=_asset("page.css"), scripts=[_asset("theme.js"), _asset("page.js")])
    return made.get_template("page.html.j2")


def _asset(name: str) -> Markup:
    return Markup((ASSETS / name).read_text(encoding="utf-8"))


def runs(values: Iterable[str]) -> list[tuple[str, int]]:
    """Neighbouring equal values and how many they are.

    Example:
        >>> runs(["", "Image", "Image", "Pixel"])
        [('', 1), ('Image', 2), ('Pixel', 1)]
    """
    return [(value, len(list(same))) for value, same in itertools.groupby(values)]


def in_groups(tables: Sequence[TableDoc]) -> list[tuple[str, list[TableDoc]]]:
    """Tables by group, groups and tables in the order in which they come."""
    groups: dict[str, list[TableDoc]] = {}
    for table in tables:
        groups.setdefault(table.group, []).append(table)
    return list(groups.items())


def beginnings(table: TableDoc) -> set[int]:
    """Rows that begin another block: the first cell differs from the one above, in a table where first cells repeat."""
    first = [row[0].text for row in table.rows]
    if len(set(first)) == len(first):
        return set()
    return {index for index in range(1, len(first)) if first[index] != first[index - 1]}


def narrow_columns(table: TableDoc) -> set[int]:
    """Columns of text that is short in every row, and so is kept on one line."""
    return {
        index
        for index, column in enumerate(table.columns)
        if column.kind == "text" and all(len(row[index].text) <= NARROW for row in table.rows)
    }


def heads(table: TableDoc) -> int:
    """How many columns say what a row is: the first ones of text, three at most. They stay in view as others scroll."""
    leading = list(itertools.takewhile(lambda column: column.kind == "text", table.columns[:HEADS]))
    return max(1, len(leading) - (len(leading) == len(table.columns)))


def beside(cells: Sequence[Cell]) -> str:
    """What the row's other heads say, for a window too narrow for their columns."""
    return " · ".join(cell.text + (f" [{','.join(cell.notes)}]" if cell.notes else "") for cell in cells if cell.text)


def letters(table: TableDoc) -> int:
    """About how many letters wide a table is, for a size at which paper holds it."""
    columns = [
        min(LETTERS, max([max(map(len, column.title.split())), *(len(row[index].text) for row in table.rows)]))
        for index, column in enumerate(table.columns)
    ]
    return sum(columns) + 2 * len(columns)


def content_hash(script: str) -> Markup:
    """What a Content-Security-Policy calls a script that may run."""
    digest = base64.b64encode(hashlib.sha256(str(script).encode()).digest()).decode()
    return Markup(f"'sha256-{digest}'")
