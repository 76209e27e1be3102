"""All measured figures of a plan, read once and laid out as tables and figures want them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from adaclip.errors import AdaclipError
from adaclip.files import read_json
from adaclip.report.names import METRICS


@dataclass(frozen=True)
class Evaluation:
    """One checkpoint on one set; `metrics` is its metrics.json, `folder` where its other files stand."""

    experiment: Mapping[str, Any]
    seed: int
    set: str
    metrics: Mapping[str, Any]
    folder: Path


class Results:
    """The measured figures of a plan.

    Args:
        plan_file: `results/plan.json`, or that of a part; its `root` says where the runs are.

    Raises:
        AdaclipError: a file of an evaluation is missing or damaged.
    """

    def __init__(self, plan_file: str | Path) -> None:
        self.plan: dict[str, Any] = read_json(plan_file)
        if not isinstance(self.plan, dict) or "experiments" not in self.plan:
            raise AdaclipError(f"{plan_file} is not a plan: make it with adaclip plan")
        self.root = Path(plan_file).parent / str(self.plan["root"])
        self.experiments: list[dict[str, Any]] = self.plan["experiments"]
        self.sets: dict[str, dict[str, Any]] = self.plan["sets"]

    def run_folder(self, experiment: Mapping[str, Any], seed: int) -> Path:
        """Where a checkpoint's files stand."""
        return self.root / "runs" / str(experiment["run"]) / f"seed-{seed}"

    @cached_property
    def evaluations(self) -> list[Evaluation]:
        """Every evaluation of every experiment, in the plan's order."""
        return [
            Evaluation(experiment, seed, name, read_json(folder / "metrics.json"), folder)
            for experiment in self.experiments
            for name in experiment["evaluate"]
            for seed in experiment["seeds"]
            for folder in [self.run_folder(experiment, seed) / name]
        ]

    def of(self, experiment: Mapping[str, Any], name: str) -> list[Evaluation]:
        """The evaluations of an experiment on a set, one for each seed."""
        return [e for e in self.evaluations if e.experiment["name"] == experiment["name"] and e.set == name]

    @cached_property
    def long(self) -> pd.DataFrame:
        """One row for each experiment, seed, set, category ("" for the set's mean), level and metric.

        `value` is a fraction, NaN where undefined with the `reason`.
        """
        return pd.DataFrame(list(self._rows()))

    def _rows(self) -> Iterator[dict[str, Any]]:
        for found in self.evaluations:
            head = {"experiment": found.experiment["name"], "set": found.set, "seed": found.seed}
            parts = {"": {**found.metrics["mean"], "undefined": {}}, **found.metrics["categories"]}
            for category, entry in parts.items():
                for level, metric in METRICS:
                    value = entry[level][metric]
                    reason = entry["undefined"].get(f"{level}.{metric}", "")
                    if category == "" and value is None:
                        reason = next(iter(self._reasons(found, level, metric)), "undefined in every category")
                    yield {
                        **head,
                        "category": category,
                        "level": level,
                        "metric": metric,
                        "value": math.nan if value is None else value,
                        "reason": reason if value is None else "",
                    }

    @staticmethod
    def _reasons(found: Evaluation, level: str, metric: str) -> Iterator[str]:
        for entry in found.metrics["categories"].values():
            reason = entry["undefined"].get(f"{level}.{metric}")
            if reason:
                yield reason

    @cached_property
    def spread(self) -> pd.DataFrame:
        """`long` over the seeds: mean, sd (NaN for one seed) and number of seeds."""
        keys = ["experiment", "set", "category", "level", "metric"]
        groups = self.long.groupby(keys, sort=False)
        table = groups["value"].agg(["mean", "std", "count"]).reset_index()
        table["reason"] = groups["reason"].first().to_numpy()
        return table.rename(columns={"std": "sd", "count": "seeds"})

    def value(self, experiment: str, name: str, level: str, metric: str, category: str = "") -> tuple[float, float]:
        """Mean and standard deviation over the seeds (NaN where there is none)."""
        return self._index.get((experiment, name, category, level, metric), (math.nan, math.nan))

    @cached_property
    def _index(self) -> dict[tuple[str, ...], tuple[float, float]]:
        return {
            (row["experiment"], row["set"], row["category"], row["level"], row["metric"]): (row["mean"], row["sd"])
            for row in self.spread.to_dict("records")
        }

    def average(self, experiment: str, names: list[str], level: str, metric: str) -> tuple[float, int]:
        """Mean over sets where the metric is defined, and how many they are."""
        values = [self.value(experiment, name, level, metric)[0] for name in names]
        defined = [value for value in values if not math.isnan(value)]
        return (sum(defined) / len(defined) if defined else math.nan), len(defined)

    def baseline_of(self, experiment: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The untrained experiment with the same backbone and model, when the plan has one."""
        for other in self.experiments:
            if other["method"] == "untrained" and other["backbone"] == experiment["backbone"]:
                return other
        return None
