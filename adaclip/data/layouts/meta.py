"""A tree with a `meta.json`: the authors' repackaged sets, and one's own in the field's interchange format."""

from __future__ import annotations

from pathlib import Path

from adaclip.data.layouts.common import Item, Reading, known_category, named_file, only_category
from adaclip.data.metajson import NAME, is_meta, read_meta
from adaclip.data.options import Options
from adaclip.data.registry import Dataset

TITLE = "a tree listed by meta.json"
OPTIONS = ()


def recognise(folder: Path) -> bool:
    """A meta.json of the interchange format."""
    return (folder / NAME).is_file() and is_meta(folder / NAME)


def read(top: Path, dataset: Dataset, options: Options) -> Reading:
    """The images that meta.json lists."""
    path = top / NAME
    items = []
    entries = read_meta(path)
    # Two names for the only category there is cannot mean two things.
    only = len({entry.category for entry in entries}) == 1 and len(dataset.categories) == 1
    for entry in entries:
        mask = named_file(top, entry.mask, str(path)) if entry.mask else None
        items.append(
            Item(
                only_category(dataset) if only else known_category(entry.category, dataset, path),
                entry.split,
                named_file(top, entry.image, str(path)),
                mask,
                entry.label,
                entry.defect,
            )
        )
    return Reading(items)
