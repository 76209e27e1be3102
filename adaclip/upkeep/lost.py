"""Files that are gone though Snakemake does not know them by name: pictures beside what lists them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from adaclip.errors import AdaclipError
from adaclip.report.file_names import figure_names, table_names
from adaclip.system.files import read_json, remove


def lost_of_set(manifest: Path) -> list[Path]:
    """Images, masks and `meta.json` that a prepared set lacks.

    Args:
        manifest: of the set; what cannot be read gives nothing, since reading it says what is wrong.

    Returns:
        Nothing for a set without any picture: with results that were brought back come manifests alone.
    """
    folder = manifest.parent
    try:
        with manifest.open(newline="", encoding="utf-8") as stream:
            named = {row.get(key) or "" for row in csv.DictReader(stream) for key in ("image", "mask")} - {""}
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    here = {path.relative_to(folder).as_posix() for path in _files(folder / "images", folder / "masks")}
    if not here & named:
        return []
    return [folder / name for name in sorted((named - here) | _missing(folder, ["meta.json"]))]


def lost_of_overview(overview: Path) -> list[Path]:
    """Thumbnails that an overview lists and that are gone."""
    found = _read(overview)
    categories = found.get("categories", []) if isinstance(found, dict) else []
    names = [example["file"] for category in categories for example in category["examples"]]
    return [overview.parent / name for name in sorted(_missing(overview.parent, names))]


def lost_of_figures(index: Path) -> list[Path]:
    """Figures that an index names and that are gone."""
    names = [f"{entry['name']}.{suffix}" for entry in _read(index) or () for suffix in ("svg", "png")]
    return [index.parent / name for name in sorted(_missing(index.parent, names))]


def lost_of_part(plan: Mapping[str, Any], folder: Path) -> list[Path]:
    """Tables and figures that a part lacks, when it has been made.

    Args:
        plan: of the part.
        folder: `parts/<target>`.
    """
    if not (folder / "tables" / "index.json").is_file():
        return []
    names = {"tables": table_names(plan), "figures": figure_names(plan)}
    return [folder / kind / name for kind, asked in names.items() for name in sorted(_missing(folder / kind, asked))]


def void(lists: Mapping[Path, list[Path]]) -> list[str]:
    """Remove each file that lists others of which some are gone, so that Snakemake makes it again, and them with it.

    Args:
        lists: what is gone, by the output of a rule that has to be made again for it.

    Returns:
        A line for each of them.

    Raises:
        AdaclipError: one cannot be removed.
    """
    said = []
    for path, lost in lists.items():
        if lost and path.is_file():
            try:
                remove(path)
            except OSError as error:
                raise AdaclipError(f"cannot remove {path}: {error.strerror or error}") from error
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            said.append(f"gone: {lost[0]}{more}, to be made again")
    return said


def _read(path: Path) -> Any:
    try:
        return read_json(path)
    except AdaclipError:
        return None


def _files(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.is_file())


def _missing(folder: Path, names: Iterable[str]) -> set[str]:
    return {name for name in names if not (folder / name).is_file()}
