"""Histograms of the anomaly scores of normal and anomalous images."""

from __future__ import annotations

import matplotlib.patches
import matplotlib.ticker
import numpy as np
import pandas as pd
import seaborn as sns

from adaclip.report.figures.style import ANOMALOUS, NORMAL, Drawn, grid, label_outer, legend_below, wrapped
from adaclip.report.figures.words import sources
from adaclip.report.results import Evaluation, Results
from adaclip.report.series import series
from adaclip.report.stored import read_scores

KINDS = ((0, "normal", NORMAL, ""), (1, "anomalous", ANOMALOUS, "///"))
BINS = 24


def draw(results: Results, key: str) -> Drawn:
    """One panel for each set that a series has."""
    one = next(one for one in series(results.plan) if one.key == key)
    names = [name for name in results.sets if name in one.by_set]
    figure, axes = grid(len(names), 5, 1.3)
    told = []
    for ax, name in zip(axes, names, strict=True):
        frame = pd.concat([_scores(found) for found in results.of(one.by_set[name], name)], ignore_index=True)
        low, high = float(frame["anomaly_score"].min()), float(frame["anomaly_score"].max())
        edges = np.linspace(low, high if high > low else low + 1e-6 * max(1, abs(low)), BINS + 1).tolist()
        for label, _, colour, hatch in KINDS:
            own = frame[frame["label"] == label]
            if len(own):
                sns.histplot(
                    own,
                    x="anomaly_score",
                    bins=edges,
                    stat="percent",
                    element="step",
                    color=colour,
                    alpha=0.4,
                    hatch=hatch,
                    lw=0.8,
                    ax=ax,
                )
        medians = [frame.loc[frame["label"] == label, "anomaly_score"].median() for label in (0, 1)]
        told.append(f"{results.title(name)} {medians[0]:.4g} and {medians[1]:.4g}".replace("nan", "none"))
        ax.set(title=wrapped(results.title(name), 20, 2), xlabel="", ylabel="")
        # Scores have no common scale: each axis says from where to where its own run.
        ax.set_xticks(edges[::BINS], ends(edges[0], edges[-1]))
        first, last = ax.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
        ax.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(3))
    label_outer(axes, "Anomaly score", "Images (%)")
    handles = [
        matplotlib.patches.Patch(facecolor=colour, edgecolor=colour, alpha=0.6, hatch=hatch)
        for _, _, colour, hatch in KINDS
    ]
    legend_below(figure, handles, [word for _, word, _, _ in KINDS])
    several = any(len(experiment["seeds"]) > 1 for experiment in one.experiments)
    rules = (
        "Anomaly scores of the normal and of the anomalous test images of each set, each kind in percent of its own "
        f"images{', all seeds together' if several else ''}."
    )
    alt = f"Histograms, one panel for each set. Median scores of normal and anomalous images: {'; '.join(told)}."
    origin = sources(results, one.by_set.values(), "scores.csv")
    return Drawn(figure, f"Anomaly scores: {results.marked(one.title, one.experiments)}", "", alt, origin, rules)


def ends(low: float, high: float) -> list[str]:
    """Two numbers in as few digits as tell them apart, three at least.

    Example:
        >>> ends(-3.14159, 250.0), ends(0.123456, 0.123499)
        (['-3.14', '250'], ['0.12346', '0.1235'])
    """
    found: list[str] = []
    for digits in range(3, 18):
        found = [f"{low:.{digits}g}", f"{high:.{digits}g}"]
        if found[0] != found[1]:
            break
    return found


def _scores(found: Evaluation) -> pd.DataFrame:
    return read_scores(found.folder / "scores.csv", found.images)[["label", "anomaly_score"]]
