"""Which data sets are here, and how to get the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from adaclip.data.manifest import read_prepared
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError


def describe(dataset: Dataset, data: Path) -> tuple[str, str]:
    """State of a set (`ready`, `original here` or `missing`), and its counts or what to do."""
    manifest = data / "prepared" / dataset.id / "manifest.csv"
    if manifest.is_file():
        try:
            counts = read_prepared(manifest)["counts"]["test"]
        except (AdaclipError, KeyError):
            return "damaged", f"prepare it again: adaclip data prepare {dataset.id} --raw ... --out {manifest.parent}"
        return "ready", f"{counts['normal']} normal + {counts['anomalous']} anomalous test images"
    raw = Path(dataset.raw) if dataset.raw else data / "raw" / dataset.id
    if raw.exists():
        return "original here", f"adaclip data prepare {dataset.id} --raw {raw} --out {manifest.parent}"
    source = f" from {dataset.url}" if dataset.url else ""
    return "missing", f"put the original{source} into {raw}"


def print_status(registry: Mapping[str, Dataset], data: Path) -> None:
    """Print one line for each set."""
    rows = [(name, dataset.title, dataset.domain, *describe(dataset, data)) for name, dataset in registry.items()]
    heads = ("id", "title", "domain", "state", "")
    widths = [max(len(row[column]) for row in (*rows, heads)) for column in range(4)]
    for row in (heads, *rows):
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]).rstrip())
