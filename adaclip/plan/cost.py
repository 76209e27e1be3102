"""What a target costs before anyone starts it: jobs, and hours of the device that they compute on.

An image costs what `adaclip/plan/rates.yaml` says of its model; a model that is not there is counted by its arithmetic,
relative to one that is. The file names the source of every figure. The rates are AdaCLIP's; an image of another method
counts as so many of them as its card has passes.

A training on frozen features counts as an evaluation of all its images at every epoch. That is the most it can cost:
features that fit into `runtime.frozen_cache` are computed in the first epoch only.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaclip.clip.architectures import config_file
from adaclip.clip.settings import BackboneSettings
from adaclip.data.manifest import known_facts
from adaclip.errors import AdaclipError
from adaclip.plan.resolve import Plan
from adaclip.system.reading import read_yaml

RATES = Path(__file__).with_name("rates.yaml")
#: Rules that compute with the model, in the order of the stages, and what to call them.
STAGES = {"features": "features", "train": "training", "evaluate": "evaluation", "baseline": "baselines"}
Job = tuple[str, Mapping[str, str]]


@dataclass(frozen=True)
class Cost:
    """An estimate.

    Attributes:
        jobs: number of jobs by rule.
        seconds: the least and the most seconds of the device, by rule.
        methods: the same by title of the method.
        device: GPU or CPU.
        sources: of the rates.
    """

    jobs: Mapping[str, int]
    seconds: Mapping[str, tuple[float, float]]
    methods: Mapping[str, tuple[float, float]]
    device: str
    sources: tuple[str, ...]

    def lines(self) -> list[str]:
        """What to print: the jobs, the hours by stage and by method, and where the rates are from."""
        total = sum(self.jobs.values())
        counted = [f"{self.jobs[rule]} {rule}" for rule in STAGES if self.jobs.get(rule)]
        others = total - sum(self.jobs.get(rule, 0) for rule in STAGES)
        if others:
            counted.append(f"{others} others")
        lines = [f"cost: {total} jobs: {', '.join(counted)}"]
        if self.seconds:
            parts = [f"{STAGES[rule]} {_hours(span)}" for rule, span in self.seconds.items()]
            low, high = (sum(span[end] for span in self.seconds.values()) for end in (0, 1))
            lines.append(f"cost: about {_hours((low, high))} {self.device}-hours ({', '.join(parts)})")
            methods = [f"{title} {_hours(span)}" for title, span in self.methods.items()]
            lines.append(f"cost: by method: {'; '.join(methods)}")
            lines += [f"cost: {source}" for source in self.sources]
        return lines


def _hours(span: tuple[float, float]) -> str:
    low, high = (f"{seconds / 3600:.2g}" if seconds < 36000 else f"{seconds / 3600:.0f}" for seconds in span)
    return low if low == high else f"{low} to {high}"


def estimate(plan: Plan, images: Mapping[str, int], jobs: Iterable[Job]) -> Cost:
    """Estimate jobs.

    Args:
        plan: of the configuration.
        images: number of test images of each set.
        jobs: rule and wildcards of each, as Snakemake plans them; a rule that runs no model counts as a job only.

    Raises:
        AdaclipError: `rates.yaml` cannot be used.
    """
    on_gpu = plan.config.runtime["device"] != "cpu"
    rates = _rates()["gpu" if on_gpu else "cpu"]
    counts: Counter[str] = Counter()
    seconds: dict[str, tuple[float, float]] = {}
    methods: dict[str, tuple[float, float]] = {}
    for rule, wildcards in jobs:
        counts[rule] += 1
        passes = _passes(plan, rule, wildcards, images)
        if passes is None:
            continue
        backbone, title, work = passes
        rate = _rate(backbone, rates)
        low, high = (rates["start"] + sum(count * rate[kind][end] for kind, count in work.items()) for end in (0, 1))
        for spans, key in ((seconds, rule), (methods, title)):
            before = spans.get(key, (0.0, 0.0))
            spans[key] = (before[0] + low, before[1] + high)
    ordered = {rule: seconds[rule] for rule in STAGES if rule in seconds}
    return Cost(dict(counts), ordered, methods, "GPU" if on_gpu else "CPU", tuple(rates["sources"]))


def _passes(
    plan: Plan, rule: str, wildcards: Mapping[str, str], images: Mapping[str, int]
) -> tuple[BackboneSettings, str, dict[str, float]] | None:
    """The backbone of a job, its method's title, and how many images it takes through it, by kind of pass."""
    if rule == "features":
        return plan.features[wildcards["backbone"]], "stored features", {"features": images[wildcards["set"]]}
    if rule not in STAGES:
        return None
    experiment = plan.runs[wildcards["run"]].experiment
    card = experiment.card
    if not card.uses_backbone:
        return None
    backbone = plan.computed[experiment.name]
    if rule != "train":
        return backbone, card.title, {"evaluate": card.passes * images[wildcards["set"]]}
    if experiment.train is None:
        return backbone, card.title, {}
    epochs, selection = experiment.train.epochs, experiment.selection
    shown = epochs * sum(images[name] for name in experiment.auxiliary)
    judged = epochs * images[selection] if selection else 0
    if not card.learns_through_towers:
        return backbone, card.title, {"evaluate": card.passes * (shown + judged)}
    return backbone, card.title, {"train": shown, "evaluate": judged}


def planned_jobs(plan: Plan) -> list[Job]:
    """The jobs that a plan needs of the model, when nothing is there yet."""
    evaluations = plan.evaluations()
    trained, released = plan.trained_runs(), plan.released_runs()
    jobs: list[Job] = []
    needed: dict[tuple[str, str], None] = {}
    for run, seed in dict.fromkeys((run, seed) for run, seed, _ in evaluations if run in trained):
        experiment = plan.runs[run].experiment
        jobs.append(("train", {"run": run, "seed": str(seed)}))
        features = plan.features_of(experiment)
        if experiment.is_trained and features is not None:
            names = (*experiment.auxiliary, *filter(None, [experiment.selection]))
            needed |= dict.fromkeys((features, name) for name in names)
    for run, seed, name in evaluations:
        rule = "evaluate" if run in trained or run in released else "baseline"
        jobs.append((rule, {"run": run, "seed": str(seed), "set": name}))
        features = plan.features_of(plan.runs[run].experiment)
        if features is not None and rule == "evaluate":
            needed[features, name] = None
    return [*(("features", {"backbone": backbone, "set": name}) for backbone, name in needed), *jobs]


def count_images(plan: Plan, expected: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Test images of each set: those that are prepared, else those that are expected.

    Args:
        plan: of the configuration.
        expected: counts of the published test splits by set, `normal` and `anomalous`; empty where unknown.
    """
    return {name: _count(plan, name, expected.get(name, {})) for name in plan.used_sets()}


def _count(plan: Plan, name: str, expected: Mapping[str, int]) -> int:
    counts = known_facts(plan.config.data, name).get("counts")
    # A damaged one is made again by the run; what it costs is then an estimate as before.
    with contextlib.suppress(TypeError, ValueError, AttributeError):
        if isinstance(counts, dict):
            return sum(int(count) for count in counts.get("test", {}).values())
    simulate = plan.config.simulate
    # The most that a drawn set has: four categories, or one photograph cut into several images.
    return 4 * simulate["images"] if simulate is not None else sum(expected.values())


@functools.cache
def _rates() -> dict[str, Any]:
    rates = read_yaml(RATES)
    if not isinstance(rates, dict) or not {"cpu", "gpu"} <= rates.keys():
        raise AdaclipError(f"{RATES} has no rates of cpu and gpu")
    return rates


def _rate(backbone: BackboneSettings, rates: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Least and most seconds of an image by kind of pass."""
    entry = next((entry for entry in rates["models"] if entry["model"] == backbone.model), rates["models"][0])
    own, known = (
        _arithmetic(m.model, m.image_size)
        for m in (backbone, BackboneSettings(entry["model"], None, entry["image_size"]))
    )
    scale = own / known if own and known else 1.0
    return {kind: (scale * entry[kind][0], scale * entry[kind][1]) for kind in ("features", "evaluate", "train")}


@functools.cache
def _arithmetic(model: str, image_size: int) -> float | None:
    """Multiplications of a vision tower for one image, up to a constant; None for an unknown model."""
    try:
        tower = json.loads(config_file(model).read_text(encoding="utf-8"))["vision_cfg"]
        layers, width, tokens = tower["layers"], tower["width"], 1 + (image_size // tower["patch_size"]) ** 2
        return float(layers * (12 * tokens * width**2 + 2 * tokens**2 * width))
    except (AdaclipError, OSError, ValueError, KeyError, TypeError):
        return None
