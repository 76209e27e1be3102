"""One's own CSV, such as `manifest.csv`: `image, label` and, where known, `mask, category, split, defect`.

Paths are relative to the CSV's folder. Without `label` an image with a mask is anomalous. Other columns, such as those
of a prepared set's manifest, do not matter unless they name images. See docs/own-data.md for the names that count.
"""

from __future__ import annotations

from pathlib import Path

from adaclip.data.layouts import listing
from adaclip.data.layouts.common import Reading
from adaclip.data.reading_options import Options
from adaclip.data.registry import Dataset

TITLE = "images listed by manifest.csv"
OPTIONS = ()


def recognise(folder: Path) -> bool:
    """A CSV whose columns say where images are."""
    return bool(listing.usable_in(folder, ("csv",)))


def read(top: Path, dataset: Dataset, options: Options) -> Reading:
    """The images that the table lists."""
    return listing.read(top, dataset)
