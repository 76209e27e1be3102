"""The settings of a benchmark: read, checked, and given as dataclasses.

The schema `adaclip/schemas/config.schema.yaml` describes every key; here are the types that code works with.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from adaclip.clip.settings import BackboneSettings, Preset
from adaclip.data.weights import Release, with_changes
from adaclip.errors import UsageError
from adaclip.methods.card import Card
from adaclip.methods.registry import BUILT_IN, find_card
from adaclip.methods.training import TrainSettings
from adaclip.metrics.settings import EvaluateSettings
from adaclip.plan.experiments import Family, Single, Value, expand
from adaclip.plan.tables import Curve, Table, read_curves, read_tables
from adaclip.system.annotated import read
from adaclip.system.paths import expand_path, expand_paths
from adaclip.system.reading import check_plain, parse_yaml, read_yaml
from adaclip.system.schema import validate, validate_part
from adaclip.system.settings import settings

#: Between the names of files that make one configuration together.
TOGETHER = " + "


@dataclass(frozen=True)
class Experiment:
    """One configuration to train, and the sets to evaluate it on.

    `evaluate` None means "others"; `swept` is the setting that a sweep varies ("" for none), `value` what it is here.
    In `title`, "{auxiliary}" stands for the titles of the auxiliary sets. `method` is as the configuration writes it,
    `model` an object of its card's settings, `train` one of its recipe (None where nothing is trained). `checkpoint` is
    a file that stands in place of training, or the id of `release`.
    """

    name: str
    title: str
    note: str
    method: str
    card: Card
    auxiliary: tuple[str, ...]
    evaluate: tuple[str, ...] | None
    backbone: str
    preset: Preset
    model: Any
    train: TrainSettings | None
    seeds: tuple[int, ...]
    checkpoint: str | None = None
    release: Release | None = None
    swept: str = ""
    value: Value | None = None

    @property
    def is_trained(self) -> bool:
        """Whether a job trains it."""
        return self.card.trained and self.checkpoint is None

    @property
    def selection(self) -> str | None:
        """The set on which its epoch is chosen."""
        return self.train.selection if self.train is not None else None


@dataclass(frozen=True)
class Config:
    """A whole benchmark configuration; `families` are what the names in tables and curves stand for.

    `source` is its file relative to the working directory: what a results folder is told by whose it is.
    """

    title: str
    note: str
    data: str
    results: str
    source: str
    simulate: Mapping[str, int] | None
    sets: tuple[str, ...] | None
    datasets: Mapping[str, Mapping[str, Any]]
    weights: Mapping[str, Mapping[str, Any]]
    backbones: Mapping[str, BackboneSettings]
    evaluation: EvaluateSettings
    runtime: Mapping[str, Any]
    leakage: Literal["warn", "refuse", "deduplicate"] = "warn"
    licences: tuple[str, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    families: Mapping[str, Family] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    curves: tuple[Curve, ...] = ()


def load_config(path: str | Path) -> Config:
    """Read a configuration file, with what it extends.

    Raises:
        UsageError: naming file, place and fault.
    """
    # As the workflow reads it, so that both find the same.
    return parse_config(read_configs([path]), str(path))


def read_config(path: str | Path) -> Any:
    """The content of a configuration file, put on top of the one that it extends, with its paths expanded.

    Raises:
        UsageError: a file that cannot be read, files that extend each other, or a path with a variable that is not set.
    """
    return expand_paths(extend(read_yaml(path), path), str(path))


def read_configs(paths: Sequence[str | Path], overrides: Sequence[str] = ()) -> Any:
    """What `snakemake --configfile A B --config KEY=VALUE` asks for.

    Each file is put on top of the one that it extends, then on top of the files before it, then the overrides on top of
    all: mappings are merged key by key, anything else is replaced, null takes a key away.

    Args:
        paths: one or more configuration files.
        overrides: `KEY=VALUE` each, with a value in YAML.

    Raises:
        UsageError: as `read_config`, or an override that cannot be read.
    """
    value: Any = {}
    for path in paths:
        read = read_config(path)
        if not isinstance(read, Mapping):
            raise UsageError(f"{path}: expected keys and values")
        value = _merged(value, read)
    for word in overrides:
        key, sign, text = word.partition("=")
        if not sign or not key:
            raise UsageError(f"--config {word}: write it as KEY=VALUE")
        if not re.fullmatch(r"[a-zA-Z_][\w-]*\w", key):
            # Snakemake takes no other, and ends in a traceback.
            raise UsageError(
                f"--config {word}: '{key}' is no key of the top level: write such as defaults={{seeds: [1]}}"
            )
        above = extend({key: parse_yaml(text, f"--config {key}")}, f"--config {key}")
        value = _merged(value, expand_paths(above, f"--config {key}"))
    return value


def extend(value: Any, path: str | Path, above: tuple[Path, ...] = ()) -> Any:
    """Put a configuration on top of the file that its `extends` names, relative to `path`.

    Mappings are merged key by key; anything else replaces what the other file has, and null takes it away. `results` is
    not taken over: two configurations in one folder would mix their figures.

    Args:
        value: the content of a configuration.
        path: of its file.
        above: files that extend this one, to find circles.

    Raises:
        UsageError: a file that cannot be read, or files that extend each other.
    """
    if not isinstance(value, Mapping) or "extends" not in value:
        return value
    if not isinstance(value["extends"], str) or not value["extends"].strip():
        raise UsageError(f"{path}: extends: {value['extends']!r} is not the name of one file")
    here, base = Path(path), Path(path).parent / expand_path(value["extends"], f"{path}: extends")
    if base.resolve() in (*above, here.resolve()):
        raise UsageError(f"{here}: extends {value['extends']}, which leads back to it")
    if not os.path.lexists(base):
        raise UsageError(f"{here}: extends {value['extends']}: no such file: {base}")
    if base.is_dir():
        raise UsageError(f"{here}: extends {value['extends']}: {base} is a folder: name a file")
    below = extend(read_yaml(base), base, (*above, here.resolve()))
    if isinstance(below, Mapping):
        below = {key: item for key, item in below.items() if key != "results"}
    return _merged(below, {key: item for key, item in value.items() if key != "extends"})


def _merged(below: Any, above: Any) -> Any:
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    merged = {key: item for key, item in below.items() if key not in above}
    for key, item in above.items():
        if item is not None:
            merged[key] = _merged(below.get(key), item)
    # The order is that of the file below; new keys come last.
    return {key: merged[key] for key in (*(key for key in below if key in merged), *merged) if key in merged}


def own_folder(where: str | Path) -> str:
    """The results folder of a configuration that names none: `results/paper` for `config/paper.yaml`.

    Of several files, joined by `TOGETHER`, it has all names: `results/paper+mine`.
    """
    return f"results/{'+'.join(Path(one).stem for one in str(where).split(TOGETHER))}"


def parse_config(value: Any, where: str) -> Config:
    """Check a configuration that YAML gave, and resolve its defaults.

    Args:
        value: the mapping, with what it extends (see `extend`); not changed.
        where: its file (several are joined by `TOGETHER`), or what to call it in errors.

    Raises:
        UsageError: naming place and fault.
    """
    # Defaults of the schema come last, after the config's own `defaults`; so only top-level ones are filled here.
    check_plain(value, where)
    checked = validate(value if value is not None else {}, "config", where)
    raw_defaults = value.get("defaults") or {}
    backbones = {name: settings(BackboneSettings, entry) for name, entry in checked["backbones"].items()}
    singles, families = expand(value["experiments"], checked["protocols"], where)
    releases = with_changes(checked["weights"], where)
    experiments = tuple(_experiment(single, raw_defaults, backbones, releases, where) for single in singles)
    _check_defaults(raw_defaults, experiments, where)
    evaluation = validate(raw_defaults.get("evaluate_with", {}), "config#/$defs/evaluation", where)
    accepted = checked["licences"]["accept"]
    return Config(
        title=checked["title"],
        note=checked["note"],
        data=Path(checked["data"]).as_posix(),
        results=Path(checked.get("results") or own_folder(where)).as_posix(),
        source=TOGETHER.join(Path(os.path.relpath(one)).as_posix() for one in where.split(TOGETHER)),
        simulate=checked.get("simulate"),
        sets=tuple(checked["sets"]) if "sets" in checked else None,
        datasets=checked["datasets"],
        weights=checked["weights"],
        backbones=backbones,
        evaluation=settings(EvaluateSettings, evaluation),
        runtime=checked["runtime"],
        leakage=checked["leakage"],
        licences=(accepted,) if isinstance(accepted, str) else tuple(accepted),
        experiments=experiments,
        families=families,
        tables=read_tables(checked["tables"]),
        curves=read_curves(checked["curves"]),
    )


def _experiment(
    single: Single,
    defaults: Mapping[str, Any],
    backbones: Mapping[str, BackboneSettings],
    releases: Mapping[str, Release],
    where: str,
) -> Experiment:
    """One experiment with the configuration's defaults and the schema's filled in."""
    entry, place = single.entry, f"{where}: experiments.{single.name}"
    backbone = entry.get("backbone", defaults.get("backbone"))
    if backbone is None:
        if len(backbones) != 1:
            raise UsageError(
                f"{place}: say which backbone of {', '.join(backbones) or '(none defined)'} "
                "to use, here or in defaults.backbone"
            )
        backbone = next(iter(backbones))
    if backbone not in backbones:
        raise UsageError(
            f"{place}: unknown backbone '{backbone}' (defined in backbones: {', '.join(backbones) or 'none'})"
        )
    method = str(entry.get("method", "adaclip"))  # a sweep may have numbers
    release = None
    checkpoint = entry.get("checkpoint")
    auxiliary = tuple(entry.get("auxiliary", ()))
    own = {part: entry.get(part, {}) for part in ("model", "train")}
    if checkpoint is not None:
        release = releases.get(checkpoint)
        if release is not None:
            method, auxiliary = _released(release, entry, backbones[backbone], place)
            own["model"] = {**release.settings, **own["model"]}
        elif not _is_path(checkpoint):
            raise UsageError(
                f"{place}: checkpoint '{checkpoint}' is neither a file nor the id of released weights "
                f"(known: {', '.join(releases)})"
            )
        if entry.get("train"):
            raise UsageError(f"{place}: a checkpoint is not trained: leave train out")
        if entry.get("seeds", [0]) != [0]:
            raise UsageError(f"{place}: a checkpoint is one training, whatever its seed was: leave seeds out")
    try:
        card = find_card(method)
        preset = entry.get("preset", defaults.get("preset", "reference"))
        card.numerics(preset)  # a sweep may have any word
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from None
    if entry.get("train") and card.training is None:
        raise UsageError(f"{place}: method {method} is not trained: leave train out")
    model = _settings(card.settings, "model", defaults, own, where, single.name)
    train = None
    if card.training is not None and checkpoint is None:
        train = _settings(card.training, "train", defaults, own, where, single.name)
    evaluate = entry.get("evaluate", "others")
    return Experiment(
        name=single.name,
        title=entry["title"],
        note=entry.get("note", ""),
        method=method,
        card=card,
        auxiliary=auxiliary,
        evaluate=None if evaluate == "others" else tuple(evaluate),
        backbone=backbone,
        preset=preset,
        model=model,
        train=train,
        seeds=(0,) if checkpoint is not None else tuple(entry.get("seeds", defaults.get("seeds", [0]))),
        checkpoint=checkpoint,
        release=release,
        swept=single.swept,
        value=single.value,
    )


def _settings(
    kind: type[Any], part: str, defaults: Mapping[str, Any], own: Mapping[str, Any], where: str, name: str
) -> Any:
    """Settings of a method: an experiment's own on top of those defaults that the method has."""
    known = _keys(kind)
    shared = {key: value for key, value in (defaults.get(part) or {}).items() if key in known}
    # By themselves first, so that a fault is said to be where it stands.
    read(kind, shared, where, f"defaults.{part}")
    return read(kind, {**shared, **own[part]}, where, f"experiments.{name}.{part}")


def _keys(kind: type[Any]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _check_defaults(defaults: Mapping[str, Any], experiments: Sequence[Experiment], where: str) -> None:
    """Refuse default settings that no method has; one that is not used here may have them."""
    used = [experiment.card for experiment in experiments]
    cards = [*used, *(find_card(method) for method in BUILT_IN)]
    for part in ("model", "train"):
        kinds = [card.settings if part == "model" else card.training for card in cards]
        known = dict.fromkeys(key for kind in kinds if kind is not None for key in _keys(kind))
        schema = {"type": "object", "additionalProperties": False, "properties": {key: {} for key in known}}
        validate_part(defaults.get(part) or {}, schema, where, f"defaults.{part}")


def _is_path(text: str) -> bool:
    return os.path.lexists(text) or "/" in text or Path(text).suffix in (".pth", ".pt", ".safetensors")


def _released(
    release: Release, entry: Mapping[str, Any], backbone: BackboneSettings, place: str
) -> tuple[str, tuple[str, ...]]:
    """Method and auxiliary sets of released weights; what the experiment says of them must agree."""
    if entry.get("method", release.method) != release.method:
        raise UsageError(f"{place}: weights '{release.id}' are of method {release.method}, not {entry['method']}")
    said = entry.get("auxiliary")
    if said is not None and set(said) != set(release.auxiliary):
        raise UsageError(
            f"{place}: weights '{release.id}' were trained on {'+'.join(release.auxiliary)}: leave auxiliary out"
        )
    for key, value in release.backbone.items():
        if getattr(backbone, key) != value:
            raise UsageError(
                f"{place}: weights '{release.id}' belong to a backbone with {key} {value}, "
                f"not {getattr(backbone, key)}: choose that backbone"
            )
    return release.method, release.auxiliary
