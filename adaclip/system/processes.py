"""Processes that never outlive the one they work for."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import wait

#: Names the process of the workflow that a verb works for; the workflow's shell sets it.
WORKFLOW = "ADACLIP_WORKFLOW_PID"
#: Seconds that a verb has to tidy up when its workflow is gone.
GRACE = 1.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Keep an interruption waiting while processes are started: they inherit this, and none is met half-made."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent(parent: int) -> None:
    """In a process that was just started to work for another: end at once when that one does, however it ends.

    On Linux the kernel sees to it. Everywhere a thread waits for the end of a pipe that the parent holds, which also
    serves where the kernel's way is forbidden. The keyboard's interruption is the parent's to answer.

    Args:
        parent: its process id, asked before this process was started.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have died before the kernel was asked.
    if os.getppid() != parent:
        os._exit(1)
    started_by = multiprocessing.parent_process()
    if started_by is not None:
        threading.Thread(target=_follow, args=(started_by.sentinel,), name="end-with-parent", daemon=True).start()


def _follow(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def end_with_workflow() -> None:
    """End this process when the workflow that started it is gone: nobody waits for what it computes any more.

    A Snakemake that is killed leaves its jobs running, and the next one would start them a second time beside them.
    Does nothing where no workflow says that it is one (environment variable `WORKFLOW`).
    """
    named = os.environ.get(WORKFLOW, "")
    if not named.isdigit():
        return
    threading.Thread(target=_follow_workflow, args=(int(named),), name="end-with-workflow", daemon=True).start()


def _follow_workflow(workflow: int) -> None:
    try:
        handle = os.pidfd_open(workflow)
    except ProcessLookupError:
        pass
    except (OSError, AttributeError):  # another system, or an old kernel
        while is_alive(workflow):
            time.sleep(GRACE / 2)
    else:
        select.select([handle], [], [])
    os.kill(os.getpid(), signal.SIGTERM)
    # The main thread may be in a computation that hears nothing for long.
    time.sleep(GRACE)
    os._exit(128 + signal.SIGTERM)


def is_alive(pid: int) -> bool:
    """Whether a process of this machine has this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
