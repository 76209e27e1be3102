"""`results/summary.json`: the figures that `dvc metrics` shows and compares between two runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adaclip.report.compare import Comparison
from adaclip.report.names import METRICS
from adaclip.report.results import Results


def summarise(results: Results, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Percent by experiment, then by set (`average` over all that it is evaluated on), then by metric.

    Flattened, as DVC prints them, the names read `main.visa.pixel_auroc`; beside a figure that a table of the plan
    compares with a published one stands `main.visa.pixel_auroc_minus_published`. Undefined figures are left out.
    """
    differences = _differences(comparisons)
    summary: dict[str, Any] = {}
    for experiment in results.experiments:
        name = experiment["name"]
        entry: dict[str, Any] = {"average": {}}
        for level, metric in METRICS:
            found = results.average(name, experiment["evaluate"], level, metric)
            if found.values:
                entry["average"][f"{level}_{metric}"] = round(100 * found.mean, 4)
        for dataset in experiment["evaluate"]:
            figures = entry.setdefault(dataset, {})
            for level, metric in METRICS:
                measured = results.measured(name, dataset, level, metric)
                if measured.values:
                    figures[f"{level}_{metric}"] = round(100 * measured.mean, 4)
                difference = differences.get((name, dataset, level, metric))
                if difference is not None:
                    figures[f"{level}_{metric}_minus_published"] = round(difference, 4)
        summary[name] = entry
    return summary


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
