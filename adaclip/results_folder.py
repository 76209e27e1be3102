"""Whose a results folder is: every configuration has one of its own, and its plan says which it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adaclip.errors import AdaclipError, UsageError
from adaclip.files import read_json


@dataclass(frozen=True)
class Finished:
    """A results folder with a report, and the configuration file that it was made from."""

    folder: Path
    configuration: str


def owner_of(folder: str | Path) -> str | None:
    """The configuration file whose results stand in a folder.

    Args:
        folder: a results folder, which need not exist.

    Returns:
        The file as it was given, relative to the working directory; None for a folder without a plan that can be read.
    """
    try:
        plan = read_json(Path(folder) / "plan.json")
    except AdaclipError:
        return None
    owner = plan.get("configuration") if isinstance(plan, dict) else None
    return owner if isinstance(owner, str) else None


def refuse_other(folder: str | Path, configuration: str) -> None:
    """Raise where a results folder holds what another configuration computed.

    Args:
        folder: of the results.
        configuration: file of the one that is about to run, relative to the working directory.

    Raises:
        UsageError: naming the folder, both files and what to do.
    """
    owner = owner_of(folder)
    if owner not in (None, configuration):
        own = Path(configuration).stem
        raise UsageError(
            f"{configuration}: {folder} holds the results of {owner}: say `results: results/{own}` "
            f"(or another folder), or remove {Path(folder) / 'plan.json'} to let this one take the folder over"
        )


def finished(root: str | Path) -> Iterator[Finished]:
    """All results folders below a folder that end in a report, the latest report first."""
    pages = sorted(Path(root).glob("**/report/index.html"), key=lambda page: page.stat().st_mtime_ns, reverse=True)
    for page in pages:
        owner = owner_of(page.parents[1])
        if owner is not None:
            yield Finished(page.parents[1], owner)
