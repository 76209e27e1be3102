"""Bars of each category of a set, with a point for each seed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import matplotlib.patches
import pandas as pd
import seaborn as sns

from adaclip.metrics.names import METRICS
from adaclip.report.figures.style import COLOURS, HATCHES, SMALL, Drawn, grid, legend_below, nothing, turned, wrapped
from adaclip.report.figures.words import percent, sources
from adaclip.report.results import Results
from adaclip.report.series import series
from adaclip.report.tables.cells import DASH
from adaclip.system.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = ("image", "pixel")


def draw(results: Results, name: str) -> Drawn:
    """Image and pixel AUROC of each category of a set by each series."""
    compared = [one for one in series(results.plan) if name in one.by_set]
    facts = results.sets[name]
    title = f"{results.title(name)} by category"
    categories = results.categories(compared[0].by_set[name]["name"], name)
    frame = pd.DataFrame(
        [
            {"level": level, "category": category, "series": one.title, "value": 100 * value}
            for one in compared
            for level in LEVELS
            for category in categories
            for value in results.measured(one.by_set[name]["name"], name, level, "auroc", category).values
            or (math.nan,)
        ]
    )
    levels = [level for level in LEVELS if frame.loc[frame["level"] == level, "value"].notna().any()]
    used = [one.by_set[name] for one in compared]
    if not levels:
        message = f"{facts['title']} has no labels or masks of both kinds."
        return Drawn(nothing(message), title, message, message, empty=True)
    figure, axes = grid(len(levels), 1, 1.7, sharex=True)
    figure.set_figwidth(min(7.0, 1.5 + 0.3 * len(categories) * len(compared)))
    for ax, level in zip(axes, levels, strict=True):
        own = frame[frame["level"] == level]
        shared = {"data": own, "x": "category", "y": "value", "hue": "series", "order": categories, "ax": ax}
        titles = [one.title for one in compared]
        palette = [COLOURS[index % len(COLOURS)] for index in range(len(titles))]
        sns.barplot(**shared, hue_order=titles, palette=palette, saturation=1, errorbar=None, legend=False)
        for index, bars in enumerate(ax.containers):
            for bar in bars:
                bar.set(hatch=turned(HATCHES, index), edgecolor="white", lw=0)
        # Without jitter, which is random.
        sns.stripplot(
            **shared,
            hue_order=titles,
            palette=["black"] * len(titles),
            dodge=True,
            jitter=False,
            size=2.5,
            edgecolor="white",
            linewidth=0.4,
            legend=False,
        )
        _mark_undefined(ax, own, categories, titles)
        ax.set(ylim=(0, 102), xlabel="", ylabel=f"{METRICS[level, 'auroc']} (%)")
    short = [wrapped(category, 16, 1) for category in categories]
    rotation: dict[str, Any] = (
        {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if max(map(len, short)) > 4 else {}
    )
    axes[-1].set_xticks(range(len(short)), short, **rotation)
    handles = [
        matplotlib.patches.Patch(
            facecolor=COLOURS[index % len(COLOURS)], hatch=turned(HATCHES, index), edgecolor="white"
        )
        for index in range(len(compared))
    ]
    legend_below(figure, handles, [results.marked(one.title, one.experiments) for one in compared])
    caption = f"AUROC of each category of {results.title(name)}, {' and '.join(f'{level} level' for level in levels)}."
    rules = f"Bars are means over the seeds, black points single seeds; {DASH} is undefined."
    means = "; ".join(
        f"{level} AUROC of {one.title} {percent(found.mean)}"
        for level in levels
        for one in compared
        if (found := results.measured(one.by_set[name]["name"], name, level, "auroc")).values
    )
    alt = f"Bars of {counted(len(categories), 'category', 'categories')}. Means over them: {means}."
    return Drawn(figure, title, caption, alt, sources(results, used, "metrics.json"), rules)


def _mark_undefined(ax: Axes, own: pd.DataFrame, categories: list[str], titles: list[str]) -> None:
    """A dash where a bar is missing."""
    missing = own[own["value"].isna()]
    step = 0.8 / len(titles)
    for category, one in zip(missing["category"], missing["series"], strict=True):
        x = categories.index(category) - 0.4 + step * (titles.index(one) + 0.5)
        ax.text(x, 1, DASH, ha="center", va="bottom", size=SMALL)
