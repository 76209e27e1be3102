"""From a configuration to what must be computed: runs, evaluations, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from adaclip.config import Config, Experiment, as_dict
from adaclip.errors import UsageError
from adaclip.leakage import refuse_leakage


@dataclass(frozen=True)
class Run:
    """One training configuration; its checkpoint serves every experiment that names it.

    `experiment` is the first experiment that asks for it and gives it its name.
    """

    name: str
    experiment: Experiment


@dataclass(frozen=True)
class Plan:
    """Everything that a configuration asks for.

    Attributes:
        config: the configuration.
        sets: ids in the order of the tables.
        runs: by name.
        run_of: run name by experiment name.
        evaluated: evaluated sets by experiment name, in the order of `sets`.
    """

    config: Config
    sets: tuple[str, ...]
    runs: dict[str, Run]
    run_of: dict[str, str]
    evaluated: dict[str, tuple[str, ...]]

    def evaluations(self) -> list[tuple[str, int, str]]:
        """All (run, seed, set) to evaluate, without repeats, in the order of the experiments."""
        found = {
            (self.run_of[experiment.name], seed, dataset): None
            for experiment in self.config.experiments
            for seed in experiment.seeds
            for dataset in self.evaluated[experiment.name]
        }
        return list(found)

    def used_sets(self) -> tuple[str, ...]:
        """Sets that some experiment trains on, selects on or evaluates, in the order of `sets`."""
        used = {dataset for names in self.evaluated.values() for dataset in names}
        for experiment in self.config.experiments:
            used |= {*experiment.auxiliary, *filter(None, [experiment.train.selection])}
        return tuple(dataset for dataset in self.sets if dataset in used)


def make_plan(config: Config, known_sets: Collection[str]) -> Plan:
    """Resolve a configuration into runs and evaluations.

    Args:
        config: a checked configuration.
        known_sets: ids of the registry, the user's own included.

    Raises:
        UsageError: an unknown set, auxiliary data that is also evaluated or selected on, or a baseline with data.
    """
    named: dict[str, None] = dict.fromkeys(config.sets or ())
    for experiment in config.experiments:
        for dataset in (*experiment.auxiliary, *(experiment.evaluate or ()), experiment.train.selection):
            if dataset is not None:
                named.setdefault(dataset)
    if not config.sets:
        for dataset in config.datasets:
            named.setdefault(dataset)
    for dataset in named:
        if dataset not in known_sets:
            raise UsageError(
                f"unknown data set '{dataset}': it is neither built in (adaclip data list) "
                "nor under 'datasets' in the config"
            )
    sets = tuple(named)
    evaluated: dict[str, tuple[str, ...]] = {}
    run_of: dict[str, str] = {}
    runs: dict[str, Run] = {}
    by_settings: dict[str, str] = {}
    for experiment in config.experiments:
        _check(experiment, config)
        chosen = experiment.evaluate if experiment.evaluate is not None else (config.sets or sets)
        if experiment.evaluate is None:
            chosen = tuple(dataset for dataset in chosen if dataset not in experiment.auxiliary)
        refuse_leakage(experiment.auxiliary, chosen, f"experiment '{experiment.name}'")
        evaluated[experiment.name] = tuple(dataset for dataset in sets if dataset in chosen)
        key = _settings_key(experiment)
        run_of[experiment.name] = by_settings.setdefault(key, experiment.name)
        runs.setdefault(run_of[experiment.name], Run(run_of[experiment.name], experiment))
    return Plan(config, sets, runs, run_of, evaluated)


def _check(experiment: Experiment, config: Config) -> None:
    where = f"experiment '{experiment.name}'"
    if experiment.method == "adaclip" and not experiment.auxiliary:
        raise UsageError(f"{where}: give auxiliary data to train on, or method: untrained")
    if experiment.method == "untrained" and experiment.auxiliary:
        raise UsageError(f"{where}: method untrained takes no auxiliary data: set auxiliary to []")
    if experiment.train.selection in experiment.auxiliary:
        raise UsageError(
            f"{where}: selection on '{experiment.train.selection}', which is auxiliary data: choose another set"
        )


def _settings_key(experiment: Experiment) -> str:
    train: dict[str, Any] | None = as_dict(experiment.train) if experiment.method == "adaclip" else None
    return json.dumps(
        [experiment.method, sorted(experiment.auxiliary), experiment.backbone, as_dict(experiment.model), train],
        sort_keys=True,
    )


def plan_document(plan: Plan, datasets: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """`results/plan.json`: what tables, figures and report need to know of the configuration.

    Args:
        plan: the plan.
        datasets: by id: title, domain, labels, citation, url ... of the registry.
    """
    config = plan.config
    return {
        "title": config.title,
        "note": config.note,
        "simulated": config.simulate is not None,
        "results": config.results,
        "sets": {
            name: {**datasets[name], "manifest": f"{config.data}/prepared/{name}/manifest.csv"}
            for name in plan.used_sets()
        },
        "backbones": {name: as_dict(entry) for name, entry in config.backbones.items()},
        "evaluation": as_dict(config.evaluation),
        "experiments": [
            {
                "name": experiment.name,
                "title": experiment.title,
                "note": experiment.note,
                "method": experiment.method,
                "run": plan.run_of[experiment.name],
                "backbone": experiment.backbone,
                "auxiliary": list(experiment.auxiliary),
                "evaluate": list(plan.evaluated[experiment.name]),
                "selection": experiment.train.selection,
                "seeds": list(experiment.seeds),
                "model": as_dict(experiment.model),
                "train": as_dict(experiment.train) if experiment.method == "adaclip" else None,
            }
            for experiment in config.experiments
        ],
    }
