"""One process at a time, across processes of one machine (and of a cluster whose file system has locks)."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from adaclip.errors import AdaclipError


@contextlib.contextmanager
def alone(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock file `path` while the block runs; the system lets go of it when the process dies.

    Args:
        path: a file of its own, made and removed again; its folder is made.
        waiting: called once when another process holds the lock.

    Raises:
        AdaclipError: the folder cannot be written.
    """
    handle = _take(path, waiting)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        os.close(handle)


def _take(path: Path, waiting: Callable[[], None] | None) -> int:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise AdaclipError(f"cannot write into {path.parent}: {error.strerror or error}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting is not None:
                waiting()
                waiting = None
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            # A file system without locks: better to go on than to refuse the work.
            return handle
        # The one before us removed the file when it was done; a lock on a removed file locks nobody out.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(handle)):
                return handle
        os.close(handle)
