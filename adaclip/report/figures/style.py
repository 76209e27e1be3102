"""How figures look and are saved: for print, for any colour vision, and the same bytes for the same results."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from adaclip.report.document import FigureDoc, Section
from adaclip.report.figures.words import Origin
from adaclip.report.results import SIMULATED
from adaclip.system.files import write_whole

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_T = TypeVar("_T")
#: Okabe and Ito's colours, told apart with any kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
HATCHES = ("", "///", "...", "xx", "\\\\\\", "++", "oo")
_COORDINATES = re.compile(r' (?:d|x|y)="[^"]*"')
_DECIMALS = re.compile(r"(\.\d\d)\d+")
NORMAL, ANOMALOUS = COLOURS[0], COLOURS[1]
GREY = "0.55"
#: Width in inches of a page's text; no letter is smaller than 7 points at this width.
WIDTH = 7.0
SMALL, NORMAL_SIZE = 7, 8
DPI = 200


@dataclass(frozen=True)
class Drawn:
    """A figure and its words; `empty` where there is nothing to draw but the reason, which no page needs."""

    figure: Figure
    title: str
    caption: str
    alt: str
    origin: Origin = field(default_factory=Origin)
    rules: str = ""
    empty: bool = False
    section: Section = "measured"

    def document(self, name: str) -> FigureDoc:
        """For the index."""
        return FigureDoc(
            name,
            self.title,
            " ".join(filter(None, [self.caption, self.origin.protocol])),
            self.alt,
            self.section,
            rules=self.rules,
            source=self.origin.source,
            settings=self.origin.settings,
        )


def use_theme() -> None:
    """Set sizes and colours for all figures that are made from now on."""
    sns.set_theme(style="whitegrid", context="paper", palette=COLOURS)
    mpl.rcParams.update(
        {
            # Equal results give equal files: no time, no random ids.
            "svg.hashsalt": "adaclip",
            "figure.dpi": 100,
            "path.simplify": True,
            "path.simplify_threshold": 0.3,
            "font.size": NORMAL_SIZE,
            "axes.titlesize": NORMAL_SIZE,
            "axes.labelsize": NORMAL_SIZE,
            "xtick.labelsize": SMALL,
            "ytick.labelsize": SMALL,
            "legend.fontsize": SMALL,
            "legend.title_fontsize": SMALL,
            "figure.labelsize": NORMAL_SIZE,
            "figure.titlesize": NORMAL_SIZE,
            "axes.linewidth": 0.6,
            "grid.linewidth": 0.4,
            "hatch.linewidth": 0.5,
            "lines.linewidth": 1.2,
            "lines.markersize": 3.5,
            "axes.titlepad": 3,
            "axes.labelpad": 2,
            "xtick.major.pad": 1.5,
            "ytick.major.pad": 1.5,
        }
    )


def save(figure: Figure, folder: Path, stem: str) -> None:
    """Write `<stem>.svg` and `<stem>.png` and let go of the figure."""
    for suffix, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
        with write_whole(folder / f"{stem}.{suffix}") as part:
            figure.savefig(part, format=suffix, dpi=DPI, metadata=metadata)
            if suffix == "svg":
                part.write_text(_shortened(part.read_text(encoding="utf-8")), encoding="utf-8")
    plt.close(figure)


def _shortened(svg: str) -> str:
    """The same picture with coordinates to a hundredth of a point, which makes large figures a third smaller."""
    return _COORDINATES.sub(lambda found: _DECIMALS.sub(r"\1", found.group()), svg)


def grid(count: int, columns: int, height: float, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure as wide as a page with `count` axes in rows of `columns`.

    Args:
        count: at least 1.
        columns: at most so many beside each other; axes are never wider than half a page.
        height: of a row in inches.
        options: of `plt.subplots`.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    width = min(WIDTH, columns * WIDTH / 2)
    figure, axes = plt.subplots(
        rows, columns, figsize=(width, height * rows + 0.5), squeeze=False, layout="constrained", **options
    )
    flat: list[Axes] = list(axes.flat)
    for unused in flat[count:]:
        unused.set_axis_off()
    return figure, flat[:count]


def mark_simulated(figure: Figure, every: bool) -> None:
    """Say above the axes that images were drawn: all of them, or those of the sets that bear the sign."""
    words = "simulated images" if every else f"{SIMULATED} simulated images"
    figure.suptitle(words, x=0.005, ha="left", size=SMALL, color="#A33000", style="italic")


def label_outer(axes: Sequence[Axes], x: str, y: str) -> None:
    """Name the x axis under the last axes of each column, the y axis beside the first ones of each row.

    Names of the whole figure would lie on a legend below it.
    """
    for ax in axes:
        place = ax.get_subplotspec()
        assert place is not None
        columns = place.get_gridspec().ncols
        if axes.index(ax) + columns >= len(axes):
            ax.set_xlabel(x, size=SMALL)
        ax.set_ylabel(y if place.is_first_col() else "", size=SMALL)


def nothing(message: str) -> Figure:
    """A small figure that says why there is none."""
    figure, axes = plt.subplots(figsize=(WIDTH / 2, 0.8))
    axes.set_axis_off()
    axes.text(0.5, 0.5, wrapped(message, 50, 3), ha="center", va="center")
    return figure


def legend_below(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """A legend under the axes, in as many columns as its longest label leaves room for."""
    short = [wrapped(label, 48, 1) for label in labels]
    longest = max(map(len, short), default=1)
    columns = int(np.clip(figure.get_figwidth() * 17 // (longest + 6), 1, len(short) or 1))
    # The axes keep their height however many rows the legend has.
    figure.set_figheight(figure.get_figheight() + 0.15 * (-(-len(short) // columns) - 1))
    figure.legend(list(handles), short, loc="outside lower center", ncols=columns, frameon=False, handlelength=2.6)


def wrapped(text: str, width: int, lines: int = 2) -> str:
    r"""A text broken into lines of so many letters; one that is too long loses its middle, as titles often differ last.

    Example:
        >>> wrapped("A set with a long name", 12)
        'A set with a\nlong name'
        >>> wrapped("one auxiliary set: BTAD", 15, lines=1)
        'one auxil…BTAD'
    """
    broken, kept = textwrap.wrap(text, width), width * lines
    while len(broken) > lines:
        kept -= 1
        end = 2 * kept // 5
        broken = textwrap.wrap(f"{text[: kept - end].rstrip()}…{text[len(text) - end :].lstrip()}", width)
    # Signs that matplotlib would read as formulas.
    return "\n".join(broken).replace("$", r"\$")


def style_of(index: int) -> dict[str, Any]:
    """Colour and line of the n-th series: of more than there are colours, the next have the same with other lines."""
    return {"color": COLOURS[index % len(COLOURS)], "ls": turned(LINES, index)}


def turned(signs: Sequence[_T], index: int) -> _T:
    """The sign (line, marker, hatch) of the n-th series; with its colour it stands for no other of the first 49."""
    return signs[(index + index // len(COLOURS)) % len(signs)]
