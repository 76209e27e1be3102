"""The same work on many files, by several processes when it is worth it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from adaclip.progress import progress

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

    Args:
        function: a module's function, so that other processes find it.
        items: what it is called with.
        jobs: processes; default one for each core.
        title: of a progress bar, or None for none.
        unit: what the bar counts.

    Raises:
        Exception: what `function` raised first; no further item is begun.
    """
    jobs = jobs or os.cpu_count() or 1
    with progress(len(items), title, unit) as bar:
        found = []
        if jobs == 1 or len(items) < POOL_FROM:
            for item in items:
                found.append(function(item))
                bar.update()
            return found
        with ProcessPoolExecutor(jobs) as pool:
            # Parts so small that no process is left waiting for the last one.
            chunk = max(1, min(16, len(items) // (8 * jobs)))
            for result in pool.map(function, items, chunksize=chunk):
                found.append(result)
                bar.update()
        return found
