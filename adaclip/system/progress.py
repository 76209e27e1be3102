"""Progress bars that do not flood a log file."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def progress(total: int | None, title: str | None, unit: str = "image", done: int = 0) -> tqdm[Any]:
    """A progress bar on standard error; in a log file it writes a line every 30 seconds at most.

    Nothing is shown of what takes less than a second. Use it in a `with` statement, so that an error starts a new line.

    Args:
        total: number of units, or None when it is not known.
        title: what stands before the bar, or None for no bar.
        unit: what is counted; bytes ("B") are shown as kB, MB, GB.
        done: how many were done before.
    """
    interactive = sys.stderr.isatty()
    return tqdm(
        total=total,
        desc=title,
        unit=unit,
        unit_scale=unit == "B",
        initial=done,
        dynamic_ncols=interactive,
        disable=title is None,
        mininterval=0.1 if interactive else 30,
        delay=1,
        file=sys.stderr,
    )
