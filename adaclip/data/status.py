"""Which data sets and released weights are here, under which terms, and how to get the others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from adaclip.data.fetched import own_files, source_files
from adaclip.data.manifest import read_prepared
from adaclip.data.registry import Dataset, chosen_sources, load_registry
from adaclip.data.weights import Release, folder_of, is_here, is_simulated, path_of
from adaclip.errors import AdaclipError

HEADS = ("id", "title", "domain", "state", "size", "terms", "")
WEIGHTS_HEADS = ("id", "method", "trained on", "size", "state", "")


@dataclass(frozen=True)
class Status:
    """How a set stands.

    Attributes:
        state: ready, original here, missing, or damaged.
        size: bytes of what is here; of the archives to come when nothing is and their sizes are known; else None.
        text: counts of a prepared set; of another one, what to do.
    """

    state: str
    size: int | None
    text: str


def describe(dataset: Dataset, data: Path) -> Status:
    """How a set stands in the data folder `data`."""
    manifest = data / "prepared" / dataset.id / "manifest.csv"
    raw = Path(dataset.raw) if dataset.raw else data / "raw" / dataset.id
    prepare = f"adaclip data prepare {dataset.id} --raw {raw} --out {manifest.parent}"
    if manifest.is_file():
        size = size_of(manifest.parent)
        try:
            counts = read_prepared(manifest)["counts"]["test"]
        except (AdaclipError, KeyError):
            return Status("damaged", size, prepare)
        return Status("ready", size, f"{counts['normal']} normal + {counts['anomalous']} anomalous test images")
    if dataset.raw is None:
        whole = any(all((raw / file.name).is_file() for file in source.files) for source in chosen_sources(dataset))
        here = whole or bool(own_files(dataset, raw))
    else:
        here = raw.exists()
    if here:
        return Status("original here", size_of(raw), prepare)
    if dataset.sources and dataset.raw is None:
        return _missing(dataset, raw, data)
    source = f" from {dataset.url}" if dataset.url else ""
    return Status("missing", None, f"put the original{source} into {raw}")


def _missing(dataset: Dataset, raw: Path, data: Path) -> Status:
    """A set that can be fetched; an unfinished download counts as what is here."""
    sizes = [file.size for file in chosen_sources(dataset)[0].files]
    known = sum(size for size in sizes if size is not None) if None not in sizes else None
    begun = sum(path.stat().st_size for path in source_files(dataset, raw))
    where = "" if data == Path("data") else f" --data {data}"
    consent = " --accept-licence" if dataset.accept else ""
    # Only the configuration knows where a set of the user's own comes from.
    own = f"snakemake --cores all {data}/prepared/{dataset.id}/manifest.csv, with its configuration"
    command = f"adaclip data fetch {dataset.id}{where}{consent}" if dataset.built_in else own
    kinds = ", then ".join(dict.fromkeys(source.kind for source in chosen_sources(dataset)))
    goes_on = ", goes on where it stopped" if begun else ""
    by_hand = f", or put the original from {dataset.url} into {raw}" if dataset.url else ""
    return Status("missing", begun or known, f"{command} ({kinds}{goes_on}){by_hand}")


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(Path(folder, name).stat().st_size for folder, _, names in os.walk(path) for name in names)


def print_status(registry: Mapping[str, Dataset], data: Path) -> None:
    """Print one line for each set."""
    rows: list[tuple[str, ...]] = [HEADS]
    for name, dataset in registry.items():
        status = describe(dataset, data)
        size = "" if status.size is None else f"{status.size / 1e6:.1f} MB"
        terms = (dataset.licence or "not known") + (" (to accept)" if dataset.accept else "")
        rows.append((name, dataset.title, dataset.domain, status.state, size, terms, status.text))
    _print_rows(rows)


def describe_weights(release: Release, data: Path) -> Status:
    """How released weights stand in the data folder `data`: ready, simulated (drawn ones are here), or absent."""
    if is_here(release, data):
        size = sum((folder_of(release, data) / name).stat().st_size for name in release.files)
        return Status("simulated" if is_simulated(release, data) else "ready", size, str(path_of(release, data)))
    where = "" if data == Path("data") else f" --data {data}"
    kinds = ", then ".join(dict.fromkeys(source.kind for source in release.sources))
    return Status("absent", release.size, f"adaclip weights fetch {release.id}{where} ({kinds})")


def print_weights(releases: Iterable[Release], data: Path) -> None:
    """Print one line for each release."""
    rows: list[tuple[str, ...]] = [WEIGHTS_HEADS]
    every = set(load_registry())
    for release in releases:
        status = describe_weights(release, data)
        known, about = status.size, release.about_size
        size = f"{known / 1e6:.1f} MB" if known else f"about {about / 1e6:.1f} MB" if about else ""
        trained = f"all {len(every)} sets" if set(release.auxiliary) == every else "+".join(release.auxiliary)
        rows.append((release.id, release.method, trained, size, status.state, status.text))
    _print_rows(rows)


def _print_rows(rows: list[tuple[str, ...]]) -> None:
    """Print a table whose last column is as wide as it is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip())
