"""The table of data sets: the built-in ones, and the user's own."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adaclip.schema import read_yaml, validate

TABLE = Path(__file__).with_name("datasets.yaml")


@dataclass(frozen=True)
class Dataset:
    """One data set; the keys are described in `adaclip/schemas/datasets.schema.yaml`.

    Attributes:
        id: such as `mvtec`.
        title: such as `MVTec AD`.
        domain: industrial, medical or custom.
        labels: of `image` and `mask`; empty means what the raw data show.
        categories: prompt words by category; empty means what the raw data show.
        test: expected counts of the test split, `normal` and `anomalous`; empty means unknown.
        layout: name of the raw layout, or `auto`.
        options: how the original is read; empty means the defaults.
        raw: the user's folder of the original, or None for the usual place.
        url: where it comes from, or "".
        built_in: whether the table has it.
    """

    id: str
    title: str
    domain: str = "custom"
    labels: tuple[str, ...] = ()
    categories: Mapping[str, str] = field(default_factory=dict)
    test: Mapping[str, int] = field(default_factory=dict)
    layout: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    raw: str | None = None
    url: str = ""
    built_in: bool = False


@functools.cache
def _table() -> dict[str, dict[str, Any]]:
    table = validate(read_yaml(TABLE), "datasets", str(TABLE))
    assert isinstance(table, dict)
    return table


def load_registry(extra: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Dataset]:
    """All data sets by id, the built-in ones first.

    Args:
        extra: the `datasets` of a configuration: new sets, or keys that replace those of a built-in one.

    Raises:
        UsageError: an unknown key or a wrong value.

    Example:
        >>> load_registry()["mvtec"].title
        'MVTec AD'
        >>> load_registry({"nuts": {"raw": "photos/nuts"}})["nuts"].domain
        'custom'
    """
    own = validate(dict(extra or {}), "datasets", "datasets")
    entries = dict(_table())
    for name, entry in own.items():
        changed = dict(extra[name]) if extra else {}
        entries[name] = {**entries[name], **changed} if name in entries else entry
    return {name: _dataset(name, entry) for name, entry in entries.items()}


def dataset_for(name: str, entry: Mapping[str, Any] | None = None) -> Dataset:
    """One data set by id; an id that the table does not have is the user's own set.

    Args:
        name: the id.
        entry: registry keys for it, as in a configuration.
    """
    return load_registry({name: entry or {}})[name]


def _dataset(name: str, entry: Mapping[str, Any]) -> Dataset:
    return Dataset(
        id=name,
        title=entry.get("title", name),
        domain=entry.get("domain", "custom"),
        labels=tuple(entry.get("labels", ())),
        categories=dict(entry.get("categories", {})),
        test=dict(entry.get("test", {})),
        layout=entry.get("layout", "auto"),
        options=dict(entry.get("options", {})),
        raw=entry.get("raw"),
        url=entry.get("url", ""),
        built_in=name in _table(),
    )


def public_facts(dataset: Dataset) -> dict[str, Any]:
    """What `results/plan.json` says of a set."""
    return {
        "title": dataset.title,
        "domain": dataset.domain,
        "labels": list(dataset.labels),
        "url": dataset.url,
        "built_in": dataset.built_in,
    }
