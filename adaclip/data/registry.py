"""The table of data sets: the built-in ones, and the user's own."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from adaclip.data.sources import Source, read_file
from adaclip.errors import UsageError
from adaclip.system.reading import read_yaml
from adaclip.system.schema import validate

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
        test_by_category: the same by category; empty means unknown.
        test_in_some_order: counts (normal, anomalous) of the categories that `test_by_category` does not have, of which
            it is not known which is whose.
        test_original: counts of the test split that the original gives, where the paper's are only in the repackaged
            archive; empty means that they are the same.
        arrangement: `original` or `repackaged` where only such a source will do, or `any`.
        layout: name of the raw layout, or `auto`.
        options: how the original is read; empty means the defaults.
        normal: names of folders whose images are normal, besides the words that are known.
        anomalous: names of folders whose images are anomalous, likewise.
        unused: `refuse` or `allow` that many images below the original are no part of the set.
        raw: the user's own original (a folder or an archive), or None for the usual place.
        url: the page that it comes from, or "".
        pages: further pages for a download by hand.
        licence: the terms, or "".
        licence_url: where they stand, or "".
        accept: whether they must be accepted before the first download.
        citation: what to cite, or "".
        sources: where it is fetched from, in order of preference.
        built_in: whether the table has it.
    """

    id: str
    title: str
    domain: str = "custom"
    labels: tuple[str, ...] = ()
    categories: Mapping[str, str] = field(default_factory=dict)
    test: Mapping[str, int] = field(default_factory=dict)
    test_by_category: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    test_in_some_order: tuple[tuple[int, int], ...] = ()
    test_original: Mapping[str, int] = field(default_factory=dict)
    arrangement: str = "any"
    layout: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    normal: tuple[str, ...] = ()
    anomalous: tuple[str, ...] = ()
    unused: str = "refuse"
    raw: str | None = None
    url: str = ""
    pages: tuple[str, ...] = ()
    licence: str = ""
    licence_url: str = ""
    accept: bool = False
    citation: str = ""
    sources: tuple[Source, ...] = ()
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
        UsageError: an unknown key or a wrong value, a file without an address, or counts that do not add up.

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
        # Other totals make the counts of the categories void.
        void = {"test_by_category", "test_in_some_order", "test_original"} if "test" in changed else set()
        known = {key: value for key, value in entries.get(name, {}).items() if key not in void}
        entries[name] = {**known, **changed} if name in entries else entry
    return {name: _dataset(name, entry) for name, entry in entries.items()}


def dataset_for(name: str, entry: Mapping[str, Any] | None = None) -> Dataset:
    """One data set by id; an id that the table does not have is the user's own set.

    Args:
        name: the id.
        entry: registry keys for it, as in a configuration.
    """
    return load_registry({name: entry or {}})[name]


def _dataset(name: str, entry: Mapping[str, Any]) -> Dataset:
    dataset = Dataset(
        id=name,
        title=entry.get("title", name),
        domain=entry.get("domain", "custom"),
        labels=tuple(entry.get("labels", ())),
        categories=dict(entry.get("categories", {})),
        test=dict(entry.get("test", {})),
        test_by_category={
            category: {"normal": normal, "anomalous": anomalous}
            for category, (normal, anomalous) in entry.get("test_by_category", {}).items()
        },
        test_in_some_order=tuple((normal, anomalous) for normal, anomalous in entry.get("test_in_some_order", ())),
        test_original=dict(entry.get("test_original", {})),
        arrangement=entry.get("arrangement", "any"),
        layout=entry.get("layout", "auto"),
        options=dict(entry.get("options", {})),
        normal=tuple(entry.get("normal", ())),
        anomalous=tuple(entry.get("anomalous", ())),
        unused=entry.get("unused", "refuse"),
        raw=entry.get("raw"),
        url=entry.get("url", ""),
        pages=tuple(entry.get("pages", ())),
        licence=entry.get("licence", ""),
        licence_url=entry.get("licence_url", ""),
        accept=entry.get("accept", False),
        citation=entry.get("citation", ""),
        sources=tuple(
            Source(
                source["kind"],
                tuple(read_file(source["kind"], file, f"data set '{name}'") for file in source["files"]),
                source.get("repackaged", False),
            )
            for source in entry.get("sources", ())
        ),
        built_in=name in _table(),
    )
    _check_sums(dataset)
    return dataset


def _check_sums(dataset: Dataset) -> None:
    if not dataset.test_by_category:
        return
    for position, kind in enumerate(("normal", "anomalous")):
        if kind not in dataset.test:
            continue
        expected = dataset.test[kind]
        total = sum(counts[kind] for counts in dataset.test_by_category.values())
        total += sum(counts[position] for counts in dataset.test_in_some_order)
        if total != expected:
            raise UsageError(
                f"data set '{dataset.id}': test_by_category has {total} {kind} images in all, but test says {expected}"
            )


def reading_facts(dataset: Dataset) -> dict[str, Any]:
    """What decides how an original is read and judged; everything else about a set changes no prepared image."""
    return {
        "title": dataset.title,
        "domain": dataset.domain,
        "labels": list(dataset.labels),
        "categories": dict(dataset.categories),
        "test": dict(dataset.test),
        "test_by_category": {category: dict(counts) for category, counts in dataset.test_by_category.items()},
        "test_in_some_order": [list(counts) for counts in dataset.test_in_some_order],
        "test_original": dict(dataset.test_original),
        "arrangement": dataset.arrangement,
        "layout": dataset.layout,
        "options": dict(dataset.options),
        "normal": list(dataset.normal),
        "anomalous": list(dataset.anomalous),
        "unused": dataset.unused,
    }


def fetching_facts(dataset: Dataset) -> list[dict[str, Any]]:
    """Where a set is fetched from, and what comes then."""
    return [asdict(source) for source in chosen_sources(dataset)]


def chosen_sources(dataset: Dataset) -> tuple[Source, ...]:
    """The sources of a set that its `arrangement` admits, in order of preference."""
    if dataset.arrangement == "any":
        return dataset.sources
    return tuple(source for source in dataset.sources if source.repackaged == (dataset.arrangement == "repackaged"))


def public_facts(dataset: Dataset) -> dict[str, Any]:
    """What `results/plan.json` says of a set."""
    return {
        "title": dataset.title,
        "domain": dataset.domain,
        "labels": list(dataset.labels),
        "categories": list(dataset.categories),
        "url": dataset.url,
        "licence": dataset.licence,
        "licence_url": dataset.licence_url,
        "citation": dataset.citation,
        "built_in": dataset.built_in,
    }
