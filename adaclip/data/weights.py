"""The table of released weights: which there are, what they were trained on, and where they lie once they are here."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from adaclip.data.fetched import is_drawn
from adaclip.data.sources import Source, read_file
from adaclip.errors import UsageError
from adaclip.system.reading import read_yaml
from adaclip.system.schema import validate

TABLE = Path(__file__).with_name("weights.yaml")
#: Folder of the data folder that holds a folder for each release.
FOLDER = "weights"


@dataclass(frozen=True)
class Release:
    """Weights that a method's authors gave away; the keys are described in `adaclip/schemas/weights.schema.yaml`.

    Attributes:
        id: such as `adaclip_mvtec_colondb`.
        method: id of the method.
        title: what tables call it.
        files: names of its files on this machine.
        sources: where all of them are, in order of preference.
        auxiliary: ids of the data sets that it was trained on.
        selection: id of the set on which its authors chose the epoch, or None.
        backbone: `model`, `pretrained` and `image_size` that it was trained with.
        settings: of the method; empty means its defaults.
        page: where its authors give it away.
        size: bytes of its files, or None.
        about_size: the same, roughly, where it is not known; or None.
        licence: the terms, or "".
        licence_url: where they stand, or "".
        citation: what to cite, or "".
        note: what a reader of its figures should know, or "".
    """

    id: str
    method: str
    title: str
    files: tuple[str, ...]
    sources: tuple[Source, ...]
    auxiliary: tuple[str, ...]
    backbone: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    selection: str | None = None
    page: str = ""
    size: int | None = None
    about_size: int | None = None
    licence: str = ""
    licence_url: str = ""
    citation: str = ""
    note: str = ""


def load_weights() -> dict[str, Release]:
    """All released weights by id.

    Example:
        >>> load_weights()["april_gan_visa"].auxiliary
        ('visa',)
    """
    return dict(_table())


def with_changes(changes: Mapping[str, Mapping[str, Any]], where: str) -> dict[str, Release]:
    """The releases of a configuration: all of the table, with its changes, and its own.

    Args:
        changes: by id; keys of a release that is in the table replace the table's.
        where: what to call the configuration in errors.

    Raises:
        UsageError: as `read_weights`.
    """
    if not changes:
        return load_weights()
    entries = read_yaml(TABLE)
    changed = {id: {**entries.get(id, {}), **entry} for id, entry in changes.items()}
    return {**load_weights(), **read_weights(changed, f"{where}: weights")}


def release(id: str) -> Release:
    """Released weights by id.

    Raises:
        UsageError: an unknown id.
    """
    known = _table()
    if id not in known:
        near = difflib.get_close_matches(id, known, n=1, cutoff=0.6)
        hint = f": did you mean '{near[0]}'?" if near else ""
        raise UsageError(f"no released weights '{id}' (known: {', '.join(known)}){hint}")
    return known[id]


def folder_of(release: Release, data: str | Path) -> Path:
    """The folder that a release is fetched into."""
    return Path(data) / FOLDER / release.id


def path_of(release: Release, data: str | Path) -> Path:
    """Where a release lies below the data folder: its file, or its folder when it has several; it need not be there.

    Example:
        >>> path_of(release("adaclip_all"), "data").as_posix()
        'data/weights/adaclip_all/pretrained_all.pth'
    """
    folder = folder_of(release, data)
    return folder / release.files[0] if len(release.files) == 1 else folder


def receipt_of(release: Release, data: str | Path) -> Path:
    """Where the workflow writes what was fetched, beside the folder of a release."""
    folder = folder_of(release, data)
    return folder.with_name(f"{folder.name}.fetched.json")


def is_here(release: Release, data: str | Path) -> bool:
    """Whether all of its files are here."""
    return all((folder_of(release, data) / name).is_file() for name in release.files)


def is_simulated(release: Release, data: str | Path) -> bool:
    """Whether what is here was drawn, and not given away by anyone: its figures compete with nothing."""
    return is_drawn(folder_of(release, data))


def fetching_facts(release: Release) -> list[dict[str, Any]]:
    """Where a release is fetched from, and what comes then; everything else about it changes no file."""
    return [asdict(source) for source in release.sources]


def read_weights(entries: Mapping[str, Any], where: str) -> dict[str, Release]:
    """Releases from a table.

    Args:
        entries: by id, as in `weights.yaml`.
        where: what to call the table in errors.

    Raises:
        UsageError: an unknown key, a wrong value, a file without an address, or files with different numbers of places.
    """
    checked = validate(dict(entries), "weights", where)
    return {id: _release(id, entry) for id, entry in checked.items()}


@functools.cache
def _table() -> dict[str, Release]:
    return read_weights(read_yaml(TABLE), str(TABLE))


def _release(id: str, entry: Mapping[str, Any]) -> Release:
    files = entry["files"]
    owner = f"released weights '{id}'"
    number = len(files[0]["places"])
    odd = next((file["name"] for file in files if len(file["places"]) != number), None)
    if odd is not None:
        raise UsageError(f"{owner}: file '{odd}' has another number of places than '{files[0]['name']}' ({number})")
    sizes = [file.get("bytes") for file in files]
    about = [file.get("bytes", file.get("about_bytes")) for file in files]
    return Release(
        id=id,
        method=entry["method"],
        title=entry["title"],
        files=tuple(file["name"] for file in files),
        sources=tuple(_source(files, position, owner) for position in range(number)),
        auxiliary=tuple(entry["auxiliary"]),
        backbone=dict(entry["backbone"]),
        settings=dict(entry["settings"]),
        selection=entry["selection"],
        page=entry["page"],
        size=None if None in sizes else sum(sizes),
        about_size=None if None in about else sum(about),
        licence=entry["licence"],
        licence_url=entry["licence_url"],
        citation=entry["citation"],
        note=entry["note"],
    )


def _source(files: list[dict[str, Any]], position: int, owner: str) -> Source:
    """The place at one position of every file: all files of a release come from one source."""
    kind = files[0]["places"][position]["kind"]
    found = []
    for file in files:
        place = file["places"][position]
        if place["kind"] != kind:
            raise UsageError(
                f"{owner}: place {position + 1} of '{file['name']}' is of kind {place['kind']}, that of "
                f"'{files[0]['name']}' of kind {kind}: list them in the same order"
            )
        facts = {key: value for key, value in file.items() if key in ("name", "sha256", "bytes")}
        found.append(read_file(kind, {**facts, **{k: v for k, v in place.items() if k != "kind"}}, owner))
    return Source(kind, tuple(found))
