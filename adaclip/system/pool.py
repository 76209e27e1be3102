"""The same work on many files, by several processes when it is worth it."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from adaclip.errors import AdaclipError
from adaclip.system.cores import cores
from adaclip.system.processes import end_with_parent, signals_held
from adaclip.system.progress import progress

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

#: Fewer items than this are worked on without starting processes.
POOL_FROM = 32


def each(
    function: Callable[[_Item], _Result],
    items: Sequence[_Item],
    jobs: int | None = None,
    title: str | None = None,
    unit: str = "image",
) -> list[_Result]:
    """What `function` gives for each item, in order.

    The processes end with this one, also when it is killed.

    Args:
        function: a module's function, so that other processes find it.
        items: what it is called with.
        jobs: processes; default one for each core that this process may use.
        title: of a progress bar, or None for none.
        unit: what the bar counts.

    Raises:
        Exception: what `function` raised first; no further item is begun.
        AdaclipError: one of the processes was killed.
    """
    jobs = jobs or cores()
    if jobs == 1 or len(items) < POOL_FROM:
        return _gather(map(function, items), len(items), title, unit)
    with _pool(jobs) as pool:
        # Parts so small that no process is left waiting for the last one.
        chunk = max(1, min(16, len(items) // (8 * jobs)))
        with signals_held():
            # Starts all processes, before the bar starts a thread: what a thread holds stays held in a forked process.
            results = pool.map(function, items, chunksize=chunk)
        return _gather(results, len(items), title, unit)


def _gather(results: Iterable[_Result], total: int, title: str | None, unit: str) -> list[_Result]:
    found = []
    with progress(total, title, unit) as bar:
        for result in results:
            found.append(result)
            bar.update()
    return found


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that are gone when the block is left; at once when it is left by an error or an interruption."""
    # A new interpreter would cost a small set more than its decoding; macOS' own libraries cannot be forked.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(jobs, context, end_with_parent, (os.getpid(),)) as pool:
        try:
            yield pool
        except BaseException as error:
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
            if isinstance(error, BrokenProcessPool):
                raise AdaclipError(
                    f"one of the {jobs} processes was killed from outside, most likely for want of memory: "
                    "free some, or use fewer processes (--jobs 1)"
                ) from error
            raise
