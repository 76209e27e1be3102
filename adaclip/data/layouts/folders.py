"""Labels by folder: `yes` and `no`, `good` and `bad`, and other such pairs, without masks."""

from __future__ import annotations

from pathlib import Path

from adaclip.data.layouts.common import Item, images_in, only_category, subfolders
from adaclip.data.registry import Dataset

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


def items(top: Path, dataset: Dataset) -> list[Item]:
    """All images, as the test split; other folders (Br35H's `pred`) are not part of the set."""
    category = only_category(dataset)
    return [
        Item(category, "test", image, None, int(kind.name.lower() in ANOMALOUS), kind.name)
        for kind in subfolders(top)
        if kind.name.lower() in NORMAL | ANOMALOUS
        for image in images_in(kind)
    ]
