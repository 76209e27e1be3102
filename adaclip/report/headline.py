"""The head of the page: how much was measured, what was reproduced and within what, and how the experiments compare."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adaclip.report.cells import DASH
from adaclip.report.document import Cell, Column, TableDoc
from adaclip.report.names import METRICS
from adaclip.report.results import Measured, Results

#: Shown for each experiment.
SHOWN = (("image", "auroc"), ("pixel", "auroc"), ("pixel", "f1_max"), ("pixel", "aupro"))
#: Re-runs of AdaCLIP by others differ from each other by about this much (percentage points, mean of a set).
AGREEMENT = 1.5
PUBLISHED = "_minus_published"


@dataclass(frozen=True)
class Fact:
    """A number and what it counts."""

    number: str
    what: str


@dataclass(frozen=True)
class Headline:
    """The head of the page.

    Attributes:
        facts: counts.
        sentences: what was found.
        table: averages by experiment.
    """

    facts: tuple[Fact, ...]
    sentences: tuple[str, ...]
    table: TableDoc


def headline(results: Results, summary: Mapping[str, Any]) -> Headline:
    """The head of the page.

    Args:
        results: of the plan.
        summary: `results/summary.json`.
    """
    evaluations = {(found.experiment["run"], found.seed, found.set): found for found in results.evaluations}
    images = sum(found.metrics["images"] for found in evaluations.values())
    facts = (
        Fact(str(len(results.experiments)), "experiments"),
        Fact(str(len({(run, seed) for run, seed, _ in evaluations})), "checkpoints and baselines"),
        Fact(f"{len(evaluations):,}", "zero-shot evaluations"),
        Fact(str(len({name for _, _, name in evaluations})), "sets evaluated"),
        Fact(f"{images:,}", "images scored"),
    )
    sentences = [*_against_published(results, summary), *_against_untrained(results)]
    return Headline(facts, tuple(sentences), _averages(results))


def _against_published(results: Results, summary: Mapping[str, Any]) -> Iterator[str]:
    """What was reproduced, within what, and what differs most."""
    if results.plan["simulated"]:
        yield "The data are simulated, so no figure here compares with a published one."
        return
    found = sorted(_differences(results, summary), key=lambda pair: -abs(pair[0]))
    if not found:
        return
    sizes = [abs(difference) for difference, _ in found]
    within = sum(size <= AGREEMENT for size in sizes)
    yield (
        f"{len(found)} figures stand beside a published one. {within} of them lie within {AGREEMENT} points, about as "
        "far as re-runs in the literature agree with each other; "
        f"the median distance is {statistics.median(sizes):.1f} points."
    )
    far = [f"{what} ({difference:+.1f})" for difference, what in found[:3] if abs(difference) > AGREEMENT]
    if far:
        yield f"The largest differences, ours minus published: {'; '.join(far)}."


def _differences(results: Results, summary: Mapping[str, Any]) -> Iterator[tuple[float, str]]:
    titles = {experiment["name"]: experiment["title"] for experiment in results.experiments}
    for name, by_set in summary.items():
        for dataset, figures in by_set.items():
            for key, value in figures.items():
                if key.endswith(PUBLISHED) and dataset in results.sets:
                    level, _, metric = key.removesuffix(PUBLISHED).partition("_")
                    what = f"{METRICS[level, metric]} on {results.sets[dataset]['title']} by {titles[name]}"
                    yield value, what


def _against_untrained(results: Results) -> Iterator[str]:
    """The first two trained experiments beside the same model untrained, on the sets that both have."""
    untrained = [e for e in results.experiments if e["method"] == "untrained"]
    trained = [e for e in results.experiments if e["method"] == "adaclip"]
    pairs = [
        (experiment, baseline)
        for experiment in trained
        for baseline in untrained
        if (baseline["backbone"], baseline["model"]) == (experiment["backbone"], experiment["model"])
    ]
    for experiment, baseline in pairs[:2]:
        shared = [name for name in experiment["evaluate"] if name in baseline["evaluate"]]
        ours = results.average(experiment["name"], shared, "pixel", "auroc")
        theirs = results.average(baseline["name"], shared, "pixel", "auroc")
        if ours.values and theirs.values:
            yield (
                f"{experiment['title']}: mean pixel AUROC {100 * ours.mean:.1f} over {ours.sets} sets "
                f"that it never saw; the same model untrained has {100 * theirs.mean:.1f}, chance is 50."
            )


def _averages(results: Results) -> TableDoc:
    columns = [Column("experiment", "Experiment"), Column("auxiliary", "Trained on"), Column("sets", "Sets", "number")]
    columns += [Column(f"{level}_{metric}", METRICS[level, metric], "percent") for level, metric in SHOWN]
    rows = []
    for experiment in results.experiments:
        own: Sequence[str] = experiment["evaluate"]
        titles = " + ".join(results.sets[name]["title"] for name in experiment["auxiliary"]) or "nothing"
        cells = [Cell(experiment["title"]), Cell(titles), Cell(str(len(own)), len(own))]
        cells += [_percent(results.average(experiment["name"], own, level, metric)) for level, metric in SHOWN]
        rows.append(tuple(cells))
    caption = "Averages over the sets that each experiment was evaluated on: compare rows that share their sets."
    return TableDoc("summary", "Averages by experiment", caption, "measured", tuple(columns), tuple(rows))


def _percent(found: Measured) -> Cell:
    if not found.values:
        return Cell(DASH)
    spread = f" ± {100 * found.sd:.1f}" if found.seeds > 1 else ""
    return Cell(f"{100 * found.mean:.1f}{spread}", 100 * found.mean)
