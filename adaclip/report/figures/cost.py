"""Accuracy against what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib.lines
import matplotlib.ticker

from adaclip.metrics.names import METRICS
from adaclip.report.costs import seconds_per_image, training_minutes
from adaclip.report.figures.style import COLOURS, GREY, MARKERS, SMALL, Drawn, grid, legend_below, nothing, turned
from adaclip.report.figures.words import percent, sources
from adaclip.report.methods import Experiment
from adaclip.report.results import Results, average
from adaclip.report.series import Configuration, common_sets, configurations
from adaclip.system.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = ("image", "pixel")
#: Share of an axis within which two numbers would lie on each other.
NEAR = 0.05
AXES = {"seconds per image": "Evaluation, seconds per image", "training": "Training of its checkpoints, minutes"}


@dataclass(frozen=True)
class Point:
    """One configuration: fractions by level (NaN where undefined), seconds per image, minutes of training.

    The minutes are NaN where weights were trained elsewhere.
    """

    configuration: Configuration
    accuracy: dict[str, float]
    cost: dict[str, float]


def draw(results: Results) -> Drawn:
    """AUROC over the sets that configurations share, against seconds per image and training time."""
    title = "Accuracy against cost"
    found = configurations(results.plan)
    sets = common_sets(found, results.plan)
    points = [_point(results, one, sets) for one in found]
    levels = [level for level in LEVELS if any(not math.isnan(point.accuracy[level]) for point in points)]
    if not levels:
        message = "No configuration has an AUROC."
        return Drawn(nothing(message), title, message, message, empty=True)
    groups = list(dict.fromkeys(point.configuration.group for point in points))
    figure, axes = grid(2 * len(levels), 2, 2.3, sharey="row")
    named: list[str] = []
    for row, level in enumerate(levels):
        for ax, (cost, label) in zip(axes[2 * row : 2 * row + 2], AXES.items(), strict=True):
            shown = [p for p in points if not math.isnan(p.accuracy[level]) and not math.isnan(p.cost[cost])]
            for point in shown:
                index = groups.index(point.configuration.group)
                y = 100 * point.accuracy[level]
                if point.cost[cost] > 0:
                    marker: dict[str, Any] = {"marker": turned(MARKERS, index), "color": COLOURS[index % 7]}
                    ax.plot([point.cost[cost]], [y], ls="", ms=5, mec="white", mew=0.5, alpha=0.9, **marker)
                else:
                    ax.axhline(y, color=COLOURS[index % 7], lw=1, ls=":")
            _scale(ax, [point.cost[cost] for point in shown if point.cost[cost] > 0])
            _number_front(ax, [point for point in shown if point.cost[cost] > 0], level, cost, named)
            ax.set_xlabel(label)
        axes[2 * row].set_ylabel(f"{METRICS[level, 'auroc']} (%)")
    handles = [
        matplotlib.lines.Line2D([], [], ls="", ms=5, marker=turned(MARKERS, i), color=COLOURS[i % 7])
        for i in range(len(groups))
    ]
    free = any(point.cost["training"] == 0 for point in points)
    if free:
        handles.append(matplotlib.lines.Line2D([], [], color=GREY, ls=":", lw=1))
    handles += [
        matplotlib.lines.Line2D([], [], ls="", ms=4 * len(str(number)), marker=f"${number}$", color="black", mew=0)
        for number in range(1, len(named) + 1)
    ]
    legend_below(figure, handles, [*groups, *(["needs no training"] if free else []), *named])
    members: list[Experiment] = [one for point in points for one in point.configuration.experiments]
    origin = sources(results, members, "metrics.json and cost.json")
    return Drawn(figure, title, _caption(results, points, sets), _alt(points, levels), origin, section="methods")


def _caption(results: Results, points: Sequence[Point], sets: Sequence[str]) -> str:
    titles = ", ".join(results.title(name) for name in sets)
    unknown = any(math.isnan(point.cost["training"]) for point in points)
    given = " Of weights that were trained elsewhere the time of training is not known." if unknown else ""
    return (
        f"Each point is one of {counted(len(points), 'configuration')}, its mean AUROC over the sets that all of them "
        f"are evaluated on ({titles}), against the seconds that the evaluation of an image took and the time that its "
        "checkpoints took to train, means over the seeds. Numbered are those to which no other is both cheaper and "
        f"better; colours are methods, and settings that were varied.{given} Times are those of the "
        "machines and of the load at the time."
    )


def _alt(points: Sequence[Point], levels: Sequence[str]) -> str:
    told = [
        f"{point.configuration.title} "
        + ", ".join(f"{level} {percent(point.accuracy[level])}" for level in levels)
        + f" at {point.cost['seconds per image']:.3g} s"
        for point in points
    ]
    return f"Scatter plots of AUROC against seconds per image and training time: {'; '.join(told)}."


def _point(results: Results, one: Configuration, sets: Sequence[str]) -> Point:
    by_set = {name: next(e for e in one.experiments if name in e["evaluate"]) for name in sets}
    accuracy = {
        level: average([results.measured(e["name"], name, level, "auroc") for name, e in by_set.items()]).mean
        for level in LEVELS
    }
    minutes = training_minutes(results, by_set.values())
    cost = {
        "seconds per image": seconds_per_image(results, by_set),
        "training": math.nan if minutes is None else minutes,
    }
    return Point(one, accuracy, cost)


def front(costs: Sequence[float], values: Sequence[float]) -> list[int]:
    """Indices of the points to which no other is as cheap and better, or cheaper and as good, by cost."""
    chosen: list[int] = []
    for index in sorted(range(len(costs)), key=lambda i: (costs[i], -values[i])):
        if not chosen or values[index] > values[chosen[-1]]:
            chosen.append(index)
    return chosen


def _number_front(ax: Axes, points: Sequence[Point], level: str, cost: str, named: list[str]) -> None:
    """Numbers at the points on the front, above them to the left, where no other point can lie.

    Args:
        ax: the axes.
        points: those that have a cost.
        level: image or pixel.
        cost: key of `AXES`.
        named: titles by number, one number for the whole figure; grows.
    """
    numbers: list[tuple[float, float, list[int]]] = []
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    for index in front([point.cost[cost] for point in points], [point.accuracy[level] for point in points]):
        point = points[index]
        if point.configuration.title not in named:
            named.append(point.configuration.title)
        x, y, number = point.cost[cost], 100 * point.accuracy[level], named.index(point.configuration.title) + 1
        near = numbers and x - numbers[-1][0] < NEAR * (right - left) and y - numbers[-1][1] < 2 * NEAR * (top - bottom)
        if near:
            # Points so close that their numbers would lie on each other have them side by side.
            numbers[-1][2].append(number)
        else:
            numbers.append((x, y, [number]))
    for x, y, own in numbers:
        ax.annotate(
            ", ".join(map(str, own)),
            (x, y),
            xytext=(-3, 2),
            textcoords="offset points",
            ha="right",
            va="bottom",
            size=SMALL,
        )
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.1 * (high - low))


def _scale(ax: Axes, x: Sequence[float]) -> None:
    """Logarithmic where costs lie far apart."""
    if x and max(x) > 8 * min(x):
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
        ax.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    elif x:
        ax.margins(x=0.12)
        ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
