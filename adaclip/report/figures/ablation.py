"""Curves of a metric over one setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.lines
import matplotlib.ticker
import numpy as np

from adaclip.metrics.names import METRICS
from adaclip.report.figures.style import COLOURS, MARKERS, SMALL, Drawn, grid, legend_below, style_of
from adaclip.report.figures.words import SPREAD, listed, percent, sources
from adaclip.report.methods import Experiment
from adaclip.report.results import Measured, Results, average
from adaclip.system.wording import noun


def draw(results: Results, name: str) -> Drawn:
    """One panel for each metric, one line for the mean over each domain's sets, thin ones for single sets."""
    curve = next(curve for curve in results.plan["curves"] if curve["name"] == name)
    points = [[results.by_name[member] for member in point["experiments"]] for point in curve["points"]]
    labels = [str(point["value"]) for point in curve["points"]]
    numeric = all(isinstance(point["value"], int | float) for point in curve["points"])
    at = [float(point["value"]) for point in curve["points"]] if numeric else list(map(float, range(len(points))))
    domains = list(dict.fromkeys(results.sets[member]["domain"] for member in curve["sets"]))
    figure, axes = grid(len(curve["metrics"]), 4 if len(curve["metrics"]) > 2 else 2, 1.9)
    told: list[str] = []
    counted: dict[str, list[str]] = {}
    bands = alone = False
    for ax, key in zip(axes, curve["metrics"], strict=True):
        level, _, metric = key.partition(".")
        for index, domain in enumerate(domains):
            own = [member for member in curve["sets"] if results.sets[member]["domain"] == domain]
            found = {member: [_at(results, members, member, level, metric) for members in points] for member in own}
            # A mean over other sets at another point could not be compared.
            whole = {member: line for member, line in found.items() if all(one.values for one in line)}
            if not whole:
                continue
            counted.setdefault(f"{len(whole)} {domain} {noun(len(whole), 'set')}", []).append(METRICS[level, metric])
            if len(whole) > 1:
                alone = True
                for line in whole.values():
                    ax.plot(at, [100 * one.mean for one in line], color=COLOURS[index % 7], lw=0.5, alpha=0.45)
            means = [average([line[i] for line in whole.values()]) for i in range(len(points))]
            y, sd = (100 * np.array([getattr(one, part) for one in means]) for part in ("mean", "sd"))
            ax.plot(at, y, marker=MARKERS[index % 7], **style_of(index))
            if not np.isnan(sd).all():
                bands = True
                ax.fill_between(at, y - sd, y + sd, color=COLOURS[index % 7], alpha=0.25, lw=0)
            ends = ", ".join(f"{label}: {percent(one.mean)}" for label, one in zip(labels, means, strict=True))
            told.append(f"{METRICS[level, metric]}, {domain}: {ends}")
        ax.set(title=f"{METRICS[level, metric]} (%)", xlabel=curve["title"])
        ax.set_xticks(at, labels)
        ax.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
        if not ax.lines:
            ax.text(0.5, 0.5, "undefined", transform=ax.transAxes, ha="center", va="center", size=SMALL)
            ax.set_yticks([])
    handles = [
        matplotlib.lines.Line2D([], [], marker=MARKERS[index % 7], **style_of(index)) for index in range(len(domains))
    ]
    labels = [f"{domain} sets" for domain in domains]
    if alone:
        handles.append(matplotlib.lines.Line2D([], [], color="0.4", lw=0.5))
        labels.append("single sets")
    legend_below(figure, handles, labels)
    return Drawn(
        figure,
        f"{curve['answers']}: {curve['title']}" if curve["answers"] else curve["title"],
        " ".join(filter(None, [f"Metrics over {curve['x']}: {_counts(counted)}.", curve["note"]])),
        f"Lines over {curve['title']}. {'; '.join(told) or 'All undefined'}.",
        sources(results, [member for members in points for member in members], "metrics.json"),
        _rules(bands, alone),
        empty=not told,
    )


def _at(results: Results, members: Sequence[Experiment], name: str, level: str, metric: str) -> Measured:
    """A set's figure at one point: that of the one experiment that is evaluated on it."""
    for experiment in members:
        if name in experiment["evaluate"]:
            return results.measured(experiment["name"], name, level, metric)
    return Measured(reason="not evaluated")


def _counts(counted: Mapping[str, Sequence[str]]) -> str:
    """Over how many sets the metrics are; metrics over equally many are named together, or not at all where all are."""
    metrics = {metric for own in counted.values() for metric in own}
    return ", ".join(
        sets if set(own) == metrics else f"{sets} ({listed([*dict.fromkeys(own)])})" for sets, own in counted.items()
    )


def _rules(bands: bool, alone: bool) -> str:
    spread = f"bands are {SPREAD}" if bands else "one seed, so that there is no band"
    thin = "; thin lines are single sets" if alone else ""
    return f"Thick lines are means over the sets of a domain that have the metric at every point; {spread}{thin}."
