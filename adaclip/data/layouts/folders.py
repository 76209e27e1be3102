"""Labels by folder, without masks: `yes` and `no` (BrainMRI, Br35H), `good` and `bad`, and other such pairs."""

from __future__ import annotations

from pathlib import Path

from adaclip.data.layouts.common import Item, Reading, images_in, only_category, subfolders
from adaclip.data.options import Options
from adaclip.data.registry import Dataset

TITLE = "two folders of images (such as no and yes, good and bad)"
OPTIONS = ()
NORMAL = frozenset({"no", "good", "normal", "ok", "healthy", "negative", "pass"})
ANOMALOUS = frozenset(
    {
        "yes",
        "bad",
        "abnormal",
        "anomaly",
        "anomalous",
        "anomalies",
        "defect",
        "defective",
        "ko",
        "ng",
        "positive",
        "fail",
    }
)


def recognise(folder: Path) -> bool:
    """A folder of normal and a folder of anomalous images."""
    names = {below.name.lower() for below in subfolders(folder) if images_in(below)}
    return bool(names & NORMAL) and bool(names & ANOMALOUS)


def read(top: Path, dataset: Dataset, options: Options) -> Reading:
    """All images, as the test split; other folders (Br35H's `pred`) are not part of the set."""
    category = only_category(dataset)
    return Reading(
        [
            Item(category, "test", image, None, int(kind.name.lower() in ANOMALOUS), kind.name)
            for kind in subfolders(top)
            if kind.name.lower() in NORMAL | ANOMALOUS
            for image in images_in(kind)
        ]
    )
