"""Heat maps of one metric: experiments by evaluated sets."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib.patches
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import seaborn as sns
from matplotlib.figure import Figure

from adaclip.metrics.names import METRICS
from adaclip.report.figures.style import SMALL, WIDTH, Drawn, nothing, wrapped
from adaclip.report.figures.words import percent, sources
from adaclip.report.methods import Experiment
from adaclip.report.results import Results
from adaclip.report.series import transfer
from adaclip.report.tables.cells import DASH
from adaclip.system.wording import counted

HATCH = "////"
Floats = npt.NDArray[np.float64]
#: Experiments of one row of a heat map; they share their settings and auxiliary data.
Row = tuple[str, Sequence[Experiment]]


def draw_transfer(results: Results, level: str, metric: str) -> Drawn:
    """Single auxiliary sets by evaluated sets."""
    rows = [(results.title(name), members) for name, members in transfer(results.plan).items()]
    return _draw(
        results,
        rows,
        (level, metric),
        f"Transfer between sets, {METRICS[level, metric]}",
        "Each row is a checkpoint that was trained on one set, each column a set that it never saw.",
        "Auxiliary set",
    )


def draw_experiments(results: Results, level: str, metric: str) -> Drawn:
    """All experiments by evaluated sets."""
    return _draw(
        results,
        [(results.marked(experiment["title"], [experiment]), [experiment]) for experiment in results.experiments],
        (level, metric),
        f"All experiments, {METRICS[level, metric]}",
        "Each row is an experiment, each column an evaluated set.",
        "Experiment",
    )


def matrix(results: Results, rows: Sequence[Row], names: Sequence[str], level: str, metric: str) -> Floats:
    """Means over the seeds in percent, (rows, sets); NaN where not evaluated or undefined."""
    found = np.full((len(rows), len(names)), math.nan)
    for i, (_, members) in enumerate(rows):
        for j, name in enumerate(names):
            evaluating = [experiment for experiment in members if name in experiment["evaluate"]]
            if evaluating:
                found[i, j] = 100 * results.measured(evaluating[0]["name"], name, level, metric).mean
    return found


def _draw(results: Results, rows: Sequence[Row], key: tuple[str, str], title: str, what: str, side: str) -> Drawn:
    level, metric = key
    names = [name for name in results.sets if any(name in e["evaluate"] for _, members in rows for e in members)]
    values = matrix(results, rows, names, level, metric)
    defined = ~np.isnan(values)
    # A set on which the metric is undefined for all, for want of labels, has no column.
    keep = [j for j in range(len(names)) if defined[:, j].any()]
    names, values = [names[j] for j in keep], values[:, keep]
    members = [experiment for _, own in rows for experiment in own]
    if not names:
        message = f"No set has {METRICS[key]}: it needs {'labels' if level == 'image' else 'masks'} of both kinds."
        return Drawn(nothing(message), title, message, message, empty=True)
    trained = np.array([[name in own[0]["auxiliary"] for name in names] for _, own in rows])
    figure = _figure(results, rows, names, values, trained, f"{METRICS[key]} (%)", side)
    rules = (
        f"{what} Mean over the seeds, in percent; hatched cells are sets that the row was trained on, which are never "
        "evaluated; a dash stands where there is no figure."
    )
    best, worst = (divmod(int(of(values)), len(names)) for of in (np.nanargmax, np.nanargmin))
    extremes = "; ".join(
        f"{word} {percent(values[i, j] / 100)} ({rows[i][0]} on {results.title(names[j])})"
        for word, (i, j) in (("highest", best), ("lowest", worst))
    )
    size = f"{counted(len(rows), 'row')} by {counted(len(names), 'set')}"
    alt = f"Heat map of {METRICS[key]}, {size}: {extremes}."
    return Drawn(figure, title, "", alt, sources(results, members, "metrics.json"), rules)


def _figure(
    results: Results,
    rows: Sequence[Row],
    names: Sequence[str],
    values: Floats,
    trained: npt.NDArray[np.bool_],
    label: str,
    side: str,
) -> Figure:
    titles = [wrapped(title, 34, 2) for title, _ in rows]
    widest = max(len(line) for title in titles for line in title.split("\n"))
    width = min(WIDTH, 1.1 + 0.06 * widest + 0.6 * len(names))
    figure, axes = plt.subplots(figsize=(width, 1.3 + 0.26 * len(rows)), layout="constrained")
    low = max(0, 10 * math.floor(float(np.nanmin(values)) / 10))
    text = [[f"{value:.1f}" if not math.isnan(value) else "" for value in row] for row in values]
    sns.heatmap(
        values,
        ax=axes,
        annot=np.array(text, dtype=object),
        fmt="",
        vmin=min(low, 90),
        vmax=100,
        cmap="YlGnBu",
        linewidths=0.6,
        annot_kws={"size": SMALL},
        yticklabels=titles,
        cbar_kws={"label": label, "pad": 0.01, "aspect": 30},
    )
    axes.grid(visible=False)
    for i, j in zip(*np.nonzero(np.isnan(values)), strict=True):
        if trained[i, j]:
            axes.add_patch(matplotlib.patches.Rectangle((j, i), 1, 1, fill=False, hatch=HATCH, edgecolor="0.6", lw=0))
        else:
            axes.text(j + 0.5, i + 0.5, DASH, ha="center", va="center", size=SMALL, color="0.4")
    domains = [results.sets[name]["domain"] for name in names]
    for j in range(1, len(names)):
        if domains[j] != domains[j - 1]:
            axes.axvline(j, color="0.2", lw=1)
    columns = [wrapped(results.title(name), 18, 2) for name in names]
    axes.set_xticks(axes.get_xticks(), columns, rotation=40, ha="right", rotation_mode="anchor")
    axes.tick_params(axis="y", rotation=0)
    axes.tick_params(length=0)
    axes.set_xlabel("Evaluated set")
    axes.set_ylabel(side)
    return figure
