"""From a configuration to what must be computed: runs, evaluations, and what is refused."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adaclip.clip.architectures import read_architecture
from adaclip.clip.settings import BackboneSettings
from adaclip.data.leakage import refuse_leakage
from adaclip.data.manifest import known_facts
from adaclip.data.registry import Dataset
from adaclip.data.wording import words_of
from adaclip.errors import UsageError
from adaclip.literature.published import check_tables
from adaclip.methods.card import Card
from adaclip.methods.words import refuse_long_words
from adaclip.plan.config import Config, Experiment
from adaclip.plan.tables import Scope, curve_document, table_document
from adaclip.system.settings import as_dict


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
        titles: by experiment name, with the auxiliary sets put in.
        tables: as in plan.json.
        curves: as in plan.json.
        computed: by experiment name, the backbone with nothing left open.
        features: backbones by the name of the folder of their stored features: equal ones share it.
    """

    config: Config
    sets: tuple[str, ...]
    runs: dict[str, Run]
    run_of: dict[str, str]
    evaluated: dict[str, tuple[str, ...]]
    titles: dict[str, str]
    tables: list[dict[str, Any]]
    curves: list[dict[str, Any]]
    computed: dict[str, BackboneSettings]
    features: dict[str, BackboneSettings]

    def evaluations(self) -> list[tuple[str, int, str]]:
        """All (run, seed, set) to evaluate, without repeats, in the order of the experiments."""
        found = {
            (self.run_of[experiment.name], seed, dataset): None
            for experiment in self.config.experiments
            for seed in experiment.seeds
            for dataset in self.evaluated[experiment.name]
        }
        return list(found)

    def trained_runs(self) -> list[str]:
        """Runs whose checkpoint a job writes: trained ones, and those with initial parameters."""
        return [
            name
            for name, run in self.runs.items()
            if run.experiment.card.has_checkpoint and run.experiment.checkpoint is None
        ]

    def released_runs(self) -> list[str]:
        """Runs whose checkpoint is there, or is fetched."""
        return [name for name, run in self.runs.items() if run.experiment.checkpoint is not None]

    def features_of(self, experiment: Experiment) -> str | None:
        """The folder of an experiment's stored features; None when its method stores none."""
        if not experiment.card.features:
            return None
        computed = self.computed[experiment.name]
        return next(name for name, backbone in self.features.items() if backbone == computed)

    def used_sets(self) -> tuple[str, ...]:
        """Sets that some experiment trains on, selects on or evaluates, in the order of `sets`."""
        used = {dataset for names in self.evaluated.values() for dataset in names}
        for experiment in self.config.experiments:
            used |= {*filter(None, [experiment.selection])}
            # What somebody else trained on is needed only where copies of it decide what is evaluated.
            if experiment.is_trained or self.config.leakage != "warn":
                used |= set(experiment.auxiliary)
        return tuple(dataset for dataset in self.sets if dataset in used)


def make_plan(config: Config, registry: Mapping[str, Dataset]) -> Plan:
    """Resolve a configuration into runs and evaluations.

    Args:
        config: a checked configuration.
        registry: every data set by id, the user's own included.

    Raises:
        UsageError: an unknown set, auxiliary data that is also evaluated or selected on, a baseline with data, a table
            or curve that its experiments do not answer, or a row that no published figure fits.
    """
    named: dict[str, None] = dict.fromkeys(config.sets or ())
    for experiment in config.experiments:
        for dataset in (*experiment.auxiliary, *(experiment.evaluate or ()), experiment.selection):
            if dataset is not None:
                named.setdefault(dataset)
    if not config.sets:
        for dataset in config.datasets:
            named.setdefault(dataset)
    for dataset in named:
        if dataset not in registry:
            raise UsageError(
                f"unknown data set '{dataset}': it is neither built in (adaclip data list) "
                "nor under 'datasets' in the config"
            )
    sets = tuple(named)
    computed = _computed(config)
    evaluated: dict[str, tuple[str, ...]] = {}
    run_of: dict[str, str] = {}
    runs: dict[str, Run] = {}
    by_settings: dict[str, str] = {}
    for experiment in config.experiments:
        _check(experiment, registry, config.data)
        chosen = experiment.evaluate if experiment.evaluate is not None else (config.sets or sets)
        if experiment.evaluate is None:
            chosen = tuple(dataset for dataset in chosen if dataset not in experiment.auxiliary)
        refuse_leakage(experiment.auxiliary, chosen, f"experiment '{experiment.name}'")
        evaluated[experiment.name] = tuple(dataset for dataset in sets if dataset in chosen)
        key = _settings_key(experiment, computed[experiment.name])
        run_of[experiment.name] = by_settings.setdefault(key, experiment.name)
        runs.setdefault(run_of[experiment.name], Run(run_of[experiment.name], experiment))
    _check_words(config, registry, evaluated)
    auxiliary = {
        experiment.name: " + ".join(registry[dataset].title for dataset in experiment.auxiliary)
        for experiment in config.experiments
    }
    scope = Scope(
        sets=sets,
        families=config.families,
        evaluated=evaluated,
        swept={experiment.name: (experiment.swept, experiment.value) for experiment in config.experiments},
        auxiliary=auxiliary,
        domains={dataset: registry[dataset].domain for dataset in sets},
    )
    tables = [table_document(table, scope) for table in config.tables]
    check_tables(tables, [name for name, dataset in registry.items() if not dataset.built_in])
    return Plan(
        config,
        sets,
        runs,
        run_of,
        evaluated,
        titles={name: scope.title(name) for name in auxiliary},
        tables=tables,
        curves=[curve_document(curve, scope) for curve in config.curves],
        computed=computed,
        features=_features(config, computed),
    )


def _computed(config: Config) -> dict[str, BackboneSettings]:
    """The backbone of each experiment with nothing left open."""
    native: dict[str, int | None] = {}
    for backbone in config.backbones.values():
        with contextlib.suppress(UsageError):  # `beforehand` names it with its place
            native[backbone.model] = read_architecture(backbone.model).image_size
    found = {}
    for experiment in config.experiments:
        backbone = config.backbones[experiment.backbone]
        numerics = experiment.card.numerics(experiment.preset)
        found[experiment.name] = numerics.of(backbone, native.get(backbone.model))
    return found


def _features(config: Config, computed: Mapping[str, BackboneSettings]) -> dict[str, BackboneSettings]:
    """A name for each different backbone whose features are stored: the configuration's, as far as it is one's own."""
    found: dict[str, BackboneSettings] = {}
    for experiment in config.experiments:
        backbone = computed[experiment.name]
        if experiment.card.features and backbone not in found.values():
            name = experiment.backbone
            if name in found:
                name = f"{name}-{backbone.activation}-{backbone.positions}"
            found[name] = backbone
    return found


def _check(experiment: Experiment, registry: Mapping[str, Dataset], data: str) -> None:
    where, card = f"experiment '{experiment.name}'", experiment.card
    learns = card.trained
    if experiment.is_trained and not experiment.auxiliary:
        raise UsageError(f"{where}: give auxiliary data to train on, or method: untrained")
    if learns and not experiment.auxiliary:
        raise UsageError(f"{where}: say on which sets {experiment.checkpoint} was trained (auxiliary)")
    if not learns and experiment.auxiliary:
        raise UsageError(f"{where}: method {experiment.method} takes no auxiliary data: leave it out")
    if experiment.checkpoint is not None and not learns:
        raise UsageError(f"{where}: method {experiment.method} is not trained: leave checkpoint out")
    if experiment.train is not None:
        try:
            card.check_training(experiment.model, experiment.train)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from None
    selection = experiment.selection
    if selection in experiment.auxiliary:
        raise UsageError(f"{where}: selection on '{selection}', which is auxiliary data: choose another set")
    counts = [_anomalous(registry[name], data) for name in experiment.auxiliary]
    if experiment.is_trained and all(count == 0 for count in counts):
        raise UsageError(
            f"{where}: no anomalous image in the auxiliary data ({'+'.join(experiment.auxiliary)}), so there is "
            "nothing to learn: train on a set that has some"
        )
    unmasked = ["mask" not in (registry[name].labels or ("mask",)) for name in experiment.auxiliary]
    if experiment.train is not None and experiment.train.unmasked == "zero" and unmasked and all(unmasked):
        raise UsageError(
            f"{where}: the auxiliary data ({'+'.join(experiment.auxiliary)}) has no masks, so the anomaly maps would "
            "learn that nothing is anomalous: train on a set with masks, or set unmasked: skip for image scores"
        )
    # Labels that nobody states are found in the raw data.
    if selection is not None and "mask" not in (registry[selection].labels or ("mask",)):
        raise UsageError(f"{where}: selection on '{selection}', which has no masks: choose another set")


def _anomalous(dataset: Dataset, data: str) -> int | None:
    """Anomalous test images of a set: of its prepared set, else of its registry entry; None when neither knows."""
    counts = known_facts(data, dataset.id).get("counts")
    if isinstance(counts, dict) and isinstance(counts.get("test"), dict):
        return int(counts["test"].get("anomalous", 0))
    return dataset.test.get("anomalous")


def _check_words(config: Config, registry: Mapping[str, Dataset], evaluated: Mapping[str, Sequence[str]]) -> None:
    """Refuse words that a text tower would cut, as far as the registry or a prepared set has them."""
    asked = {
        (experiment.method, config.backbones[experiment.backbone].model, dataset): experiment.card
        for experiment in config.experiments
        if experiment.card.sentences is not None
        for dataset in (*experiment.auxiliary, *evaluated[experiment.name])
    }
    for (_, model, dataset), card in sorted(asked.items(), key=lambda item: item[0]):
        words = words_of(registry[dataset], config.data)
        refuse_long_words(words.values(), card, model, f"data set '{dataset}'")


def _settings_key(experiment: Experiment, backbone: BackboneSettings) -> str:
    """Equal for experiments whose figures are the same by construction; what a method does not use is left out."""
    used = [
        as_dict(backbone) if experiment.card.uses_backbone else None,
        as_dict(experiment.model),
        as_dict(experiment.train) if experiment.train is not None else None,
        experiment.checkpoint,
    ]
    return json.dumps([experiment.method, sorted(experiment.auxiliary), used], sort_keys=True)


def plan_document(plan: Plan, datasets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """`results/plan.json`, described in docs/design.md: what tables, figures and report need of the configuration.

    Args:
        plan: the plan.
        datasets: by id: title, domain, labels, citation, url ... of the registry.
    """
    config = plan.config
    return {
        "title": config.title,
        "note": config.note,
        "configuration": config.source,
        "simulated": config.simulate is not None,
        "results": config.results,
        "root": ".",
        "sets": {
            name: {**datasets[name], "manifest": f"{config.data}/prepared/{name}/manifest.csv"}
            for name in plan.used_sets()
        },
        # Of released weights the sets that they were trained on are told, and not needed here.
        "titles": {name: datasets[name]["title"] for name in plan.sets if name not in plan.used_sets()},
        "backbones": {name: as_dict(entry) for name, entry in config.backbones.items()},
        "methods": {experiment.method: method_document(experiment.card) for experiment in config.experiments},
        "evaluation": as_dict(config.evaluation),
        "leakage": config.leakage,
        "experiments": [_experiment_document(plan, experiment) for experiment in config.experiments],
        "tables": plan.tables,
        "curves": plan.curves,
    }


def method_document(card: Card) -> dict[str, Any]:
    """What the report says of a method."""
    fairness = dataclasses.asdict(card.fairness) if card.fairness is not None else None
    return {
        "title": card.title,
        "kind": card.kind,
        "paper": card.paper,
        "licence": card.licence,
        "smoothing": card.smoothing,
        "fairness": fairness,
    }


def _experiment_document(plan: Plan, experiment: Experiment) -> dict[str, Any]:
    return {
        "name": experiment.name,
        "title": plan.titles[experiment.name],
        "note": experiment.note,
        "method": experiment.method,
        "kind": experiment.card.kind,
        "run": plan.run_of[experiment.name],
        "backbone": experiment.backbone,
        "preset": experiment.preset,
        "features": plan.features_of(experiment),
        "auxiliary": list(experiment.auxiliary),
        "evaluate": list(plan.evaluated[experiment.name]),
        # That of released weights was their authors' choice: nothing is chosen here, but the figure is marked too.
        "selection": experiment.selection or (experiment.release.selection if experiment.release else None),
        "released": experiment.checkpoint,
        "seeds": list(experiment.seeds),
        "swept": experiment.swept or None,
        "value": experiment.value,
        "model": as_dict(experiment.model) if experiment.card.uses_backbone else None,
        "train": as_dict(experiment.train) if experiment.train is not None else None,
    }


def targets(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """Names of the tables and curves of each target: their own names, and what they answer.

    Args:
        document: of `plan_document`.
    """
    found: dict[str, list[str]] = {}
    for asked in (*document["tables"], *document["curves"]):
        for target in dict.fromkeys((asked["name"], asked["target"])):
            found.setdefault(target, []).append(asked["name"])
    return found


def part_document(document: Mapping[str, Any], target: str, root: str) -> dict[str, Any]:
    """A plan with nothing but what a target needs.

    Args:
        document: of `plan_document`.
        target: one of `targets`.
        root: from the folder of the part's plan.json to that of the whole plan's, where the runs are.

    Raises:
        UsageError: an unknown target.
    """
    known = targets(document)
    if target not in known:
        raise UsageError(f"unknown target '{target}' (known: {', '.join(known) or 'none'})")
    tables = [table for table in document["tables"] if table["name"] in known[target]]
    curves = [curve for curve in document["curves"] if curve["name"] in known[target]]
    groups: Iterable[Mapping[str, Any]] = (
        *(row for table in tables for row in table["rows"]),
        *(point for curve in curves for point in curve["points"]),
    )
    needed = {name for group in groups for name in group["experiments"]}
    shown = {name for asked in (*tables, *curves) for name in asked["sets"]}
    experiments = [
        {**experiment, "evaluate": [name for name in experiment["evaluate"] if name in shown]}
        for experiment in document["experiments"]
        if experiment["name"] in needed
    ]
    trained = {name for experiment in experiments for name in (*experiment["auxiliary"], experiment["selection"])}
    methods = {experiment["method"] for experiment in experiments}
    return {
        **document,
        "root": root,
        "methods": {name: facts for name, facts in document["methods"].items() if name in methods},
        "sets": {name: facts for name, facts in document["sets"].items() if name in shown | trained},
        "experiments": experiments,
        "tables": tables,
        "curves": curves,
    }
