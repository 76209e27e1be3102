"""CSV files as people's programs write them: any of three separators, a byte-order mark, quotes, any newlines."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from adaclip.errors import AdaclipError

#: Separators, and what to call them.
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
#: The first line with which Excel is told the separator.
_STATED = re.compile(r"sep=(.)", re.I)


@dataclass(frozen=True)
class Sheet:
    """A CSV file.

    Attributes:
        separator: one of `SEPARATORS`.
        rows: the number of the line where each row ends (from 1), and its cells without blanks around them; no cells
            for an empty line, and for one that holds separators only.
    """

    separator: str
    rows: list[tuple[int, list[str]]]


def read_sheet(path: Path) -> Sheet:
    """Read a CSV file; its separator is the one that gives the first line the most cells.

    Raises:
        AdaclipError: it is no CSV in UTF-8 (or UTF-16 that says so).
    """
    lines = text_of(path).splitlines(keepends=True)
    skipped = 0
    separator = ""
    if lines and (stated := _STATED.fullmatch(lines[0].strip("\r\n"))):
        skipped, separator = 1, stated[1]
    text = "".join(lines[skipped:])
    try:
        if not separator:
            first = next((line for line in lines if line.strip()), "")
            separator = max(SEPARATORS, key=lambda sign: len(next(csv.reader([first], delimiter=sign), [])))
        reader = csv.reader(io.StringIO(text, newline=None), delimiter=separator, strict=True)
        rows = []
        for row in reader:
            cells = [cell.strip() for cell in row]
            rows.append((reader.line_num + skipped, cells if any(cells) else []))
    except csv.Error as error:
        raise AdaclipError(f"cannot read {path} as CSV: {error}") from error
    return Sheet(separator, rows)


def text_of(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 if it begins with the mark of it.

    Raises:
        AdaclipError: it cannot be read, or is in another encoding; its line is named.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AdaclipError(f"cannot read {path}: {error.strerror or error}") from error
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise AdaclipError(
            f"cannot read {path}: line {line} is not in UTF-8 ({content[error.start : error.start + 1]!r}): "
            "save it in UTF-8"
        ) from error
    if "\0" in text:
        raise AdaclipError(f"cannot read {path}: it holds zero bytes and is no text: save it in UTF-8")
    return text
