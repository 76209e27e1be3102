"""All measured figures of a plan, read once and laid out as tables and figures want them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaclip.data.leakage import overlaps
from adaclip.errors import AdaclipError
from adaclip.metrics.names import METRICS
from adaclip.report.stored import check_images, read_metrics, read_stored
from adaclip.system.files import read_json

if TYPE_CHECKING:
    import pandas as pd

#: Stands wherever images were drawn.
SIMULATED = "§"


@dataclass(frozen=True)
class Evaluation:
    """One checkpoint on one set; `metrics` is its metrics.json, `folder` where its other files stand."""

    experiment: Mapping[str, Any]
    seed: int
    set: str
    metrics: Mapping[str, Any]
    folder: Path

    @property
    def images(self) -> int:
        """How many images were evaluated."""
        return sum(int(entry["images"]) for entry in self.metrics["categories"].values())


@dataclass(frozen=True)
class Measured:
    """One figure over the seeds.

    Attributes:
        values: fractions, one for each seed where it is defined, in the order of the seeds.
        reason: why there is none, or "".
        sets: how many sets it is a mean over.
    """

    values: tuple[float, ...] = ()
    reason: str = ""
    sets: int = 1

    @property
    def mean(self) -> float:
        """Mean over the seeds; NaN where there is none."""
        return statistics.fmean(self.values) if self.values else math.nan

    @property
    def sd(self) -> float:
        """Sample standard deviation over the seeds; NaN for less than two."""
        return statistics.stdev(self.values) if len(self.values) > 1 else math.nan

    @property
    def seeds(self) -> int:
        """How many seeds it is a mean over."""
        return len(self.values)


def average(parts: Sequence[Measured]) -> Measured:
    """The mean over sets (or categories) where the figure is defined, seed by seed, so that it has a spread of its own.

    Sets with fewer seeds than others limit the number of seeds: the first ones count.
    """
    defined = [part for part in parts if part.values]
    if not defined:
        return Measured(reason=next((part.reason for part in parts if part.reason), "no figure"), sets=0)
    seeds = min(part.seeds for part in defined)
    means = tuple(statistics.fmean(part.values[index] for part in defined) for index in range(seeds))
    return Measured(means, sets=len(defined))


class Results:
    """The measured figures of a plan.

    Args:
        plan_file: `results/plan.json`, or that of a part; its `root` says where the runs are.

    Raises:
        AdaclipError: a file of an evaluation is missing or damaged.
    """

    def __init__(self, plan_file: str | Path) -> None:
        self.plan: dict[str, Any] = read_stored(Path(plan_file))
        if "experiments" not in self.plan:
            raise AdaclipError(f"{plan_file} is not a plan: make it with adaclip plan")
        self.root = Path(plan_file).parent / str(self.plan["root"])
        self.experiments: list[dict[str, Any]] = self.plan["experiments"]
        self.sets: dict[str, dict[str, Any]] = self.plan["sets"]
        self.by_name = {experiment["name"]: experiment for experiment in self.experiments}

    @cached_property
    def simulated(self) -> frozenset[str]:
        """Sets whose images were drawn by `adaclip data simulate`: no figure on them stands for one on the real set.

        Each prepared set says so of itself. Where it does not, a run that draws its data has drawn all built-in sets.
        """
        return frozenset(name for name, facts in self.sets.items() if self._is_drawn(facts))

    def _is_drawn(self, facts: Mapping[str, Any]) -> bool:
        prepared = Path(facts["manifest"]).with_name("prepared.json")
        said = read_json(prepared).get("simulated") if prepared.is_file() else None
        return bool(said if said is not None else self.plan["simulated"] and facts["built_in"])

    @property
    def all_simulated(self) -> bool:
        """Whether every set of the plan was drawn."""
        return bool(self.sets) and len(self.simulated) == len(self.sets)

    def drawn(self, experiment: str, name: str) -> bool:
        """Whether drawn images or drawn weights have a part in an experiment's figures on a set."""
        settings = self.by_name[experiment]
        if not self.simulated.isdisjoint({name, settings["selection"], *settings["auxiliary"]}):
            return True
        return any(one.metrics.get("drawn_weights") for one in self._by_experiment.get((experiment, name), ()))

    def title(self, name: str) -> str:
        """A set's title for figures, with a sign where it was drawn and others were not."""
        marked = name in self.simulated and not self.all_simulated
        return f"{self.sets[name]['title']}{f' {SIMULATED}' if marked else ''}"

    def marked(self, title: str, experiments: Iterable[Mapping[str, Any]]) -> str:
        """A title of experiments for figures, with a sign where drawn images trained one and other images are real."""
        used = {name for one in experiments for name in (*one["auxiliary"], one["selection"])}
        return f"{title} {SIMULATED}" if not self.all_simulated and used & self.simulated else title

    def runs_of(self, experiments: Iterable[str]) -> tuple[str, ...]:
        """Runs of experiments, each once, in their order."""
        return tuple(dict.fromkeys(str(self.by_name[name]["run"]) for name in experiments))

    def run_folder(self, experiment: Mapping[str, Any], seed: int) -> Path:
        """Where a checkpoint's files stand."""
        return self.root / "runs" / str(experiment["run"]) / f"seed-{seed}"

    @cached_property
    def evaluations(self) -> list[Evaluation]:
        """Every evaluation of every experiment, in the plan's order."""
        stored: dict[Path, Any] = {}
        found = []
        for experiment in self.experiments:
            for name in experiment["evaluate"]:
                for seed in experiment["seeds"]:
                    folder = self.run_folder(experiment, seed) / name
                    # Experiments share runs.
                    if folder not in stored:
                        stored[folder] = self._read(folder / "metrics.json", experiment, seed, name)
                    found.append(Evaluation(experiment, seed, name, stored[folder], folder))
        return found

    def _read(self, path: Path, experiment: Mapping[str, Any], seed: int, name: str) -> dict[str, Any]:
        protocol = self.plan["evaluation"]["protocol"]
        metrics = read_metrics(path, {"set": name, "run": experiment["run"], "seed": seed, "protocol": protocol})
        check_images(path, metrics, Path(self.sets[name]["manifest"]))
        return metrics

    @cached_property
    def _by_experiment(self) -> dict[tuple[str, str], list[Evaluation]]:
        found: dict[tuple[str, str], list[Evaluation]] = {}
        for evaluation in self.evaluations:
            found.setdefault((evaluation.experiment["name"], evaluation.set), []).append(evaluation)
        return found

    def of(self, experiment: Mapping[str, Any], name: str) -> list[Evaluation]:
        """The evaluations of an experiment on a set, one for each seed."""
        return self._evaluated(str(experiment["name"]), name)

    def measured(self, experiment: str, name: str, level: str, metric: str, category: str = "") -> Measured:
        """A figure over the seeds.

        Args:
            experiment: its name.
            name: the set.
            level: image or pixel.
            metric: such as auroc.
            category: of the set, or "" for the mean over its categories.
        """
        values, reason = [], ""
        for found in self._evaluated(experiment, name):
            value = _value(found.metrics, category, level, metric)
            if value is None:
                reason = reason or _reason(found.metrics, category, level, metric)
            else:
                values.append(value)
        if values:
            return Measured(tuple(values))
        return Measured(reason=reason or f"{experiment} is not evaluated on {name}")

    def under(self, protocol: str, experiment: str, name: str, metric: str) -> Measured:
        """A pixel figure over the seeds under one of the two protocols, whichever the plan's is.

        Args:
            protocol: published or common.
            experiment: its name.
            name: the set.
            metric: such as auroc.
        """
        found = [
            entry.metrics["protocols"][protocol]["mean"]["pixel"][metric] for entry in self._evaluated(experiment, name)
        ]
        values = tuple(value for value in found if value is not None)
        return Measured(values, "" if values else self.measured(experiment, name, "pixel", metric).reason)

    def _evaluated(self, experiment: str, name: str) -> list[Evaluation]:
        return self._by_experiment.get((experiment, name), [])

    def categories(self, experiment: str, name: str) -> list[str]:
        """Categories of a set as an experiment found them; none where it is not evaluated."""
        found = self._evaluated(experiment, name)
        return list(found[0].metrics["categories"]) if found else []

    def counts(self, experiment: str, name: str) -> tuple[int, int]:
        """How many normal and anomalous images an experiment was evaluated on."""
        found = self._by_experiment[experiment, name][0].metrics["categories"].values()
        anomalous = sum(entry["anomalous"] for entry in found)
        return sum(entry["images"] for entry in found) - anomalous, anomalous

    def selected_on(self, experiment: str, name: str) -> bool:
        """Whether an experiment's epoch was chosen on this set."""
        return bool(self.by_name[experiment]["selection"] == name)

    def overlap(self, experiment: str, name: str) -> int:
        """How many evaluated images the auxiliary data hold too; 0 where no audit was made.

        Of sets that released weights were trained on and that are not here nothing is known.
        """
        if self.left_out(experiment, name):
            return 0
        audit = self.root / "audit" / "leakage.json"
        auxiliary = [one for one in self.by_name[experiment]["auxiliary"] if one in self.sets]
        return overlaps(auxiliary, name, audit) if auxiliary and audit.is_file() else 0

    def left_out(self, experiment: str, name: str) -> int:
        """How many images of a set were not evaluated, since the auxiliary data hold them too."""
        left_out = self._by_experiment[experiment, name][0].metrics.get("left_out") or {}
        return int(left_out.get("identical", 0)) + int(left_out.get("near", 0))

    def vanished(self, experiment: str, name: str, category: str = "") -> int:
        """How many masks of a set (or of one category) have no pixel left at the evaluation's size."""
        found = self._by_experiment[experiment, name][0].metrics["categories"]
        chosen = [found[category]] if category else list(found.values())
        return sum(int(entry.get("vanished", 0)) for entry in chosen)

    @cached_property
    def long(self) -> pd.DataFrame:
        """One row for each experiment, seed, set, category ("" for the set's mean), level and metric.

        `value` is a fraction, NaN where undefined with the `reason`.
        """
        import pandas as pd

        return pd.DataFrame(list(self._rows()))

    def _rows(self) -> Iterator[dict[str, Any]]:
        for found in self.evaluations:
            head = {"experiment": found.experiment["name"], "set": found.set, "seed": found.seed}
            for category in ("", *found.metrics["categories"]):
                for level, metric in METRICS:
                    value = _value(found.metrics, category, level, metric)
                    yield {
                        **head,
                        "category": category,
                        "level": level,
                        "metric": metric,
                        "value": math.nan if value is None else value,
                        "reason": _reason(found.metrics, category, level, metric) if value is None else "",
                    }

    def value(self, experiment: str, name: str, level: str, metric: str, category: str = "") -> tuple[float, float]:
        """Mean and standard deviation over the seeds (NaN where there is none)."""
        found = self.measured(experiment, name, level, metric, category)
        return found.mean, found.sd

    def average(self, experiment: str, names: Sequence[str], level: str, metric: str) -> Measured:
        """Mean over the sets where a metric is defined."""
        return average([self.measured(experiment, name, level, metric) for name in names])


def _value(metrics: Mapping[str, Any], category: str, level: str, metric: str) -> float | None:
    part = metrics["categories"].get(category, {}) if category else metrics["mean"]
    value: float | None = part.get(level, {}).get(metric)
    return value


def _reason(metrics: Mapping[str, Any], category: str, level: str, metric: str) -> str:
    key = f"{level}.{metric}"
    if category:
        return str(metrics["categories"].get(category, {}).get("undefined", {}).get(key, "no such category"))
    reasons = [entry["undefined"].get(key) for entry in metrics["categories"].values()]
    return next((str(reason) for reason in reasons if reason), "undefined in every category")
