"""What plan.json says of the methods of its experiments: no id of a method stands in the report's code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Experiment = Mapping[str, Any]


def is_control(experiment: Experiment) -> bool:
    """Whether it proves the metrics and is no method: it takes no part in ranks and comparisons."""
    return bool(experiment["kind"] == "control")


def is_trained(experiment: Experiment) -> bool:
    """Whether its parameters were learned from auxiliary data, here or by those who released them."""
    return bool(experiment["kind"] == "trained")


def learns(experiment: Experiment) -> bool:
    """Whether it is trained here, and so has a history and the cost of a training."""
    return is_trained(experiment) and experiment["train"] is not None


def has_given_weights(experiment: Experiment) -> bool:
    """Whether its weights were trained elsewhere: released ones, or a file."""
    return is_trained(experiment) and experiment["train"] is None


def makes_checkpoint(experiment: Experiment) -> bool:
    """Whether a checkpoint is made here: of a training, or of initial parameters."""
    return learns(experiment) or bool(experiment["kind"] == "untrained")


def title_of(plan: Mapping[str, Any], method: str) -> str:
    """What tables and legends call a method.

    Args:
        plan: as in plan.json.
        method: its id.
    """
    return str(plan["methods"][method]["title"])


def titles_of(plan: Mapping[str, Any]) -> dict[str, str]:
    """Titles of a plan's sets, by id; also of those that released weights were trained on and that are not here."""
    return {**plan.get("titles", {}), **{name: str(facts["title"]) for name, facts in plan["sets"].items()}}


def compared_methods(plan: Mapping[str, Any]) -> list[str]:
    """Ids of the methods that are compared, in the order of the plan's experiments: all but controls."""
    return list(dict.fromkeys(e["method"] for e in plan["experiments"] if not is_control(e)))


def trained_on(experiments: Iterable[Experiment], titles: Mapping[str, str]) -> str:
    """The auxiliary data of experiments that stand together: sets of one checkpoint joined by +, checkpoints by /.

    Args:
        experiments: such as two checkpoints of which each evaluates the sets that the other was trained on.
        titles: of the sets, by id.
    """
    data = [" + ".join(titles[name] for name in one["auxiliary"]) for one in experiments]
    return " / ".join(dict.fromkeys(filter(None, data))) or "nothing"
