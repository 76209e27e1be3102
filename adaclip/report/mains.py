"""The configuration by which each method is compared with others, told from the plan alone.

A configuration is one experiment, or several of one method that a table's row puts together, as where two checkpoints
serve all sets. A method's *main* configuration holds its first experiment in the plan that is no part of a sweep. What
the same method was trained on besides is compared only with other methods on the same auxiliary data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adaclip.report.methods import (
    Experiment,
    compared_methods,
    has_given_weights,
    is_trained,
    title_of,
    titles_of,
    trained_on,
)

#: How the note of a table says it.
RULE = (
    "A method counts once, by its main configuration: the one that holds its first experiment in the plan, sweeps "
    "aside, with what the plan's tables put into one row with it."
)
#: The settings of a model, whatever it was trained on.
MODEL = ("method", "kind", "backbone", "preset", "model")


@dataclass(frozen=True)
class Main:
    """A configuration that stands for a method.

    Attributes:
        method: its id.
        title: the method's.
        auxiliary: what its checkpoints were trained on, in words.
        experiments: at most one for each set.
    """

    method: str
    title: str
    auxiliary: str
    experiments: tuple[Experiment, ...]

    @property
    def combination(self) -> frozenset[tuple[str, ...]]:
        """The auxiliary sets of its checkpoints; equal for equal data."""
        return frozenset(tuple(sorted(experiment["auxiliary"])) for experiment in self.experiments)

    @property
    def by_set(self) -> dict[str, Experiment]:
        """The experiment that evaluates each set."""
        return first_on(self.experiments)


def first_on(experiments: Iterable[Experiment]) -> dict[str, Experiment]:
    """The first of some experiments that is evaluated on a set, by set."""
    first: dict[str, Experiment] = {}
    for experiment in experiments:
        for name in experiment["evaluate"]:
            first.setdefault(name, experiment)
    return first


def mains(plan: Mapping[str, Any]) -> list[Main]:
    """The main configuration of every method, in the order of the plan; none for controls."""
    return [next(_configurations(plan, method)) for method in compared_methods(plan)]


def shared_combinations(plan: Mapping[str, Any]) -> dict[str, list[Main]]:
    """Auxiliary data that several methods were trained on: by its words, a configuration of each of these methods.

    Of a method's configurations on the same data, all with the settings of its model that the main one has, the one on
    most sets is taken, the first of equals. Data that would only repeat the main configurations of all trained methods
    is left out.
    """
    found: dict[frozenset[tuple[str, ...]], dict[str, Main]] = {}
    trained = [main for main in mains(plan) if all(map(is_trained, main.experiments))]
    for main in trained:
        for one in _configurations(plan, main.method):
            if all(one.experiments[0][key] == main.experiments[0][key] for key in MODEL):
                own = found.setdefault(one.combination, {})
                if main.method not in own or len(own[main.method].by_set) < len(one.by_set):
                    own[main.method] = one
    groups = [list(group.values()) for group in found.values() if len(group) > 1]
    titles = titles_of(plan)
    return {trained_on(group[0].experiments, titles): group for group in groups if group != trained}


def _configurations(plan: Mapping[str, Any], method: str) -> Iterator[Main]:
    """Configurations of a method, the main one first; each experiment stands in one of them."""
    own = [experiment for experiment in plan["experiments"] if experiment["method"] == method]
    titles = titles_of(plan)
    placed: set[str] = set()
    for experiment in [one for one in own if not one["swept"]] or own[:1]:
        if experiment["name"] not in placed:
            members = _together(plan, experiment)
            placed |= {one["name"] for one in members}
            given = ", released weights" if has_given_weights(experiment) else ""
            yield Main(method, title_of(plan, method), f"{trained_on(members, titles)}{given}", members)


def _together(plan: Mapping[str, Any], experiment: Experiment) -> tuple[Experiment, ...]:
    """An experiment with those that a table's row of its method puts it with: the row with most sets, or itself."""
    by_name = {one["name"]: one for one in plan["experiments"]}
    candidates = [(experiment,)]
    for table in plan["tables"]:
        for row in table["rows"]:
            members = tuple(by_name[name] for name in row["experiments"])
            if experiment["name"] in row["experiments"] and all(_alike(one, experiment) for one in members):
                candidates.append(members)
    return max(candidates, key=lambda members: len(first_on(members)))


def _alike(one: Experiment, other: Experiment) -> bool:
    """Whether two experiments have the same model; how long each checkpoint is trained may depend on its data."""
    same = all(one[key] == other[key] for key in (*MODEL, "swept"))
    return same and has_given_weights(one) == has_given_weights(other)
