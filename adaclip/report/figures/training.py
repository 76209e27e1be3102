"""How the loss fell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import matplotlib.lines
import matplotlib.ticker
import numpy as np
import pandas as pd

from adaclip.report.figures.style import COLOURS, Drawn, grid, label_outer, legend_below, style_of, wrapped
from adaclip.report.figures.words import HISTORY, SPREAD, sources
from adaclip.report.methods import Experiment, learns, title_of
from adaclip.report.results import Results
from adaclip.report.series import series
from adaclip.report.stored import PART, loss_parts, read_history
from adaclip.system.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Lines of one panel.
LINES = 7


@dataclass
class Panel:
    """Runs that are drawn together: the setting that was swept, their titles, and the first experiment of each."""

    title: str
    setting: str = ""
    runs: dict[str, tuple[str, Experiment]] = field(default_factory=dict)


def draw(results: Results) -> Drawn:
    """The loss of every run: a panel for each swept setting, and for what shares auxiliary data."""
    panels = list(_panels(results))
    figure, axes = grid(len(panels), 3, 1.75)
    for ax, panel in zip(axes, panels, strict=True):
        handles, labels = [], []
        for index, (run, experiment) in enumerate(panel.runs.values()):
            _plot(ax, results, experiment, "loss", index)
            handles.append(matplotlib.lines.Line2D([], [], **style_of(index)))
            labels.append(wrapped(run, 26, 1))
        _finish(ax, panel.title)
        # Losses fall, so that the upper right is free.
        title = panel.setting or None
        ax.set_ylim(0, ax.get_ylim()[1] * (1.05 + 0.14 * (len(labels) + bool(title))))
        ax.legend(handles, labels, title=title, loc="upper right", frameon=False, handlelength=2.6, labelspacing=0.2)
    label_outer(axes, "Epoch", "Loss")
    experiments = [experiment for panel in panels for _, experiment in panel.runs.values()]
    caption = (
        "Loss by epoch of every run, the mean over the images that it saw; experiments that share a run are drawn "
        f"once in a panel. {_seeds(experiments)}"
    )
    titles = "; ".join(f"{panel.setting} {panel.title}".strip() for panel in panels)
    alt = f"{counted(len(panels), 'panel')} of losses by epoch: {titles}."
    return Drawn(figure, "Training", caption, alt, sources(results, experiments, HISTORY))


def draw_parts(results: Results) -> Drawn:
    """The loss and its parts for the experiments that other figures show; parts differ by method."""
    trained = [experiment for experiment in results.experiments if learns(experiment)]
    shown = [e for one in series(results.plan) for e in one.experiments if learns(e)] or trained
    shown = shown[: len(COLOURS)]
    own = [("loss", *loss_parts(_history(results, one, one["seeds"][0]))) for one in shown]
    columns = list(dict.fromkeys(column for found in own for column in found))
    figure, axes = grid(len(columns), 4, 1.6)
    for ax, column in zip(axes, columns, strict=True):
        for index, experiment in enumerate(shown):
            if column in own[index]:
                _plot(ax, results, experiment, column, index)
        _finish(ax, _part_title(column))
    label_outer(axes, "Epoch", "")
    handles = [matplotlib.lines.Line2D([], [], **style_of(index)) for index in range(len(shown))]
    legend_below(figure, handles, [experiment["title"] for experiment in shown])
    titles = ", ".join(experiment["title"] for experiment in shown)
    several = len({experiment["method"] for experiment in shown}) > 1
    caption = (
        f"The loss and its {counted(len(columns) - 1, 'part')} by epoch, means over the images. "
        f"{'Methods have different losses, and not all of their parts. ' if several else ''}{_seeds(shown)}"
    )
    alt = f"{counted(len(columns), 'panel')}, loss and its parts by epoch, of {titles}."
    return Drawn(figure, "Parts of the loss", caption, alt, sources(results, shown, HISTORY))


def _part_title(column: str) -> str:
    """A heading such as "Focal part"; a part's name may have several words."""
    part = column.removeprefix(PART).replace("_", " ")
    return "Loss" if column == "loss" else f"{part[:1].upper()}{part[1:]} part"


def _panels(results: Results) -> Iterator[Panel]:
    """Runs of one swept setting and the same auxiliary data; then the others, those with equal auxiliary data first."""
    trained = [experiment for experiment in results.experiments if learns(experiment)]
    methods = list(dict.fromkeys(experiment["method"] for experiment in trained))
    for method in methods:
        title = title_of(results.plan, method)
        for panel in _panels_of([e for e in trained if e["method"] == method], results):
            # Losses of different methods have different scales, so that each method has its own panels.
            panel.title = f"{title}, {panel.title}" if len(methods) > 1 else panel.title
            yield panel


def _panels_of(trained: Sequence[Experiment], results: Results) -> Iterator[Panel]:
    swept: dict[tuple[str, str], Panel] = {}
    other: dict[str, Panel] = {}
    for experiment in trained:
        data = " + ".join(results.title(name) for name in experiment["auxiliary"])
        if experiment["swept"]:
            setting = str(experiment["swept"]).rpartition(".")[2].replace("_", " ")
            panel = swept.setdefault((setting, data), Panel(data, setting))
            panel.runs.setdefault(experiment["run"], (str(experiment["value"]), experiment))
        else:
            panel = other.setdefault(data, Panel(data))
            title = _without(str(experiment["title"]), data)
            panel.runs.setdefault(experiment["run"], (title, experiment))
    several = [panel for panel in other.values() if len(panel.runs) > 1]
    single = Panel("Other auxiliary data" if several or swept else "By auxiliary data")
    for data, panel in other.items():
        if len(panel.runs) == 1:
            single.runs |= {run: (min(data, title, key=len), e) for run, (title, e) in panel.runs.items()}
    for panel in (*several, *swept.values(), *([single] if single.runs else [])):
        runs = list(panel.runs.items())
        for start in range(0, len(runs), LINES):
            yield Panel(panel.title, panel.setting, dict(runs[start : start + LINES]))


def _without(title: str, data: str) -> str:
    """An experiment's title without its auxiliary data, which the panel names."""
    return title.removesuffix(data).rstrip(": ") or data


def _plot(ax: Axes, results: Results, experiment: Experiment, column: str, index: int) -> None:
    histories = [_history(results, experiment, seed) for seed in experiment["seeds"]]
    # Stages follow each other, each may count its epochs from 1; a stage may have ended sooner with one of the seeds.
    epochs = np.arange(1, min(map(len, histories)) + 1)
    lines = np.stack([history[column].to_numpy()[: len(epochs)] for history in histories])
    mean = lines.mean(axis=0)
    # Of a single epoch there is no line.
    ax.plot(epochs, mean, marker="o" if len(epochs) == 1 else "", **style_of(index))
    if len(lines) > 1:
        sd = lines.std(axis=0, ddof=1)
        ax.fill_between(epochs, mean - sd, mean + sd, color=COLOURS[index % 7], alpha=0.2, lw=0)


def _finish(ax: Axes, title: str) -> None:
    ax.set(ylim=(0, None), title=wrapped(title, 34, 2))
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(6, integer=True, min_n_ticks=1))
    ax.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(3))


def _history(results: Results, experiment: Experiment, seed: int) -> pd.DataFrame:
    return read_history(results.run_folder(experiment, seed) / HISTORY)


def _seeds(experiments: Sequence[Mapping[str, object]]) -> str:
    several = any(len(experiment["seeds"]) > 1 for experiment in experiments)  # type: ignore[arg-type]
    return f"Lines are means over the seeds; bands are {SPREAD}." if several else "One seed."
