"""What the results were computed with: machine, versions, code, configuration, data. Written beside the page."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from adaclip import __version__
from adaclip.data.manifest import read_prepared
from adaclip.files import sha256_of
from adaclip.provenance import PACKAGE

#: Packages that figures can depend on.
PACKAGES = (
    "torch",
    "torchvision",
    "open_clip_torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "pillow",
    "tifffile",
    "imagecodecs",
    "ImageHash",
    "safetensors",
    "snakemake",
    "dvc",
    "matplotlib",
    "seaborn",
)


def collect(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of this machine, of this code, and of the data of a plan.

    Args:
        plan: `results/plan.json`.
    """
    return {
        "program": f"adaclip-bench {__version__}",
        "code": _commit(),
        "system": {
            "python": sys.version.split()[0],
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
        },
        "packages": {name: _version(name) for name in PACKAGES},
        "data": {name: _data(Path(facts["manifest"])) for name, facts in plan["sets"].items()},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """The processor's name, which only /proc says on Linux."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
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
    }
