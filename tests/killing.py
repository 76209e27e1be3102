"""Commands in processes of their own, ended at chosen moments, and what they leave running."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

#: Carries an id that every process of a verb inherits.
MARK = "ADACLIP_TEST_MARK"


@dataclass(frozen=True)
class Command:
    """A program that runs.

    Attributes:
        process: its own process.
        mark: what all its processes have in their environment.
    """

    process: subprocess.Popen[str]
    mark: str

    def running(self) -> set[int]:
        """Ids of its processes, its own and those that were started by it."""
        wanted = f"{MARK}={self.mark}".encode()
        found = set()
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    if wanted in (folder / "environ").read_bytes():
                        found.add(int(folder.name))
        return found

    def end(self, number: signal.Signals = signal.SIGKILL) -> tuple[int, str]:
        """Send its own process a signal; gives its exit code and what it said on standard error."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said

    def left(self, seconds: float = 2) -> set[int]:
        """Ids of processes that are still there after so long; they are ended now."""
        end = time.monotonic() + seconds
        while (found := self.running()) and time.monotonic() < end:
            time.sleep(0.02)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return found

    def wait_for_company(self, processes: int = 2, seconds: float = 60) -> None:
        """Until so many processes are there."""
        end = time.monotonic() + seconds
        while len(self.running()) < processes:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < end, "no other process was started"
            time.sleep(0.01)


def launch(command: list[str]) -> Command:
    """Start a program in a session of its own."""
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        command,
        env={**os.environ, MARK: mark, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return Command(process, mark)


def start(*arguments: str) -> Command:
    """Start a verb of `adaclip`."""
    return launch([sys.executable, "-m", "adaclip.cli", *arguments])


def run(arguments: list[str]) -> float:
    """A verb to its good end; gives its seconds."""
    started = time.monotonic()
    verb = start(*arguments)
    _, said = verb.process.communicate(timeout=300)
    assert verb.process.returncode == 0, said
    return time.monotonic() - started


def content(folder: Path, *leave_out: str) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too, but for those of these names."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in leave_out
    }
