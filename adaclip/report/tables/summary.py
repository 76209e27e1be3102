"""Figures as JSON for `dvc metrics`.

`results/metrics/<experiment>.json` has the averages of one experiment: `dvc metrics show` prints a row for each file,
so that experiments stand below each other. `results/summary.json` has every set of every experiment, for the page and
for `dvc metrics diff --targets results/summary.json`, which prints a row for each figure that changed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from adaclip.metrics.names import METRICS
from adaclip.report.results import Results
from adaclip.report.tables.compare import Comparison

#: Ends the name of a difference from a published figure.
GAP = "_minus_published"
#: Marks figures that drawn images have a part in.
MARK = "simulated"


def summarise(results: Results, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Percent by experiment, then by set (`average` over all that it is evaluated on), then by metric.

    Flattened, as DVC prints them, the names read `main.visa.pixel_auroc`; beside a figure that a table of the plan
    compares with a published one stands `main.visa.pixel_auroc_minus_published`. Undefined figures are left out. Where
    drawn images have a part, `main.visa.simulated` is true, and no figure is compared with a published one.
    """
    differences = _differences(comparisons)
    summary: dict[str, Any] = {}
    for experiment in results.experiments:
        name = experiment["name"]
        entry: dict[str, Any] = {"average": {}}
        if any(results.drawn(name, dataset) for dataset in experiment["evaluate"]):
            entry["average"][MARK] = True
        for level, metric in METRICS:
            found = results.average(name, experiment["evaluate"], level, metric)
            if found.values:
                entry["average"][f"{level}_{metric}"] = round(100 * found.mean, 4)
        for dataset in experiment["evaluate"]:
            figures: dict[str, Any] = entry.setdefault(dataset, {})
            if results.drawn(name, dataset):
                figures[MARK] = True
            for level, metric in METRICS:
                measured = results.measured(name, dataset, level, metric)
                if measured.values:
                    figures[f"{level}_{metric}"] = round(100 * measured.mean, 4)
                difference = differences.get((name, dataset, level, metric))
                if difference is not None:
                    figures[f"{level}_{metric}{GAP}"] = round(difference, 4)
        summary[name] = entry
    return summary


def overviews(results: Results, summary: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, Any]]:
    """Averages in percent by experiment: by domain, over the sets that the experiment was evaluated on, then by metric.

    `minus_published` is the mean difference from published figures, over the sets that have one.

    Args:
        results: of the plan.
        summary: of `summarise`.
    """
    domains = dict.fromkeys(facts["domain"] for facts in results.sets.values())
    found: dict[str, dict[str, Any]] = {}
    for experiment in results.experiments:
        name = experiment["name"]
        entry: dict[str, Any] = {}
        if summary[name]["average"].get(MARK):
            entry[MARK] = True
        for domain in domains:
            own = [dataset for dataset in experiment["evaluate"] if results.sets[dataset]["domain"] == domain]
            for level, metric in METRICS:
                mean = results.average(name, own, level, metric).mean
                if not math.isnan(mean):
                    entry.setdefault(domain, {})[f"{level}_{metric}"] = round(100 * mean, 4)
        for level, metric in METRICS:
            key = f"{level}_{metric}"
            gaps = [by_set[f"{key}{GAP}"] for by_set in summary[name].values() if f"{key}{GAP}" in by_set]
            if gaps:
                entry.setdefault("minus_published", {})[key] = round(statistics.fmean(gaps), 4)
        found[name] = entry
    return found


def _differences(comparisons: Sequence[Comparison]) -> dict[tuple[str, str, str, str], float]:
    """By experiment, set, level and metric; the first table that compares it counts."""
    found: dict[tuple[str, str, str, str], float] = {}
    for comparison in comparisons:
        for index, line in enumerate(comparison.lines):
            if line.kind != "difference":
                continue
            for point in comparison.points:
                if point.over or point.category:
                    continue
                for metric in comparison.metrics:
                    value = comparison.at(index, point, metric).value
                    if value is not None:
                        # Behind its measured line.
                        experiment = comparison.at(index - 1, point, metric).experiment
                        found.setdefault((experiment, point.set, *metric), value)
    return found
