"""Zero-shot means: never evaluated on what was trained on, neither the set nor copies of its images."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaclip.errors import AdaclipError, UsageError
from adaclip.system.files import read_json
from adaclip.system.wording import counted


def refuse_leakage(auxiliary: Collection[str], evaluated: Collection[str], where: str) -> None:
    """Raise unless no evaluated set was trained on: zero-shot figures forbid it.

    Raises:
        UsageError: naming the set and the auxiliary data.
    """
    for dataset in evaluated:
        if dataset in auxiliary:
            raise UsageError(
                f"{where}: '{dataset}' is part of the auxiliary data ({'+'.join(auxiliary)}), so evaluating it "
                "would not be zero-shot: take it out of one of the two"
            )


@dataclass(frozen=True)
class Overlap:
    """Images of an evaluated set that auxiliary data hold too.

    Attributes:
        identical: paths as in the set's manifest; images with the same pixels as one of the auxiliary data.
        near: the same of those that are near-identical and not identical.
        by_set: how many images each auxiliary set holds, for those that hold any.
    """

    identical: frozenset[str]
    near: frozenset[str]
    by_set: Mapping[str, int]

    @property
    def images(self) -> frozenset[str]:
        """All of them."""
        return self.identical | self.near


def overlap_of(auxiliary: Collection[str], dataset: str, leakage_json: str | Path) -> Overlap:
    """Images of a set that auxiliary data hold too.

    Args:
        auxiliary: ids of the auxiliary sets.
        dataset: id of the evaluated set.
        leakage_json: what `adaclip audit compare` wrote.

    Raises:
        AdaclipError: missing or damaged file, or one that does not know a set.
    """
    path = Path(leakage_json)
    known = _read(path, path.stat().st_mtime_ns if path.is_file() else 0)
    for name in (dataset, *auxiliary):
        if name not in known["sets"]:
            raise AdaclipError(f"{path} does not cover the set '{name}': fingerprint it and compare again")
    found = {name: known["overlaps"].get(dataset, {}).get(name) for name in auxiliary}
    parts = {name: part for name, part in found.items() if part}
    identical = frozenset(image for part in parts.values() for image in part["identical"])
    near = frozenset(image for part in parts.values() for image in part["near"]) - identical
    return Overlap(identical, near, {name: len(p["identical"]) + len(p["near"]) for name, p in parts.items()})


def overlaps(auxiliary: Collection[str], dataset: str, leakage_json: str | Path) -> int:
    """How many images of a set the auxiliary data hold too, identical or near-identical; see `overlap_of`."""
    return len(overlap_of(auxiliary, dataset, leakage_json).images)


def refuse_overlap(auxiliary: Collection[str], dataset: str, leakage_json: str | Path) -> None:
    """Raise when auxiliary data hold images of an evaluated set.

    Raises:
        UsageError: naming both sets, the number of images and the key to change.
    """
    found = overlap_of(auxiliary, dataset, leakage_json)
    if found.images:
        parts = " and ".join(f"'{name}' ({counted(count, 'image')})" for name, count in found.by_set.items())
        raise UsageError(
            f"'{dataset}' shares {counted(len(found.images), 'image')} with the auxiliary data: {parts}. "
            "Take one of the sets out, or set 'leakage' in the configuration to warn or deduplicate"
        )


@functools.lru_cache(maxsize=4)
def _read(path: Path, changed: int) -> dict[str, Any]:
    """The file's content; `changed` is its time, so that a new one is read again."""
    value = read_json(path)
    if not isinstance(value, dict) or not {"sets", "overlaps"} <= value.keys():
        raise AdaclipError(f"{path} is no result of adaclip audit compare: make it again")
    return value
