"""How many threads and processes a job takes, by what the machine leaves to it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from adaclip.errors import UsageError
from adaclip.plan.config import parse_config
from adaclip.system import cores

EXPERIMENT = {"experiments": {"one": {"auxiliary": ["mvtec"], "evaluate": ["visa"]}}}


def runtime(**given: object) -> dict[str, object]:
    config = {"backbones": {"tiny": {"model": "tiny", "image_size": 56}}, **EXPERIMENT, "runtime": given}
    return dict(parse_config(config, "config.yaml").runtime)


@pytest.mark.parametrize(
    ("given", "available", "threads", "readers"),
    [
        ({}, 16, 4, 4),
        ({}, 2, 2, 2),
        ({"device": "cpu"}, 16, 1, 4),
        ({"device": "cuda"}, 1, 1, 1),
        ({"threads": 7}, 2, 7, 7),
        ({"threads": "auto", "device": "cpu"}, 2, 1, 2),
    ],
)
def test_what_a_job_takes(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, object], available: int, threads: int, readers: int
) -> None:
    monkeypatch.setattr(cores, "cores", lambda: available)
    assert cores.threads_of_a_model(runtime(**given)) == threads
    assert cores.processes_of_a_reader(runtime(**given)) == readers


@pytest.mark.parametrize(("key", "value"), [("threads", 0), ("threads", "all"), ("workers", -1), ("workers", 1.5)])
def test_a_wrong_number_says_what_may_stand_there(key: str, value: object) -> None:
    with pytest.raises(UsageError, match=f'runtime.{key}: .*a number or "auto"'):
        runtime(**{key: value})


def test_only_the_cores_that_are_ours_are_counted() -> None:
    script = (
        "import os; from adaclip.system.cores import cores; "
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(cores())"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "1\n"


def test_threads_sleep_while_they_wait_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    cores.wait_passively()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    cores.wait_passively()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
