"""Sentences of captions: from which jobs a figure is drawn, and with which settings they ran."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adaclip.report.methods import Experiment, is_control, title_of
from adaclip.report.protocol import protocol_sentence, smoothing_of
from adaclip.report.results import Results
from adaclip.system.wording import noun

#: So many names are written out.
LISTED = 4
#: What trainings write; all other files come from evaluations, under a protocol.
HISTORY = "history.csv"
SPREAD = "one standard deviation over the seeds to either side"


@dataclass(frozen=True)
class Origin:
    """Which files of which runs a figure was drawn from, in a sentence, and their settings, one part each.

    `protocol` says how what it shows was computed; a figure of trainings has none.
    """

    source: str = ""
    settings: tuple[str, ...] = ()
    protocol: str = ""


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
    protocol = protocol_sentence(results.plan) if files != HISTORY else ""
    return Origin(f"Drawn from {files} of {word} {listed(runs)}.", settings_of(results.plan, used), protocol)


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
    parts = [f"backbone {' / '.join(_backbones(plan, experiments))}"]
    parts += [f"{title}: {', '.join(_model(own))}" for title, own in _by_method(plan, experiments, "model")]
    trained = _by_method(plan, experiments, "train")
    parts += [f"{f'{title} trained for ' if len(trained) > 1 else ''}{_training(own)}" for title, own in trained]
    chosen = [e["selection"] for e in experiments if e["selection"]]
    if chosen:
        parts.append(f"epoch chosen on {listed(list(dict.fromkeys(chosen)))} in {len(chosen)} of {len(experiments)}")
    judged = [e["method"] for e in experiments if not is_control(e)]
    parts += [smoothing_of(plan, judged)] if judged else []
    seeds = sorted({seed for experiment in experiments for seed in experiment["seeds"]})
    parts.append(f"{'seed' if len(seeds) == 1 else 'seeds'} {listed([str(seed) for seed in seeds])}")
    return tuple(parts)


def _backbones(plan: Mapping[str, Any], experiments: Sequence[Experiment]) -> Iterator[str]:
    for name, preset in dict.fromkeys((e["backbone"], e["preset"]) for e in experiments):
        one = plan["backbones"][name]
        weights = one["pretrained"] or "random weights"
        yield f"{one['model']} ({weights}, preset {preset}) at {one['image_size']} px"


def _by_method(
    plan: Mapping[str, Any], experiments: Sequence[Experiment], part: str
) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Settings (`model` or `train`) of the experiments that have any, by their method's title."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for experiment in experiments:
        if experiment[part]:
            found.setdefault(title_of(plan, experiment["method"]), []).append(experiment[part])
    return list(found.items())


def _model(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every setting of a method with its values."""
    return [f"{key.replace('_', ' ')} {values(settings, key)}" for key in settings[0]]


def _training(settings: Sequence[Mapping[str, Any]]) -> str:
    epochs = f"{values(settings, 'epochs')} {noun(max(one['epochs'] for one in settings), 'epoch')}"
    return (
        f"{epochs}, batch size {values(settings, 'batch_size')}, "
        f"learning rate {values(settings, 'learning_rate')}, {values(settings, 'precision')}"
    )


def values(settings: Sequence[Mapping[str, Any]], key: str) -> str:
    """The different values of a setting."""
    return " / ".join(dict.fromkeys(_value(one[key]) for one in settings))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return " ".join(map(_value, value)) or "none given"
    if value is None:
        return "none given"
    return f"{value:g}" if isinstance(value, float) else str(value)


def percent(value: float) -> str:
    """A fraction for the text that stands for a picture."""
    return f"{100 * value:.1f}"
