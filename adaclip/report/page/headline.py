"""The head of the page: how much was measured, what was reproduced and within what, and how the experiments compare."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adaclip.metrics.names import METRICS
from adaclip.report.document import Cell, Column, TableDoc
from adaclip.report.methods import Experiment, is_trained, titles_of, trained_on
from adaclip.report.protocol import protocol_sentence
from adaclip.report.results import SIMULATED, Results
from adaclip.report.tables.cells import Notes, fraction, number, percent, points, signed
from adaclip.system.wording import counted, noun

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
        _fact(len(results.experiments), "experiment"),
        _fact(
            len({(run, seed) for run, seed, _ in evaluations}), "checkpoint or baseline", "checkpoints and baselines"
        ),
        _fact(len(evaluations), "zero-shot evaluation"),
        _fact(len({name for _, _, name in evaluations}), "set evaluated", "sets evaluated"),
        _fact(images, "image scored", "images scored"),
    )
    sentences = [*_against_published(results, summary), *_against_untrained(results)]
    return Headline(facts, tuple(sentences), _averages(results))


def _against_published(results: Results, summary: Mapping[str, Any]) -> Iterator[str]:
    """What was reproduced, within what, and what differs most."""
    if results.all_simulated:
        yield "All images are simulated, so no figure here has a rank, or is compared with a published one."
        return
    if results.simulated:
        names = ", ".join(results.sets[name]["title"] for name in results.sets if name in results.simulated)
        yield (
            f"The images of {names} are simulated ({SIMULATED}): no figure that they have a part in has a rank, or is "
            "compared with a published one."
        )
    found = sorted(_differences(results, summary), key=lambda pair: -abs(pair[0]))
    if not found:
        return
    sizes = [abs(difference) for difference, _ in found]
    within = sum(size <= AGREEMENT for size in sizes)
    stand, lie = noun(len(found), "figure stands", "figures stand"), noun(within, "lies", "lie")
    yield (
        f"{len(found)} {stand} beside a published one. {within} of them {lie} within {AGREEMENT} points, about as "
        "far as re-runs in the literature agree with each other; "
        f"the median distance is {points(statistics.median(sizes))} points."
    )
    far = [f"{what} ({signed(difference)})" for difference, what in found[:3] if abs(difference) > AGREEMENT]
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


def _pairs(results: Results) -> Sequence[tuple[Experiment, Experiment, list[str]]]:
    """The first two trained experiments, each with the same model untrained and the sets that both have."""
    untrained = [e for e in results.experiments if e["kind"] == "untrained"]
    trained = [e for e in results.experiments if is_trained(e)]
    pairs = [
        (experiment, baseline, [name for name in experiment["evaluate"] if name in baseline["evaluate"]])
        for experiment in trained
        for baseline in untrained
        if all(baseline[part] == experiment[part] for part in ("backbone", "preset", "model"))
    ]
    return [pair for pair in pairs if pair[2]][:2]


def _against_untrained(results: Results) -> Iterator[str]:
    """Trained and untrained, over the same sets; both figures stand in the table below."""
    for experiment, baseline, shared in _pairs(results):
        ours = results.average(experiment["name"], shared, "pixel", "auroc")
        theirs = results.average(baseline["name"], shared, "pixel", "auroc")
        if ours.values and theirs.values:
            drawn = any(results.drawn(experiment["name"], name) for name in shared)
            yield (
                f"{experiment['title']}: mean pixel AUROC {percent(ours.mean)} over {counted(ours.sets, 'set')} with "
                f"masks that it never saw{', of simulated images' if drawn else ''}; the same model untrained has "
                f"{percent(theirs.mean)}, chance is 50."
            )


def _fact(number: int, one: str, many: str = "") -> Fact:
    return Fact(f"{number:,}", noun(number, one, many))


def _averages(results: Results) -> TableDoc:
    """Each experiment over its own sets, and those that a sentence compares over the sets that they share."""
    columns = [Column("experiment", "Experiment"), Column("auxiliary", "Trained on"), Column("sets", "Sets", "number")]
    columns += [Column(f"{level}_{metric}", METRICS[level, metric], "percent") for level, metric in SHOWN]
    lines: list[tuple[Experiment, str, list[str]]] = [(e, e["title"], list(e["evaluate"])) for e in results.experiments]
    for experiment, baseline, shared in _pairs(results):
        for one, other in ((experiment, baseline), (baseline, experiment)):
            if set(shared) != set(one["evaluate"]):
                place = 1 + next(index for index, line in enumerate(lines) if line[0]["name"] == one["name"])
                lines.insert(place, (one, f"{one['title']}, on the sets of {other['title']}", shared))
    rows, notes = [], Notes()
    known = titles_of(results.plan)
    for experiment, title, own in lines:
        name = experiment["name"]
        titles = trained_on([experiment], known)
        marks = notes.keys([], simulated=any(results.drawn(name, one) for one in own))
        found = [results.average(name, own, level, metric) for level, metric in SHOWN]
        cells = [fraction(one.mean, one.sd) for one in found]
        rows.append((Cell(title, notes=marks), Cell(titles), number(len(own)), *cells))
    caption = (
        "Averages over the sets that each experiment was evaluated on, of those that have the labels or masks: compare "
        f"rows that share their sets. {protocol_sentence(results.plan)}"
    )
    return TableDoc(
        "summary",
        "Averages by experiment",
        caption,
        "measured",
        tuple(columns),
        tuple(rows),
        notes.ordered(),
        runs=results.runs_of(results.by_name),
        csv="averages.csv",
    )
