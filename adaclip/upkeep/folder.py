"""Whose a results folder is: every configuration has one of its own, and its plan says which it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adaclip.errors import AdaclipError, UsageError
from adaclip.system.files import read_json
from adaclip.system.records import FOLDER

#: What a run writes into its results folder; anything else there is somebody's own.
WRITTEN = (
    *("audit", "benchmarks", "features", "figures", "logs", "metrics", "overview", "parts", "report", "runs"),
    *(FOLDER, "tables", "plan.json", "summary.json"),
)


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
    """Raise where a results folder holds what another configuration computed, or what no run wrote.

    What a configuration does not ask for is removed from its results: nobody's own `figures` may be taken for them.

    Args:
        folder: of the results.
        configuration: file of the one that is about to run, relative to the working directory.

    Raises:
        UsageError: naming the folder, what it holds and what to do.
    """
    owner = owner_of(folder)
    if owner is None and not (Path(folder) / FOLDER).is_dir():
        # The records are begun before a run writes anything else.
        foreign = next((path for name in WRITTEN if _holds_something(path := Path(folder) / name)), None)
        if foreign is not None:
            raise UsageError(
                f"{configuration}: results: {folder} is not the results of a run, and {foreign} would be taken for "
                "what one wrote: name another folder, or move that away"
            )
    if owner not in (None, configuration):
        own = Path(configuration).stem
        raise UsageError(
            f"{configuration}: {folder} holds the results of {owner}: say `results: results/{own}` "
            f"(or another folder), or remove {Path(folder) / 'plan.json'} to let this one take the folder over"
        )


def _holds_something(path: Path) -> bool:
    """Whether a path is a file, or a folder that is not empty; what cannot be looked at is taken for one."""
    try:
        return path.is_file() or (path.is_dir() and any(path.iterdir()))
    except OSError:
        return True


def finished(root: str | Path) -> Iterator[Finished]:
    """All results folders below a folder that end in a report, the latest report first."""
    pages = sorted(Path(root).glob("**/report/index.html"), key=lambda page: page.stat().st_mtime_ns, reverse=True)
    for page in pages:
        owner = owner_of(page.parents[1])
        if owner is not None:
            yield Finished(page.parents[1], owner)
