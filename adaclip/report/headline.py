"""The head of the page: how much was measured, and how the experiments compare."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from adaclip.report.document import Cell, Column, TableDoc
from adaclip.report.names import METRICS
from adaclip.report.results import Results

#: Shown for each experiment.
SHOWN = (("image", "auroc"), ("pixel", "auroc"), ("pixel", "f1_max"), ("pixel", "aupro"))


@dataclass(frozen=True)
class Fact:
    """A number and what it counts."""

    number: str
    what: str


@dataclass(frozen=True)
class Summary:
    """The head of the page.

    Attributes:
        facts: counts.
        sentences: what was found.
        table: averages by experiment.
    """

    facts: tuple[Fact, ...]
    sentences: tuple[str, ...]
    table: TableDoc | None


def summarise(results: Results) -> Summary:
    """The summary of a plan's results."""
    evaluations = {(found.experiment["run"], found.seed, found.set): found for found in results.evaluations}
    images = sum(found.metrics["images"] for found in evaluations.values())
    runs = {(run, seed) for run, seed, _ in evaluations}
    evaluated = {name for _, _, name in evaluations}
    facts = (
        Fact(str(len(results.experiments)), "experiments"),
        Fact(str(len(runs)), "checkpoints and baselines"),
        Fact(f"{len(evaluations):,}", "zero-shot evaluations"),
        Fact(str(len(evaluated)), "sets evaluated"),
        Fact(f"{images:,}", "images scored"),
    )
    return Summary(facts, tuple(_sentences(results)), _averages(results))


def _sentences(results: Results) -> list[str]:
    found = []
    for experiment in results.experiments:
        baseline = results.baseline_of(experiment)
        if experiment["method"] != "adaclip" or baseline is None:
            continue
        shared = [name for name in experiment["evaluate"] if name in baseline["evaluate"]]
        ours, count = results.average(experiment["name"], shared, "pixel", "auroc")
        theirs, _ = results.average(baseline["name"], shared, "pixel", "auroc")
        if count:
            found.append(
                f"{experiment['title']}: mean pixel AUROC {100 * ours:.1f} over {count} sets that it never saw; "
                f"the same model untrained has {100 * theirs:.1f}, chance 50."
            )
        if len(found) == 2:
            break
    return found


def _averages(results: Results) -> TableDoc:
    columns = [Column("experiment", "Experiment"), Column("auxiliary", "Trained on"), Column("sets", "Sets", "number")]
    columns += [Column(f"{level}_{metric}", METRICS[level, metric], "percent") for level, metric in SHOWN]
    rows = []
    for experiment in results.experiments:
        own = experiment["evaluate"]
        titles = " + ".join(results.sets[name]["title"] for name in experiment["auxiliary"]) or "nothing"
        cells = [Cell(experiment["title"]), Cell(titles), Cell(str(len(own)), len(own))]
        cells += [_percent(results.average(experiment["name"], own, level, metric)[0]) for level, metric in SHOWN]
        rows.append(tuple(cells))
    caption = "Averages over the sets that each experiment was evaluated on: compare rows that share their sets."
    return TableDoc("summary", "Averages by experiment", caption, "measured", tuple(columns), tuple(rows))


def _percent(value: Any) -> Cell:
    return Cell("–") if math.isnan(value) else Cell(f"{100 * value:.1f}", 100 * value)
