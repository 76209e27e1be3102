"""What stands in a results folder that its configuration no longer asks for: figures and tables of another run."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaclip.errors import AdaclipError
from adaclip.plan.resolve import targets
from adaclip.report import series
from adaclip.report.file_names import figure_names, metric_names, table_names
from adaclip.system import records


@dataclass(frozen=True)
class Stale:
    """Files and folders that a plan does not ask for.

    Attributes:
        cheap: tables, figures, metrics and the like: made again in seconds, and wrong beside another plan's.
        costly: checkpoints, evaluations and features, which nothing shows any more.
    """

    cheap: tuple[Path, ...]
    costly: tuple[Path, ...]


def find_stale(plan: Mapping[str, Any], folder: Path) -> Stale:
    """What a results folder holds that a plan does not ask for.

    Args:
        plan: as in plan.json.
        folder: of its results; hidden files, logs and what is not ours are left alone.
    """
    audit = folder / "audit" / "fingerprints"
    wanted: list[tuple[Path, set[str]]] = [
        (folder / "tables", set(table_names(plan))),
        (folder / "metrics", set(metric_names(plan))),
        (folder / "figures", {*figure_names(plan), "panels"}),
        (folder / "figures" / "panels", set(series.shown(plan))),
        (folder / "parts", set(targets(plan))),
        (folder / "overview", set(plan["sets"])),
        (audit, {f"{name}.csv" for name in plan["sets"]}),
    ]
    return Stale(tuple(_others(wanted)), tuple(_others(_costly(plan, folder))))


def _costly(plan: Mapping[str, Any], folder: Path) -> Iterator[tuple[Path, set[str]]]:
    asked: dict[str, dict[str, set[str]]] = {}
    features: dict[str, set[str]] = {}
    for experiment in plan["experiments"]:
        run = asked.setdefault(experiment["run"], {})
        for seed in experiment["seeds"]:
            run.setdefault(f"seed-{seed}", set()).update(experiment["evaluate"])
        if experiment["features"]:
            chosen = [experiment["selection"]] if experiment["selection"] else []
            used = (*experiment["auxiliary"], *experiment["evaluate"], *chosen)
            features.setdefault(experiment["features"], set()).update(f"{name}.safetensors" for name in used)
    yield folder / "runs", set(asked)
    for run_name, seeds in asked.items():
        yield folder / "runs" / run_name, set(seeds)
        for seed_name, sets in seeds.items():
            own = {"checkpoint.safetensors", "history.csv", "cost.json"}
            yield folder / "runs" / run_name / seed_name, sets | own
    yield folder / "features", set(features)
    for name, files in features.items():
        yield folder / "features" / name, files


def _others(wanted: Iterable[tuple[Path, set[str]]]) -> Iterator[Path]:
    for folder, names in wanted:
        if folder.is_dir():
            yield from sorted(
                entry for entry in folder.iterdir() if entry.name not in names and not entry.name.startswith(".")
            )


def remove_all(paths: Iterable[Path]) -> None:
    """Remove files and folders of results or data, with what was recorded of them.

    Raises:
        AdaclipError: one cannot be removed.
    """
    for path in paths:
        root = records.root_of(path)
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
                if root is not None:
                    shutil.rmtree(root / records.FOLDER / path.absolute().relative_to(root), ignore_errors=True)
            else:
                records.forget(path)
                path.unlink(missing_ok=True)
        except OSError as error:
            raise AdaclipError(f"cannot remove {path}: {error.strerror or error}") from error


def tidy(plan: Mapping[str, Any], folder: Path, configuration: str) -> list[str]:
    """Remove what is stale and cheap from a results folder; say so, and name what is stale and costly.

    Args:
        plan: as in plan.json, of the run that begins.
        folder: of its results.
        configuration: its file.

    Returns:
        Lines for the user, none when nothing is stale.
    """
    stale = find_stale(plan, folder)
    remove_all(stale.cheap)
    said = []
    if stale.cheap:
        named = _few(path.relative_to(folder).as_posix() for path in stale.cheap)
        said.append(f"{folder}: removed what {configuration} no longer asks for: {named}")
    if stale.costly:
        named = _few(path.relative_to(folder).as_posix() for path in stale.costly)
        said.append(
            f"{folder}: {configuration} no longer asks for {named}; they stay until you say "
            f"adaclip clean {configuration} --remove"
        )
    return said


def _few(names: Iterable[str], shown: int = 5) -> str:
    listed = list(names)
    more = len(listed) - shown
    return ", ".join(listed[:shown]) + (f" and {more} more" if more > 0 else "")
