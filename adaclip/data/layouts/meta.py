"""A tree with a `meta.json`: the authors' repackaged sets, and one's own in the field's interchange format.

JSON lines and lists of records count too. See docs/own-data.md for the names that count.
"""

from __future__ import annotations

from pathlib import Path

from adaclip.data.layouts import listing
from adaclip.data.layouts.common import Reading
from adaclip.data.reading_options import Options
from adaclip.data.registry import Dataset

TITLE = "a tree listed by meta.json"
OPTIONS = ()


def recognise(folder: Path) -> bool:
    """A JSON of the interchange format, or of one of its relatives."""
    return bool(listing.usable_in(folder, ("meta",)))


def read(top: Path, dataset: Dataset, options: Options) -> Reading:
    """The images that the listing lists."""
    return listing.read(top, dataset)
