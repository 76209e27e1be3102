"""What the results were computed with: machine, devices, versions, code, data; collected after the last result."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

from adaclip import __version__
from adaclip.data.fetched import read_note
from adaclip.data.manifest import read_prepared
from adaclip.report.results import Results
from adaclip.report.stored import read_cost
from adaclip.system.digests import PACKAGE
from adaclip.system.files import sha256_of, write_json


def write_environment(plan_file: Path, out: Path) -> None:
    """Write the facts of `collect` as JSON.

    Raises:
        AdaclipError: a file of the plan's results is missing or damaged.
    """
    write_json(out, collect(plan_file))


def collect(plan_file: Path) -> dict[str, Any]:
    """Facts of this machine, of this code, and of the results and data of a plan.

    Args:
        plan_file: `results/plan.json`.

    Raises:
        AdaclipError: a file of the plan's results is missing or damaged.
    """
    results = Results(plan_file)
    return {
        "program": f"adaclip-bench {__version__}",
        "collected": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "code": _commit(),
        "system": {
            "python": sys.version.split()[0],
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
        },
        "devices": _devices(results),
        "packages": _packages(),
        "data": {name: _data(Path(facts["manifest"])) for name, facts in results.sets.items()},
    }


def _devices(results: Results) -> dict[str, int]:
    """How many jobs ran on each device, by its name."""
    folders = {folder for found in results.evaluations for folder in (found.folder, found.folder.parent)}
    # Baselines have no training, and so nothing in the folder of the run.
    costs = [folder / "cost.json" for folder in sorted(folders) if (folder / "cost.json").exists()]
    counts = Counter(str(read_cost(path)["device"]) for path in costs)
    return dict(sorted(counts.items()))


def _packages() -> dict[str, str]:
    """Versions of all installed packages, by name."""
    found = {installed.metadata["Name"]: installed.version for installed in metadata.distributions()}
    return dict(sorted(found.items(), key=lambda entry: entry[0].lower()))


def _processor() -> str:
    """The processor's name, which only /proc says on Linux."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _commit() -> dict[str, Any]:
    """The git commit of the code, and whether its files differ from it; both None outside a checkout."""
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "changed": None if changed is None else bool(changed)}


def _git(*arguments: str) -> str | None:
    try:
        # The package's own checkout: a run may have another working folder.
        done = subprocess.run(["git", *arguments], cwd=PACKAGE, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _data(manifest: Path) -> dict[str, Any]:
    prepared = read_prepared(manifest)
    return {
        "manifest_sha256": sha256_of(manifest),
        "source": prepared.get("source"),
        "layout": prepared.get("layout"),
        "options": prepared.get("options"),
        "archives": {archive.name: archive.sha256 for archive in read_note(Path(str(prepared.get("source"))))},
    }
