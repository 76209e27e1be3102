"""The settings of a benchmark: read, checked, and given as dataclasses.

The schema `adaclip/schemas/config.schema.yaml` describes every key; here are the types that code works with.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from adaclip.clip.settings import BackboneSettings
from adaclip.errors import UsageError
from adaclip.methods.adaclip.settings import AdaCLIPSettings, AdaCLIPTraining
from adaclip.metrics.settings import EvaluateSettings
from adaclip.plan.experiments import Family, Single, Value, expand
from adaclip.plan.tables import Curve, Table, read_curves, read_tables
from adaclip.system.paths import expand_path, expand_paths
from adaclip.system.reading import check_plain, parse_yaml, read_yaml
from adaclip.system.schema import validate
from adaclip.system.settings import settings

#: Between the names of files that make one configuration together.
TOGETHER = " + "
Method = Literal["adaclip", "untrained", "clip", "random", "oracle"]


@dataclass(frozen=True)
class Experiment:
    """One configuration to train, and the sets to evaluate it on.

    `evaluate` None means "others"; `swept` is the setting that a sweep varies ("" for none), `value` what it is here.
    In `title`, "{auxiliary}" stands for the titles of the auxiliary sets.
    """

    name: str
    title: str
    note: str
    method: Method
    auxiliary: tuple[str, ...]
    evaluate: tuple[str, ...] | None
    backbone: str
    model: AdaCLIPSettings
    train: AdaCLIPTraining
    seeds: tuple[int, ...]
    swept: str = ""
    value: Value | None = None


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
    experiments = tuple(_experiment(single, raw_defaults, backbones, where) for single in singles)
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
    single: Single, defaults: Mapping[str, Any], backbones: Mapping[str, BackboneSettings], where: str
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
    parts = {
        part: validate({**defaults.get(part, {}), **entry.get(part, {})}, f"config#/$defs/{part}", f"{place}.{part}")
        for part in ("model", "train")
    }
    evaluate = entry.get("evaluate", "others")
    return Experiment(
        name=single.name,
        title=entry["title"],
        note=entry.get("note", ""),
        method=entry.get("method", "adaclip"),
        auxiliary=tuple(entry.get("auxiliary", ())),
        evaluate=None if evaluate == "others" else tuple(evaluate),
        backbone=backbone,
        model=settings(AdaCLIPSettings, parts["model"]),
        train=settings(AdaCLIPTraining, parts["train"]),
        seeds=tuple(entry.get("seeds", defaults.get("seeds", [0]))),
        swept=single.swept,
        value=single.value,
    )
