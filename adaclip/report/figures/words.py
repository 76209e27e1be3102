"""Sentences of captions: from which jobs a figure is drawn, and with which settings they ran."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adaclip.report.results import Results
from adaclip.report.series import Experiment
from adaclip.system.wording import noun

#: So many names are written out.
LISTED = 4
SPREAD = "one standard deviation over the seeds to either side"


@dataclass(frozen=True)
class Origin:
    """Which files of which runs a figure was drawn from, in a sentence, and their settings, one part each."""

    source: str = ""
    settings: tuple[str, ...] = ()


def sources(results: Results, experiments: Iterable[Experiment], files: str) -> Origin:
    """Which files of which runs a figure is drawn from, and their settings.

    Args:
        results: of the plan.
        experiments: those that it shows.
        files: such as "metrics.json".
    """
    used = list({experiment["name"]: experiment for experiment in experiments}.values())
    if not used:
        return Origin()
    runs = list(dict.fromkeys(str(experiment["run"]) for experiment in used))
    word = "run" if len(runs) == 1 else f"{len(runs)} runs"
    return Origin(f"Drawn from {files} of {word} {listed(runs)}.", settings_of(results.plan, used))


def listed(names: Sequence[str], conjunction: str = "and") -> str:
    """Names in a sentence; of many, the first ones.

    Example:
        >>> listed(["a", "b", "c"]), listed(list("abcdefg"))
        ('a, b and c', 'a, b, c, d and 3 more')
    """
    if len(names) > LISTED + 1:
        names = [*names[:LISTED], f"{len(names) - LISTED} more"]
    return f" {conjunction} ".join(part for part in (", ".join(names[:-1]), names[-1]) if part) if names else "none"


def settings_of(plan: Mapping[str, Any], experiments: Sequence[Experiment]) -> tuple[str, ...]:
    """Settings of experiments, part by part; several values of one setting are set apart by slashes."""
    used = [plan["backbones"][name] for name in dict.fromkeys(e["backbone"] for e in experiments)]
    models = [e["model"] for e in experiments if e["model"]]
    trains = [e["train"] for e in experiments if e["train"]]
    evaluation = plan["evaluation"]
    parts = [
        "backbone "
        + " / ".join(
            f"{one['model']} ({one['pretrained'] or 'random weights'}, preset {one['preset']}) "
            f"at {one['image_size']} px"
            for one in used
        )
    ]
    if models:
        parts.append(
            f"prompts {values(models, 'prompt_type')} in branch {values(models, 'prompt_branch')}, "
            f"depth {values(models, 'prompt_depth')}, length {values(models, 'prompt_length')}"
        )
        parts.append(f"HSF {values(models, 'fusion')}, K = {values(models, 'clusters')}")
    if trains:
        epochs = f"{values(trains, 'epochs')} {noun(max(one['epochs'] for one in trains), 'epoch')}"
        parts.append(
            f"{epochs}, batch size {values(trains, 'batch_size')}, "
            f"learning rate {values(trains, 'learning_rate')}, {values(trains, 'precision')}"
        )
    chosen = [e["selection"] for e in experiments if e["selection"]]
    if chosen:
        parts.append(f"epoch chosen on {listed(list(dict.fromkeys(chosen)))} in {len(chosen)} of {len(experiments)}")
    parts.append(f"maps smoothed with sigma = {evaluation['smoothing']:g} px")
    seeds = sorted({seed for experiment in experiments for seed in experiment["seeds"]})
    parts.append(f"{'seed' if len(seeds) == 1 else 'seeds'} {listed([str(seed) for seed in seeds])}")
    return tuple(parts)


def values(settings: Sequence[Mapping[str, Any]], key: str) -> str:
    """The different values of a setting."""
    return " / ".join(_value(value) for value in dict.fromkeys(one[key] for one in settings))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def percent(value: float) -> str:
    """A fraction for the text that stands for a picture."""
    return f"{100 * value:.1f}"
