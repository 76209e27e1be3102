"""One at a time, across processes; a dead process holds nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from adaclip.errors import AdaclipError
from adaclip.system.locking import alone

HOLD = """
import sys, pathlib, adaclip.system.locking as l
with l.alone(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    input()
"""
ADD = """
import sys, pathlib, adaclip.system.locking as l
path = pathlib.Path(sys.argv[1])
for _ in range(50):
    with l.alone(path.with_name('.lock')):
        path.write_text(str(int(path.read_text()) + 1))
"""


def hold(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_one_waits_for_the_first(tmp_path: Path) -> None:
    with hold(tmp_path / "deep/lock") as process:
        told: list[int] = []

        def waiting() -> None:
            told.append(1)
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.close()

        with alone(tmp_path / "deep/lock", waiting):
            assert told == [1]
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    with hold(tmp_path / "lock") as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with alone(tmp_path / "lock", lambda: pytest.fail("nobody holds it")):
            pass
    assert list(tmp_path.iterdir()) == []


def test_no_turn_is_lost(tmp_path: Path) -> None:
    """Also while the file of the lock comes and goes."""
    counter = tmp_path / "count"
    counter.write_text("0")
    processes = [subprocess.Popen([sys.executable, "-c", ADD, str(counter)]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert counter.read_text() == "200"
    assert list(tmp_path.iterdir()) == [counter]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AdaclipError, match="cannot write into"), alone(tmp_path / "file/lock"):
        pass
