"""Pages of which one marked block is written by the program, so that it cannot drift from what it describes."""

from __future__ import annotations

from pathlib import Path

from adaclip.errors import AdaclipError


def read_page(path: Path) -> str | None:
    """The text of a page, or None where there is none.

    Raises:
        AdaclipError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise AdaclipError(f"cannot read {path}: {error}") from error


def replace_block(text: str, begin: str, end: str, block: str, path: Path) -> str:
    """The text with what stands between two marks replaced; the text around it stays.

    Args:
        text: of the page.
        begin: the line before the block.
        end: the line behind it.
        block: what to put between.
        path: of the page, for errors.

    Raises:
        AdaclipError: a mark is missing.
    """
    head, first, rest = text.partition(begin)
    _, last, tail = rest.partition(end)
    if not first or not last:
        raise AdaclipError(f"{path} lacks the line '{end if first else begin}': put it where the facts belong")
    return f"{head}{begin}\n{block}\n{end}{tail}"
