"""The rules of audit and overviews, with real Snakemake on small folders of images."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

pytestmark = pytest.mark.workflow

ROOT = Path(__file__).parents[2]
METRICS = "results/runs/probe/seed-0/two/metrics.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sets of labelled folders, `one` (auxiliary) and `two`, that share an image."""
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        for kind in ("good", "bad"):
            for index in range(3):
                path = tmp_path / "photos" / name / kind / f"{index}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8)).save(path)
    (tmp_path / "photos/two/bad/0.png").write_bytes((tmp_path / "photos/one/bad/2.png").read_bytes())
    return tmp_path


def configure(folder: Path, **keys: object) -> None:
    config = {
        "results": "results",
        "sets": ["one", "two"],
        "datasets": {name: {"raw": f"photos/{name}", "title": name.upper()} for name in ("one", "two")},
        "backbones": {"tiny": {"model": "tiny", "image_size": 56}},
        "defaults": {"train": {"epochs": 1}},
        "runtime": {"device": "cpu", "threads": 1, "workers": 0},
        "experiments": {"probe": {"auxiliary": ["one"]}},
        **keys,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def snakemake(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", *words, "--snakefile", ROOT / "Snakefile"]
    command += ["--directory", folder, "--cores", "1", "--configfile", folder / "config.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_audit_and_overview(folder: Path) -> None:
    configure(folder)
    done = snakemake(folder, "results/audit/leakage.json", "results/overview/one/overview.json")
    assert done.returncode == 0, done.stderr
    leakage = json.loads((folder / "results/audit/leakage.json").read_text())
    shared = {"identical": ["images/one/test/bad/2.png"], "near": []}
    assert leakage["overlaps"]["one"] == {"two": shared}
    tables = json.loads((folder / "results/audit/tables/index.json").read_text())
    assert [row[0] for row in tables[0]["rows"]] == ["ONE", "TWO"]
    overview = json.loads((folder / "results/overview/one/overview.json").read_text())
    assert overview["title"] == "ONE"
    for example in overview["categories"][0]["examples"]:
        assert (folder / "results/overview/one" / example["file"]).is_file()


@pytest.mark.parametrize(
    ("mode", "flags"),
    [
        ("warn", "--leakage  --overlap warn"),
        ("deduplicate", "--leakage results/audit/leakage.json --overlap deduplicate"),
        ("refuse", "--leakage results/audit/leakage.json --overlap refuse"),
    ],
)
def test_evaluations_wait_for_the_audit_only_where_they_ask_it(folder: Path, mode: str, flags: str) -> None:
    configure(folder, leakage=mode)
    planned = snakemake(folder, "--dry-run", "--printshellcmds", METRICS)
    assert planned.returncode == 0, planned.stderr
    jobs = set(re.findall(r"^(?:local)?rule (\w+):", planned.stdout, re.MULTILINE))
    assert "evaluate" in jobs
    assert ("audit" in jobs) is (mode != "warn")
    command = next(line for line in planned.stdout.splitlines() if "adaclip evaluate" in line)
    assert flags in command
