"""Remove all that one configuration wrote: its results, what it drew, and what Snakemake keeps of these files."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from adaclip.data.fetched import is_drawn
from adaclip.errors import AdaclipError
from adaclip.plan.resolve import Plan
from adaclip.system.files import read_json
from adaclip.system.records import FOLDER
from adaclip.upkeep.folder import WRITTEN, refuse_other
from adaclip.upkeep.stale import remove_all

#: Where Snakemake keeps what each file was made from, and which files were not finished.
PROVENANCE = (Path(".snakemake") / "metadata", Path(".snakemake") / "incomplete")


def written_by(plan: Plan) -> list[Path]:
    """Files and folders that a configuration's runs wrote, of those that are there.

    Originals, and sets prepared from them, are kept: only drawn ones can be had again at once.

    Raises:
        UsageError: the results folder holds another configuration's results, or what no run wrote.
    """
    results, data = Path(plan.config.results), Path(plan.config.data)
    refuse_other(results, plan.config.source)
    found = [results / name for name in WRITTEN]
    if plan.config.simulate is not None:
        for name in plan.used_sets():
            raw = data / "raw" / name
            if is_drawn(raw):
                found += [raw, data / "raw" / f"{name}.fetched.json"]
            if _of_drawings(data / "prepared" / name):
                found.append(data / "prepared" / name)
            found.append(data / "mirror" / name)
    return [path for path in found if path.exists()]


def _of_drawings(prepared: Path) -> bool:
    """Whether a prepared set says of itself that it was made from a drawn original."""
    try:
        facts = read_json(prepared / "prepared.json")
    except AdaclipError:
        return False
    return isinstance(facts, dict) and facts.get("simulated") is True


def remove_written(plan: Plan, project: Path = Path()) -> list[Path]:
    """Remove what `written_by` finds, and Snakemake's provenance of it; folders that are empty then go too.

    Args:
        plan: of the configuration.
        project: the folder that Snakemake runs in, to which the plan's paths are relative.

    Returns:
        What was removed.

    Raises:
        UsageError: the results folder holds another configuration's results, or what no run wrote.
        AdaclipError: something cannot be removed.
    """
    found = written_by(plan)
    results, data = Path(plan.config.results), Path(plan.config.data)
    remove_all(found)
    gone = [results / name for name in WRITTEN]
    if plan.config.simulate is not None:
        sets = [data / kind / name for kind in ("mirror", "raw", "prepared") for name in plan.used_sets()]
        gone += [*sets, *(data / "raw" / f"{name}.fetched.json" for name in plan.used_sets())]
    _forget([path for path in gone if not path.exists()], project)
    kinds = [data / "mirror", data / "raw", data / "prepared"]
    emptied = [*(data / FOLDER / kind.name for kind in kinds), data / FOLDER, *kinds, data, results]
    for folder in emptied:
        with contextlib.suppress(OSError):
            folder.rmdir()
    return found


def _forget(gone: Iterable[Path], project: Path) -> None:
    places = {path.as_posix() for path in gone}
    for folder in PROVENANCE:
        for record, name in _records(project / folder):
            path = Path(name)
            if places.intersection(parent.as_posix() for parent in (path, *path.parents)):
                record.unlink(missing_ok=True)
                for parent in record.parents[: len(record.relative_to(project / folder).parts) - 1]:
                    with contextlib.suppress(OSError):
                        parent.rmdir()


def _records(folder: Path) -> Iterator[tuple[Path, str]]:
    """Snakemake's records and the files that they are of: the path in base64, in several parts where it is long."""
    for record in sorted(folder.rglob("*")):
        parts = [part.removeprefix("@") for part in record.relative_to(folder).parts]
        if record.is_file():
            with contextlib.suppress(binascii.Error, UnicodeDecodeError):
                yield record, base64.urlsafe_b64decode("".join(parts)).decode()
