"""A verb that is killed leaves no process, and what the next run makes is what an undisturbed one makes."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.killing import MARK, Command, content, run, start
from tests.sets import write_set
from tests.workflow.project import draw_original, make_project

# Each runs its verb twenty times.
pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("killed"), pytest.mark.timeout(1800)]

MOMENTS = 10
BACKBONE = json.dumps({"model": "tiny", "image_size": 56})
RUNTIME = ["--device", "cpu", "--threads", "1", "--workers", "2"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An original, prepared sets, features of two of them, and a checkpoint."""
    folder = tmp_path_factory.mktemp("inputs")
    draw_original(folder / "original", seed=0, category="bolt", images=96)
    write_set(folder / "many", "many", normal=100, anomalous=100, width=128, height=128)
    for name in ("alpha", "beta"):
        write_set(folder / name, name, normal=20, anomalous=20)
        run([*features(folder, name), "--out", str(folder / f"{name}.safetensors")])
    run([*train(folder), "--out", str(folder / "checkpoint.safetensors")])
    return folder


def prepare(inputs: Path) -> list[str]:
    return ["data", "prepare", "own", "--raw", str(inputs / "original"), "--jobs", "2"]


def overview(inputs: Path) -> list[str]:
    return ["overview", "--manifest", str(inputs / "many/manifest.csv"), "--jobs", "2"]


def audit(inputs: Path) -> list[str]:
    return ["audit", "fingerprint", "--manifest", str(inputs / "many/manifest.csv"), "--jobs", "2"]


def features(inputs: Path, name: str = "beta") -> list[str]:
    return ["features", "--backbone", BACKBONE, "--manifest", str(inputs / name / "manifest.csv"), *RUNTIME]


def train(inputs: Path) -> list[str]:
    settings = {"epochs": 1, "batch_size": 8}
    model = {"prompt_depth": 2, "clusters": 2}
    chosen = ["--backbone", BACKBONE, "--model", json.dumps(model), "--train", json.dumps(settings)]
    read = ["--manifest", str(inputs / "alpha/manifest.csv"), "--features", str(inputs / "alpha.safetensors")]
    return ["train", *chosen, *read, *RUNTIME]


def evaluate(inputs: Path) -> list[str]:
    read = ["--manifest", str(inputs / "beta/manifest.csv"), "--features", str(inputs / "beta.safetensors")]
    settings = ["--evaluation", json.dumps({"size": 56})]
    return ["evaluate", "--checkpoint", str(inputs / "checkpoint.safetensors"), *settings, *read, *RUNTIME]


@pytest.mark.parametrize(
    ("verb", "out"),
    [
        (prepare, "set"),
        (overview, "overview"),
        (audit, "prints.csv"),
        (features, "beta.safetensors"),
        (train, "checkpoint.safetensors"),
        (evaluate, "beta"),
    ],
    ids=["prepare", "overview", "audit", "features", "train", "evaluate"],
)
def test_killed_at_ten_moments(verb: Callable[[Path], list[str]], out: str, inputs: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    arguments = [*verb(inputs), "--out", str(work / out)]
    seconds = run(arguments)
    # What it cost is another figure each time.
    undisturbed = content(work, "cost.json")
    assert undisturbed
    drawn = random.Random(verb.__name__)
    for moment in range(MOMENTS + 1):
        # Every other time over what stands there from before.
        if moment % 2 == 0:
            shutil.rmtree(work)
            work.mkdir()
        started = start(*arguments)
        if moment < MOMENTS:
            # A third of the time goes into loading libraries, where there is little to break.
            time.sleep(seconds * (0.2 + 0.78 * (moment + drawn.random()) / MOMENTS))
        else:
            started.wait_for_company()
        started.end()
        assert started.left() == set(), f"left running after moment {moment}"
        for name, found in content(work, "cost.json").items():
            # Half-written files are hidden, whatever is not is whole.
            assert name[0] == "." or "/." in name or found == undisturbed[name], name
        run(arguments)
        assert content(work, "cost.json") == undisturbed, f"other bytes after moment {moment}"


def test_jobs_end_with_a_snakemake_that_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two stands a shell, and Snakemake itself ends none of its jobs then."""
    mark = "a-killed-snakemake"
    monkeypatch.setenv(MARK, mark)
    project = make_project(tmp_path / "project")
    process = project.start("--cores", "1", "data/prepared/alpha/manifest.csv", "data/prepared/beta/manifest.csv")
    command = Command(process, mark)
    command.wait_for_company(3)  # Snakemake, a shell, and the verb
    command.end()
    assert command.left() == set()
    project.run("--unlock")
    project.run("--cores", "1", "data/prepared/alpha/manifest.csv", "data/prepared/beta/manifest.csv")
