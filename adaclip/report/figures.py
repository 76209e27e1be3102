"""Figures, each as SVG and PNG, the same bytes whenever the results are the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("agg")

import matplotlib.lines
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from adaclip.errors import AdaclipError
from adaclip.files import read_json, write_whole
from adaclip.report.document import FigureDoc, write_figures_index
from adaclip.report.names import FIGURES, METRICS, figure_stems
from adaclip.report.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Okabe and Ito's colours, told apart with any kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":")
NORMAL, ANOMALOUS = COLOURS[0], COLOURS[1]


def write_figures(plan_file: Path, out: Path) -> None:
    """Draw every figure of a plan into `out`.

    Args:
        plan_file: `results/plan.json`.
        out: folder for `<name>.svg` and `<name>.png`.

    Raises:
        AdaclipError: a file of an evaluation is missing or damaged.
    """
    results = Results(plan_file)
    sns.set_theme(style="whitegrid", context="paper", palette=COLOURS)
    # Equal results give equal files: no time, no random ids.
    mpl.rcParams.update({"svg.hashsalt": "adaclip", "figure.dpi": 100, "axes.titlesize": 9, "font.size": 9})
    for stem in figure_stems(results.plan):
        figure = _MAKERS[stem](results) if stem in FIGURES else _scores(results, stem.removeprefix("scores_"))
        for suffix, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
            with write_whole(out / f"{stem}.{suffix}") as part:
                figure.savefig(part, format=suffix, dpi=150, metadata=metadata, bbox_inches="tight")
        plt.close(figure)
    write_figures_index(out / "index.json", [_doc(results, stem) for stem in figure_stems(results.plan)])


def _doc(results: Results, stem: str) -> FigureDoc:
    """What a figure shows, in words."""
    if stem in _WORDS:
        title, caption = _WORDS[stem]
    else:
        titles = {e["name"]: e["title"] for e in results.experiments}
        title = f"Anomaly scores: {titles[stem.removeprefix('scores_')]}"
        caption = "Scores of normal and anomalous images of each set, all seeds together."
    return FigureDoc(stem, title, caption, f"{title}. {caption}", "measured")


_WORDS = {
    "transfer_pixel": ("Transfer, pixel AUROC", "Each row is one experiment, each column a set that it never saw."),
    "transfer_image": ("Transfer, image AUROC", "Each row is one experiment, each column a set that it never saw."),
    "roc_pixel": ("Pixel ROC curves", "Mean over categories and seeds, by set; grey is chance."),
    "roc_image": ("Image ROC curves", "All images of a set, mean over seeds; grey is chance."),
    "training": ("Training", "The loss and its parts, means over the images of an epoch."),
}


def _nothing(message: str) -> Figure:
    """A small figure that says why there is none."""
    figure, axes = plt.subplots(figsize=(5, 1))
    axes.axis("off")
    axes.text(0.5, 0.5, message, ha="center", va="center")
    return figure


def _transfer(level: str, metric: str) -> Callable[[Results], Figure]:
    def draw(results: Results) -> Figure:
        rows = results.experiments
        values = np.array(
            [
                [
                    results.value(e["name"], name, level, metric)[0] if name in e["evaluate"] else math.nan
                    for name in names
                ]
                for names in [list(results.sets)]
                for e in rows
            ]
        )
        columns = [index for index in range(values.shape[1]) if not np.isnan(values[:, index]).all()]
        if not columns:
            return _nothing(f"No set has {METRICS[level, metric]}.")
        names = [list(results.sets)[index] for index in columns]
        values = 100 * values[:, columns]
        figure, axes = plt.subplots(figsize=(2.4 + 0.78 * len(names), 1.3 + 0.42 * len(rows)))
        sns.heatmap(
            values,
            ax=axes,
            annot=True,
            fmt=".1f",
            vmin=0,
            vmax=100,
            center=50,
            cmap="PuOr_r",
            linewidths=1,
            xticklabels=[results.sets[name]["title"] for name in names],
            yticklabels=[e["title"] for e in rows],
            cbar_kws={"label": f"{METRICS[level, metric]} (%)"},
        )
        for row, experiment in enumerate(rows):
            for column, name in enumerate(names):
                if name in experiment["auxiliary"]:
                    axes.text(column + 0.5, row + 0.5, "trained on", ha="center", va="center", size=6, color="0.4")
        axes.set_xticklabels(axes.get_xticklabels(), rotation=35, ha="right")
        axes.tick_params(axis="y", rotation=0)
        axes.set_xlabel("Evaluated set")
        axes.set_ylabel("Auxiliary data")
        return figure

    return draw


def _small_multiples(count: int, side: float = 2.0, columns: int = 4) -> tuple[Figure, list[Axes]]:
    """A figure with `count` square axes in rows of `columns`."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(side * columns + 0.4, (side + 0.3) * rows), squeeze=False)
    flat: list[Axes] = list(axes.flat)
    for unused in flat[count:]:
        unused.axis("off")
    return figure, flat[:count]


def _roc(level: str) -> Callable[[Results], Figure]:
    def draw(results: Results) -> Figure:
        curves: dict[str, list[tuple[int, list[Any]]]] = {}
        for found in results.evaluations:
            stored = read_json(found.folder / "curves.json")[level]
            # Pixel curves are kept by category.
            parts = list(stored.values()) if level == "pixel" else [stored] if stored else []
            if parts:
                index = results.experiments.index(dict(found.experiment))
                curves.setdefault(found.set, []).append((index, [part["roc"] for part in parts]))
        if not curves:
            return _nothing(f"No set has {level} labels of both kinds.")
        names = [name for name in results.sets if name in curves]
        figure, axes = _small_multiples(len(names))
        for ax, name in zip(axes, names, strict=True):
            for index, parts in curves[name]:
                fpr, tpr = mean_roc(parts)
                ax.plot(fpr, tpr, color=COLOURS[index % 7], ls=STYLES[index % 4], lw=1.4)
            ax.plot([0, 1], [0, 1], color="0.6", lw=0.8)
            ax.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal", title=results.sets[name]["title"])
            ax.set_xticks([0, 0.5, 1])
            ax.set_yticks([0, 0.5, 1])
        figure.supxlabel("False-positive rate", size=9)
        figure.supylabel("True-positive rate", size=9)
        shown = sorted({index for found in curves.values() for index, _ in found})
        handles = [mpl.lines.Line2D([], [], color=COLOURS[index % 7], ls=STYLES[index % 4]) for index in shown]
        labels = [results.experiments[index]["title"] for index in shown]
        handles.append(mpl.lines.Line2D([], [], color="0.6", lw=0.8))
        figure.tight_layout()
        figure.legend(handles, [*labels, "Chance"], loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2, frameon=False)
        return figure

    return draw


def mean_roc(parts: Sequence[dict[str, list[float]]]) -> tuple[np.ndarray, np.ndarray]:
    """The mean of ROC curves at equal false-positive rates.

    Args:
        parts: curves with `fpr` and `tpr`, both ascending.

    Returns:
        fpr (201,) and the mean tpr (201,), which begins at (0, 0).
    """
    fpr = np.linspace(0, 1, 201)
    total = np.zeros_like(fpr)
    for part in parts:
        x, y = np.asarray(part["fpr"]), np.asarray(part["tpr"])
        # Of the points at one rate the highest counts, as an upright stretch ends there.
        last = np.append(np.diff(x) > 0, True)
        total += np.interp(fpr, x[last], y[last])
    tpr = total / len(parts)
    return np.concatenate([[0], fpr]), np.concatenate([[0], tpr])


def _training(results: Results) -> Figure:
    histories = []
    for index, experiment in enumerate(results.experiments):
        if experiment["method"] != "adaclip":
            continue
        for seed in experiment["seeds"]:
            path = results.run_folder(experiment, seed) / "history.csv"
            try:
                histories.append((index, pd.read_csv(path)))
            except (OSError, ValueError) as error:
                raise AdaclipError(f"cannot read {path}: {error}") from error
    if not histories:
        return _nothing("Nothing was trained.")
    parts = {"loss": "Loss", "loss_image": "Image part", "loss_focal": "Focal part", "loss_dice": "Dice part"}
    figure, axes = _small_multiples(len(parts), 1.9)
    for ax, (column, title) in zip(axes, parts.items(), strict=True):
        labelled: set[int] = set()
        for index, history in histories:
            label = None if index in labelled else results.experiments[index]["title"]
            labelled.add(index)
            style: dict[str, Any] = {"color": COLOURS[index % 7], "ls": STYLES[index % 4], "marker": "o", "ms": 3}
            ax.plot(history["epoch"], history[column], label=label, **style)
        ax.set(title=title, xlabel="Epoch", ylim=(0, None))
        ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.tight_layout()
    figure.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=3, frameon=False)
    return figure


def _scores(results: Results, name: str) -> Figure:
    experiment = next(e for e in results.experiments if e["name"] == name)
    figure, axes = _small_multiples(len(experiment["evaluate"]), 1.9)
    for ax, dataset in zip(axes, experiment["evaluate"], strict=True):
        frames = [pd.read_csv(found.folder / "scores.csv") for found in results.of(experiment, dataset)]
        frame = pd.concat(frames)
        low, high = frame["anomaly_score"].min(), frame["anomaly_score"].max()
        bins = np.linspace(low, high if high > low else low + 1e-6, 21)
        for label, colour, hatch in ((0, NORMAL, ""), (1, ANOMALOUS, "//")):
            chosen = frame.loc[frame["label"] == label, "anomaly_score"]
            if len(chosen):
                ax.hist(chosen, bins=bins.tolist(), color=colour, alpha=0.55, hatch=hatch, edgecolor=colour, lw=0.4)
        ax.set_title(results.sets[dataset]["title"])
        ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(3))
        ax.yaxis.set_major_locator(mpl.ticker.MaxNLocator(3, integer=True))
    figure.supxlabel("Anomaly score", size=9)
    figure.supylabel("Images", size=9)
    handles = [
        mpl.patches.Patch(facecolor=NORMAL, alpha=0.55, label="normal"),
        mpl.patches.Patch(facecolor=ANOMALOUS, alpha=0.55, hatch="//", label="anomalous"),
    ]
    figure.tight_layout()
    figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2, frameon=False)
    return figure


_MAKERS: dict[str, Callable[[Results], Figure]] = {
    "transfer_pixel": _transfer("pixel", "auroc"),
    "transfer_image": _transfer("image", "auroc"),
    "roc_pixel": _roc("pixel"),
    "roc_image": _roc("image"),
    "training": _training,
}
