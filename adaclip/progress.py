"""Progress bars that do not flood a log file."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def progress(total: int, title: str | None, unit: str = "image") -> tqdm[Any]:
    """A progress bar on standard error; in a log file it writes a line every 30 seconds at most.

    Args:
        total: number of units.
        title: what stands before the bar, or None for no bar.
        unit: what is counted.
    """
    interactive = sys.stderr.isatty()
    return tqdm(
        total=total,
        desc=title,
        unit=unit,
        dynamic_ncols=interactive,
        disable=title is None,
        mininterval=0.1 if interactive else 30,
        file=sys.stderr,
    )
