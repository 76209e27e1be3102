"""Whether a results folder still holds what was written into it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from adaclip.errors import AdaclipError
from adaclip.report.file_names import figure_names, metric_names, table_names
from adaclip.system import records
from adaclip.system.faults import Checked, Fault, digest_of
from adaclip.system.files import read_json, sha256_of
from adaclip.system.pool import each

#: Folders of what Snakemake writes for people to read: nothing is made from it, and nobody makes it again by itself.
DIARIES = ("logs", "benchmarks")
#: What the verbs write, besides the tables and figures that a plan names.
_WRITTEN = re.compile(
    "|".join(
        (
            r"(plan|summary)\.json",
            r"runs/[^/]+/seed-\d+/(checkpoint\.safetensors|history\.csv|cost\.json)",
            r"runs/[^/]+/seed-\d+/[^/]+/(scores\.csv|metrics\.json|curves\.json|panels\.npz|cost\.json)",
            r"features/[^/]+/[^/]+\.safetensors",
            r"overview/[^/]+/(overview\.json|thumbnails/\d+_\w+\.webp)",
            r"audit/(fingerprints/[^/]+\.csv|(pairs|groups)\.csv|leakage\.json)",
            r"audit/(tables|figures)/(index\.json|audit_\w+\.\w+)",
            r"figures/panels/[^/]+/(index\.json|panels_[^/]+)",
            r"report/(index\.html|provenance\.json)",
            r"parts/[^/]+/((plan|summary)\.json|(tables|figures)/[^/]+)",
        )
    )
)


def verify_results(root: Path, jobs: int | None = None) -> Checked:
    """Compare every file of a results folder with what was recorded when it was written.

    Args:
        root: the folder.
        jobs: processes that read; default one for each core.

    Raises:
        AdaclipError: no such folder, or one without records.
    """
    if not root.is_dir():
        raise AdaclipError(f"no such folder: {root}")
    if not (root / records.FOLDER).is_dir():
        raise AdaclipError(
            f"{root} has no folder {records.FOLDER} with the digests of its files: it is no results folder, "
            "or an earlier version wrote it (run snakemake again)"
        )
    found = verify_recorded(root, jobs)
    named = _named(root)
    others = 0
    for path in _files(root):
        relative = PurePosixPath(path.relative_to(root).as_posix())
        if records.record_of(root, path).is_file():
            continue
        if str(relative) in named or _WRITTEN.fullmatch(str(relative)):
            what = "not recorded: nobody can say whether it is what was written"
            found.faults.append(Fault(path, what, made_with(root, path)))
        else:
            others += 1
    if others:
        found.notes.append(f"files in {root} that this program did not write: {others}, not looked at")
    return found


def verify_recorded(root: Path, jobs: int | None = None) -> Checked:
    """Compare every file that has a record below `root` with it."""
    paths = list(records.recorded(root))
    found = Checked(len(paths))
    for path, digest in zip(paths, each(digest_of, paths, jobs), strict=True):
        if digest == "":
            found.faults.append(Fault(path, "missing", made_with(root, path)))
            continue
        fault = records.fault_of(path, digest)
        if fault:
            found.faults.append(Fault(path, f"damaged: {fault}", made_with(root, path)))
    return found


def record_diaries(root: str | Path) -> None:
    """Record the logs and benchmarks of a results folder that are not recorded, when no job is running."""
    for folder in DIARIES:
        for path in sorted((Path(root) / folder).rglob("*")):
            if path.is_file() and not records.record_of(Path(root), path).is_file():
                with contextlib.suppress(OSError):
                    records.remember(path, sha256_of(path))


def made_with(root: Path, path: Path) -> tuple[Path, ...]:
    """Files that a job has to lack so that Snakemake runs it and makes `path` again, which is none of its outputs."""
    parts = path.relative_to(root).parts
    if parts[0] == "overview" and len(parts) > 2:
        return (root / "overview" / parts[1] / "overview.json",)
    if parts[0] == "parts" and len(parts) > 2:
        return (root / "parts" / parts[1] / "tables" / "index.json",)
    if parts[:2] == ("audit", "figures"):
        return (root / "audit" / "figures" / "index.json",)
    return ()


def parts_of(root: Path, faults: list[Fault]) -> list[str]:
    """Targets of the workflow that `all` does not make and that have a fault: tables and curves made by themselves."""
    places = (fault.path.relative_to(root).parts for fault in faults if fault.path.is_relative_to(root))
    return list(dict.fromkeys(parts[1] for parts in places if parts[0] == "parts" and len(parts) > 2))


def _named(root: Path) -> set[str]:
    """Tables, averages and figures that the folder's plan names; none when it cannot be read."""
    try:
        plan = read_json(root / "plan.json")
        places = {"tables": table_names(plan), "metrics": metric_names(plan), "figures": figure_names(plan)}
    except (AdaclipError, KeyError, TypeError):
        return set()
    return {f"{folder}/{name}" for folder, names in places.items() for name in names}


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        top = Path(folder) == root
        skipped = (records.FOLDER, *DIARIES) if top else ()
        own = (name for name in folders if not (Path(folder) / name / records.FOLDER).is_dir())
        folders[:] = sorted(name for name in own if name not in skipped and not name.startswith("."))
        yield from (Path(folder) / name for name in sorted(names) if not name.startswith("."))
