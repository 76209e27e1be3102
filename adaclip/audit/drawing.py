"""What the audit's figures share: equal results give equal files."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from adaclip.system.files import write_whole


def save(figure: Figure, name: str, out: Path) -> None:
    """Write a figure as SVG and PNG, with no time and no random ids in it, and close it."""
    with mpl.rc_context({"svg.hashsalt": "adaclip"}):
        for suffix, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
            with write_whole(out / f"{name}.{suffix}") as part:
                figure.savefig(part, format=suffix, dpi=150, metadata=metadata, bbox_inches="tight")
    plt.close(figure)
