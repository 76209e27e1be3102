"""ROC and precision-recall curves of each set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.lines
import numpy as np
import numpy.typing as npt

from adaclip.report.figures.style import GREY, Drawn, grid, label_outer, legend_below, nothing, style_of, wrapped
from adaclip.report.figures.words import SPREAD, sources
from adaclip.report.methods import Experiment
from adaclip.report.results import Evaluation, Results
from adaclip.report.series import series
from adaclip.report.stored import read_curves

#: Keys of the two axes in curves.json, their names, and how a curve is stored there.
KINDS = {
    "roc": ("fpr", "tpr", "False-positive rate", "True-positive rate", "roc", "ROC"),
    "precision_recall": ("recall", "precision", "Recall", "Precision", "pr", "Precision-recall"),
}
#: Where curves are averaged: closer together at low rates, where ROC curves rise.
AT = {"roc": np.linspace(0, 1, 81) ** 2, "precision_recall": np.linspace(0, 1, 81)}
RULES = "Where a method has several experiments, each set shows the first one in the plan that is evaluated on it."
Floats = npt.NDArray[np.float64]


def draw(results: Results, kind: str, level: str) -> Drawn:
    """One panel for each set, one line for each series."""
    _, _, x_label, y_label, _, word = KINDS[kind]
    title = f"{word} curves, {level}s"
    compared = series(results.plan)
    stored: dict[tuple[str, int], list[Any]] = {}
    for index, one in enumerate(compared):
        for name, experiment in one.by_set.items():
            found = [_stored(evaluation, level) for evaluation in results.of(experiment, name)]
            if any(found):
                stored[name, index] = [parts for parts in found if parts]
    names = [name for name in results.sets if any(name == key for key, _ in stored)]
    if not names:
        message = f"No set has {'images' if level == 'image' else 'masks'} of both kinds."
        return Drawn(nothing(message), title, message, message, empty=True)
    figure, axes = grid(len(names), 5, 1.45, sharex=True, sharey=True)
    for ax, name in zip(axes, names, strict=True):
        chance: list[float] = []
        for (of, index), found in stored.items():
            if of == name:
                curves = np.stack([mean_curve(parts, kind) for parts in found])
                mean = curves.mean(axis=0)
                ax.plot(*_from_origin(kind, mean), **style_of(index))
                if len(curves) > 1:
                    sd = curves.std(axis=0, ddof=1)
                    low, high = (mean - sd).clip(0, 1), (mean + sd).clip(0, 1)
                    ax.fill_between(AT[kind], low, high, color=style_of(index)["color"], alpha=0.2, lw=0)
                # The last threshold takes everything, so that its precision is the share of what is anomalous.
                chance += [float(np.mean([part["pr"]["precision"][-1] for part in parts])) for parts in found]
        if kind == "roc":
            ax.plot([0, 1], [0, 1], color=GREY, lw=0.8)
        else:
            ax.axhline(float(np.mean(chance)), color=GREY, lw=0.8)
        ax.set(xlim=(0, 1), ylim=(0, 1.02), title=wrapped(results.title(name), 20, 2))
        ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        ax.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
        ax.tick_params(labelbottom=True)
    label_outer(axes, x_label, y_label)
    shown = sorted({index for _, index in stored})
    handles = [matplotlib.lines.Line2D([], [], **style_of(index)) for index in shown]
    handles.append(matplotlib.lines.Line2D([], [], color=GREY, lw=0.8))
    legend_below(
        figure,
        handles,
        [*(results.marked(compared[index].title, compared[index].experiments) for index in shown), "chance"],
    )
    used: list[Experiment] = [compared[index].by_set[name] for name, index in stored]
    return Drawn(
        figure,
        title,
        _caption(kind, level, stored),
        _alt(results, title, names, shown),
        sources(results, used, "curves.json"),
        RULES,
    )


def _caption(kind: str, level: str, stored: Mapping[tuple[str, int], Any]) -> str:
    over = "Of all images of a set" if level == "image" else "Mean over a set's categories"
    chance = "the diagonal" if kind == "roc" else "the share of what is anomalous"
    several = any(len(found) > 1 for found in stored.values())
    seeds = f", mean over the seeds; bands are {SPREAD}" if several else ", one seed"
    return f"{over}{seeds}. Grey is chance, {chance}."


def _alt(results: Results, title: str, names: Sequence[str], shown: Sequence[int]) -> str:
    lines = ", ".join(series(results.plan)[index].title for index in shown)
    return f"{title} of {lines}, one panel for each of {', '.join(results.title(name) for name in names)}."


def _stored(found: Evaluation, level: str) -> list[Mapping[str, Mapping[str, list[float]]]]:
    """The curves of an evaluation: those of its categories for pixels, one for images, none where undefined."""
    curves = read_curves(found.folder / "curves.json")[level]
    # Pixel curves are kept by category.
    return list(curves.values()) if level == "pixel" else [curves] if curves else []


def mean_curve(parts: Sequence[Mapping[str, Mapping[str, list[float]]]], kind: str) -> Floats:
    """The mean of curves at the values of x in `AT`.

    Args:
        parts: curves, with x ascending.
        kind: roc or precision_recall.

    Returns:
        Mean y, (len(AT[kind]),).
    """
    x_key, y_key, _, _, stored, _ = KINDS[kind]
    total = np.zeros_like(AT[kind])
    for part in parts:
        x, y = np.asarray(part[stored][x_key]), np.asarray(part[stored][y_key])
        # Of several points above one x, a ROC curve's upright stretch ends at the last one and a precision-recall
        # curve's falling stretch begins at the first one: the highest.
        steps = np.diff(x) > 0
        keep = np.append(steps, True) if kind == "roc" else np.insert(steps, 0, True)
        total += np.interp(AT[kind], x[keep], y[keep])
    return total / len(parts)


def _from_origin(kind: str, mean: Floats) -> tuple[Floats, Floats]:
    """The points of a line; that of a ROC curve begins at (0, 0)."""
    if kind == "roc":
        return np.concatenate([[0], AT[kind]]), np.concatenate([[0], mean])
    return AT[kind], mean
