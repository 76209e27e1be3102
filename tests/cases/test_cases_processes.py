"""Processes end with the one that they work for, and an interruption is one line."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from adaclip.cli import main
from tests.killing import Command, content, launch, start
from tests.sets import write_set
from tests.workflow.project import draw_original

BACKBONE = json.dumps({"model": "tiny", "image_size": 56})


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original") / "own"
    draw_original(folder, seed=0, category="bolt", images=240)
    return folder


def prepare(original: Path, out: Path) -> Command:
    verb = start("data", "prepare", "own", "--raw", str(original), "--out", str(out), "--jobs", "2")
    verb.wait_for_company()
    return verb


def test_a_killed_preparation_leaves_no_process(original: Path, tmp_path: Path) -> None:
    verb = prepare(original, tmp_path / "set")
    verb.end(signal.SIGKILL)
    assert verb.left() == set()
    assert not (tmp_path / "set").exists()
    # What it left of its work is hidden, and the next one removes it.
    assert list(tmp_path.iterdir())
    assert main(["data", "prepare", "own", "--raw", str(original), "--out", str(tmp_path / "set"), "--jobs", "1"]) == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize("verb", [["overview"], ["audit", "fingerprint"]], ids=["overview", "audit"])
def test_killed_looks_at_a_set_leave_no_process(verb: list[str], tmp_path: Path) -> None:
    manifest = write_set(tmp_path / "many", "many", normal=150, anomalous=150, width=96, height=96)
    started = start(*verb, "--manifest", str(manifest), "--out", str(tmp_path / "out.csv"), "--jobs", "2")
    started.wait_for_company()
    started.end(signal.SIGKILL)
    assert started.left() == set()


def test_killed_features_leave_no_process(tmp_path: Path) -> None:
    """PyTorch's own watch-dog looks every five seconds."""
    manifest = write_set(tmp_path / "toy", "toy", normal=100, anomalous=100)
    out = tmp_path / "toy.safetensors"
    runtime = ["--device", "cpu", "--workers", "2"]
    verb = start("features", "--backbone", BACKBONE, "--manifest", str(manifest), "--out", str(out), *runtime)
    verb.wait_for_company()
    time.sleep(0.1)
    verb.end(signal.SIGKILL)
    assert verb.left() == set()
    assert not out.exists()


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")]
)
def test_an_interruption_is_one_line_and_leaves_nothing(
    number: signal.Signals, code: int, word: str, original: Path, tmp_path: Path
) -> None:
    verb = prepare(original, tmp_path / "set")
    assert verb.end(number) == (code, f"adaclip: {word}\n")
    assert verb.left(0) == set()
    assert content(tmp_path) == {}


def test_ctrl_c_reaches_the_whole_group(original: Path, tmp_path: Path) -> None:
    """A terminal interrupts every process of a verb at the same time."""
    verb = prepare(original, tmp_path / "set")
    os.killpg(verb.process.pid, signal.SIGINT)
    _, said = verb.process.communicate(timeout=30)
    assert (verb.process.returncode, said) == (130, "adaclip: interrupted\n")
    assert verb.left(0) == set()


def test_a_process_that_is_killed_alone_is_one_line(original: Path, tmp_path: Path) -> None:
    """As the kernel does when memory is short."""
    verb = prepare(original, tmp_path / "set")
    os.kill(next(iter(verb.running() - {verb.process.pid})), signal.SIGKILL)
    _, said = verb.process.communicate(timeout=30)
    assert verb.process.returncode == 1
    assert said.count("\n") == 1
    assert "--jobs 1" in said
    assert verb.left() == set()


def test_a_verb_ends_when_its_workflow_is_killed(original: Path, tmp_path: Path) -> None:
    """Between the two stands a shell, so the verb's parent lives on."""
    words = f"data prepare own --raw {original} --out {tmp_path / 'set'} --jobs 2"
    shell = f"export ADACLIP_WORKFLOW_PID=$PPID; {sys.executable} -m adaclip.cli {words}; true"
    workflow = "import subprocess, sys; subprocess.run(['bash', '-c', sys.argv[1]])"
    verb = launch([sys.executable, "-c", workflow, shell])
    verb.wait_for_company(4)  # workflow, shell, verb, and what it starts
    verb.end(signal.SIGKILL)
    assert verb.left() == set()
    assert not (tmp_path / "set").exists()
