"""What an interruption does to a verb: one line, an exit code, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

#: What each signal is called in the line that says so.
WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Terminated(BaseException):
    """SIGTERM, on its way up like KeyboardInterrupt, so that what was begun is tidied up."""


def take_signals() -> None:
    """Let SIGTERM unwind a verb as Ctrl-C does; for a process that is ours."""
    signal.signal(signal.SIGTERM, _unwind)


def ignore_signals() -> None:
    """Nothing more to interrupt."""
    for number in WORDS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
    """End on the spot while nothing is begun that has to be tidied up.

    An exception within the import of a compiled module comes out as another one, with a traceback.
    """
    before = {number: signal.getsignal(number) for number in WORDS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _unwind(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, f"adaclip: {WORDS[signal.Signals(number)]}\n".encode())
    os._exit(128 + number)
