"""Which experiments stand together in a figure, told from the plan alone, so that figures have names before results."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adaclip.report.mains import first_on, mains
from adaclip.report.methods import Experiment, compared_methods, is_control, is_trained, learns, title_of

#: So many experiments can be told apart in one picture; of more, each method has one line.
MANY = 6
#: The label that a level's metrics need.
LABELS = {"image": "image", "pixel": "mask"}
#: What a checkpoint is made of, besides its auxiliary data.
SETTINGS = ("method", "backbone", "preset", "model", "train")


@dataclass(frozen=True)
class Series:
    """What has one colour in all figures.

    Attributes:
        key: for names of files.
        title: for legends.
        by_set: the experiment that is shown on each set.
    """

    key: str
    title: str
    by_set: Mapping[str, Experiment]

    @property
    def experiments(self) -> list[Experiment]:
        """Its experiments, without repeats."""
        return list({experiment["name"]: experiment for experiment in self.by_set.values()}.values())


@dataclass(frozen=True)
class Configuration:
    """What is evaluated as one, though several checkpoints may share the sets.

    Attributes:
        group: the setting that was varied, or the method.
        title: short, within its group.
        experiments: at most one for each set.
    """

    group: str
    title: str
    experiments: tuple[Experiment, ...]

    @property
    def sets(self) -> frozenset[str]:
        """Sets that it is evaluated on."""
        return frozenset(name for experiment in self.experiments for name in experiment["evaluate"])


def series(plan: Mapping[str, Any]) -> list[Series]:
    """Each experiment where they are few, or else, for each method, the first experiment that has a set."""
    compared = [experiment for experiment in plan["experiments"] if not is_control(experiment)]
    if len(compared) <= MANY:
        every = [Series(e["name"], e["title"], dict.fromkeys(e["evaluate"], e)) for e in compared]
    else:
        every = [
            Series(file_name(method), title_of(plan, method), first_on([e for e in compared if e["method"] == method]))
            for method in compared_methods(plan)
        ]
    return [found for found in every if found.by_set]


def file_name(method: str) -> str:
    """A method's id as part of a file's name: it may be a module's and a class's name.

    Example:
        >>> file_name("a_method"), file_name("my_module:MyMethod")
        ('a_method', 'my_module_MyMethod')
    """
    return re.sub(r"[^A-Za-z0-9_+-]+", "_", method)


def shown(plan: Mapping[str, Any]) -> dict[str, Experiment]:
    """The experiment whose pictures are shown, by set: the first trained one that has it, or else the first at all."""
    trained = [experiment for experiment in plan["experiments"] if is_trained(experiment)]
    first = first_on([*trained, *plan["experiments"]])
    return {name: first[name] for name in plan["sets"] if name in first}


def levels(plan: Mapping[str, Any]) -> set[str]:
    """Levels that some evaluated set has labels for, as far as is known before it is prepared: image, pixel."""
    evaluated = {name for experiment in plan["experiments"] for name in experiment["evaluate"]}
    known = {name: plan["sets"][name]["labels"] or ("image", "mask") for name in evaluated}
    return {level for level, label in LABELS.items() if any(label in labels for labels in known.values())}


def transfer(plan: Mapping[str, Any]) -> dict[str, list[Experiment]]:
    """Experiments with one auxiliary set and otherwise equal settings, by that set; none for less than two sets.

    Of several settings, those with most auxiliary sets are taken, the first ones of equally many.
    """
    groups: dict[str, dict[str, list[Experiment]]] = {}
    for experiment in plan["experiments"]:
        if learns(experiment) and len(experiment["auxiliary"]) == 1:
            key = json.dumps([experiment[part] for part in SETTINGS], sort_keys=True)
            groups.setdefault(key, {}).setdefault(experiment["auxiliary"][0], []).append(experiment)
    largest = max(groups.values(), key=len, default={})
    return {name: largest[name] for name in plan["sets"] if name in largest} if len(largest) > 1 else {}


def several_categories(plan: Mapping[str, Any]) -> list[str]:
    """Evaluated sets with several categories, or with categories that are known only once they are prepared."""
    evaluated = {name for found in series(plan) for name in found.by_set}
    return [name for name, facts in plan["sets"].items() if name in evaluated and len(facts["categories"]) != 1]


def configurations(plan: Mapping[str, Any]) -> list[Configuration]:
    """What can be compared over the same sets: methods, rows of tables, points of curves, and single experiments.

    Those are kept that share enough sets, without repeats.
    """
    by_name = {experiment["name"]: experiment for experiment in plan["experiments"]}
    groups: list[tuple[str, tuple[Experiment, ...]]] = [
        *((main.title, main.experiments) for main in mains(plan)),
        *((row["title"], _members(row, by_name)) for table in plan["tables"] for row in table["rows"]),
        *(
            (f"{curve['title']} = {point['value']}", _members(point, by_name))
            for curve in plan["curves"]
            for point in curve["points"]
        ),
    ]
    # One of several checkpoints of a row has no more than a part of its sets.
    placed = {experiment["name"] for _, members in groups for experiment in members}
    groups += [(e["title"], (e,)) for e in plan["experiments"] if e["name"] not in placed]
    found: dict[tuple[str, ...], Configuration] = {}
    for title, members in groups:
        if members and not any(map(is_control, members)):
            runs = tuple(sorted({experiment["run"] for experiment in members}))
            candidate = Configuration(_group(plan, members), title, members)
            if runs not in found or len(found[runs].sets) < len(candidate.sets):
                found[runs] = candidate
    every = list(found.values())
    # Over the sets of one of them, so that there are many of both: sets and what is compared.
    common = max(
        (one.sets for one in every),
        key=lambda sets: (len(sets) * sum(sets <= other.sets for other in every), sorted(sets)),
        default=frozenset(),
    )
    return [one for one in every if common <= one.sets]


def common_sets(found: Sequence[Configuration], plan: Mapping[str, Any]) -> list[str]:
    """Sets that all configurations are evaluated on, in the plan's order."""
    return [name for name in plan["sets"] if found and all(name in one.sets for one in found)]


def _members(row: Mapping[str, Any], by_name: Mapping[str, Experiment]) -> tuple[Experiment, ...]:
    return tuple(by_name[name] for name in row["experiments"])


def _group(plan: Mapping[str, Any], members: Sequence[Experiment]) -> str:
    swept = {str(experiment["swept"] or "") for experiment in members}
    methods = {experiment["method"] for experiment in members}
    if len(swept) == 1 and swept != {""}:
        return swept.pop().rpartition(".")[2].replace("_", " ")
    return title_of(plan, methods.pop()) if len(methods) == 1 else "several methods"
