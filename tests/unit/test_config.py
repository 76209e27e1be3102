"""Configurations: defaults, files that extend each other, expansions, and one line for every fault."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from adaclip.errors import UsageError
from adaclip.plan.config import Config, load_config, parse_config

BASE: dict[str, Any] = {
    "sets": ["mvtec", "colondb", "isic"],
    "backbones": {"small": {"model": "tiny", "image_size": 56}, "other": {"model": "tiny", "image_size": 112}},
    "defaults": {"backbone": "small", "seeds": [1, 2], "train": {"epochs": 2}, "model": {"clusters": 3}},
    "protocols": {"two": [{"auxiliary": ["mvtec", "colondb"]}, {"auxiliary": ["isic"], "evaluate": ["mvtec"]}]},
}


def parse(experiments: dict[str, Any], **changes: Any) -> Config:
    return parse_config({**copy.deepcopy(BASE), "experiments": experiments, **changes}, "c.yaml")


def names(config: Config) -> list[str]:
    return [experiment.name for experiment in config.experiments]


def test_experiments_take_defaults_from_the_config_then_from_the_schema():
    [experiment] = parse({"main": {"auxiliary": ["mvtec"], "train": {"learning_rate": 0.5}}}).experiments
    assert experiment.title == "main"
    assert experiment.seeds == (1, 2)
    assert (experiment.train.epochs, experiment.train.learning_rate, experiment.train.batch_size) == (2, 0.5, 1)
    assert (experiment.model.clusters, experiment.model.prompt_depth) == (3, 4)
    assert experiment.evaluate is None
    assert (experiment.swept, experiment.value) == ("", None)


def test_a_protocol_makes_an_experiment_of_each_entry():
    config = parse({"main": {"title": "ours", "protocol": "two"}})
    first, second = config.experiments
    assert names(config) == ["main_mvtec+colondb", "main_isic"]
    assert (first.auxiliary, first.evaluate) == (("mvtec", "colondb"), None)
    assert (second.auxiliary, second.evaluate) == (("isic",), ("mvtec",))
    assert first.title == "ours: {auxiliary}"
    assert config.families["main"].members == ("main_mvtec+colondb", "main_isic")
    assert config.families["main"].title == "ours"


def test_each_auxiliary_set_leaves_itself_out_of_the_listed_columns():
    config = parse({"from": {"for_each_auxiliary": ["mvtec", "isic"], "evaluate": ["mvtec", "isic", "colondb"]}})
    assert [experiment.evaluate for experiment in config.experiments] == [("isic", "colondb"), ("mvtec", "colondb")]
    assert config.families["from"].children == ("from_mvtec", "from_isic")


@pytest.mark.parametrize(
    ("key", "values", "suffixes", "read"),
    [
        ("model.clusters", [10, 20], ["10", "20"], lambda e: e.model.clusters),
        ("model.fusion", [True, False], ["true", "false"], lambda e: e.model.fusion),
        ("train.learning_rate", [0.1, 0.001], ["0.1", "0.001"], lambda e: e.train.learning_rate),
        ("backbone", ["small", "other"], ["small", "other"], lambda e: e.backbone),
    ],
)
def test_a_sweep_varies_one_setting(key, values, suffixes, read):
    config = parse({"s": {"title": "at {value}", "auxiliary": ["mvtec"], "sweep": {key: values}}})
    assert names(config) == [f"s_{suffix}" for suffix in suffixes]
    assert [read(experiment) for experiment in config.experiments] == values
    assert [(experiment.swept, experiment.value) for experiment in config.experiments] == [(key, v) for v in values]
    assert [experiment.title for experiment in config.experiments] == [f"at {suffix}" for suffix in suffixes]


def test_a_sweep_keeps_the_other_settings_of_its_part():
    entry = {"auxiliary": ["mvtec"], "model": {"prompt_depth": 2}, "sweep": {"model.clusters": [10]}}
    [experiment] = parse({"s": entry}).experiments
    assert (experiment.model.prompt_depth, experiment.model.clusters) == (2, 10)


def test_a_sweep_of_a_protocol_has_a_family_for_each_value():
    config = parse({"k": {"protocol": "two", "sweep": {"model.clusters": [10, 20]}}})
    assert names(config) == ["k_10_mvtec+colondb", "k_10_isic", "k_20_mvtec+colondb", "k_20_isic"]
    assert config.families["k"].children == ("k_10", "k_20")
    assert config.families["k_20"].members == ("k_20_mvtec+colondb", "k_20_isic")
    assert config.families["k_20"].title == "k 20"


@pytest.mark.parametrize(
    ("experiments", "message"),
    [
        ({"a": {"protocol": "three"}}, "unknown protocol 'three' .defined in protocols: two"),
        ({"a": {"protocol": "two", "auxiliary": ["mvtec"]}}, "auxiliary and protocol exclude each other"),
        ({"a": {"protocol": "two", "evaluate": ["isic"]}}, "the protocol says what is evaluated"),
        ({"a": {"for_each_auxiliary": ["isic"], "evaluate": ["isic"]}}, "nothing but its auxiliary set is left"),
        (
            {"a": {"auxiliary": ["isic"], "backbone": "huge"}},
            r"a: unknown backbone 'huge' \(defined in backbones: small",
        ),
        ({"a": {"auxiliary": ["isic"], "sweep": {"model.depth": [1]}}}, r"a_1\.model: .*unknown key 'depth'"),
        ({"a": {"auxiliary": ["isic"], "sweep": {"model.clusters": [0]}}}, r"a_0\.model\.clusters: 0 is less"),
        (
            {"a": {"auxiliary": ["isic"], "sweep": {"modle.clusters": [1]}}},
            "modle.clusters.*use backbone, method, preset, ",
        ),
        (
            {"a": {"auxiliary": ["isic"], "model": {"clusters": 2}, "sweep": {"model.clusters": [1]}}},
            "model.clusters is both set and swept",
        ),
        ({"a": {"auxiliary": ["isic"], "sweep": {"backbone": ["../x"]}}}, "cannot be part of a name"),
        (
            {"a": {"auxiliary": ["isic"], "sweep": {"model.clusters": [1]}}, "a_1": {"auxiliary": ["isic"]}},
            "two experiments are called 'a_1'",
        ),
        ({"a": {"auxillary": ["isic"]}}, "unknown key 'auxillary' .did you mean 'auxiliary'"),
        (
            {"a": {"auxiliary": ["isic"], "method": "magic"}},
            "experiments.a: unknown method 'magic' .known: adaclip, untrained, ",
        ),
    ],
)
def test_a_fault_is_one_line_that_names_its_place(experiments, message):
    with pytest.raises(UsageError, match=message) as raised:
        parse(experiments)
    assert str(raised.value).startswith("c.yaml: ")
    assert "\n" not in str(raised.value)


def write(path: Path, value: Any) -> Path:
    path.write_text(yaml.safe_dump(value))
    return path


def test_a_file_changes_what_it_extends(tmp_path):
    write(
        tmp_path / "base.yaml", {**BASE, "title": "base", "experiments": {"a": {"auxiliary": ["mvtec"], "seeds": [9]}}}
    )
    changes = {
        "extends": "base.yaml",
        "defaults": {"seeds": [5], "backbone": None},
        "backbones": {"other": None},
        "experiments": {"a": {"auxiliary": ["isic"]}, "b": {"auxiliary": ["mvtec"]}},
    }
    config = load_config(write(tmp_path / "mine.yaml", changes))
    a, b = config.experiments
    assert config.title == "base"
    assert list(config.backbones) == ["small"]
    assert (a.auxiliary, a.seeds) == (("isic",), (9,))
    assert (b.auxiliary, b.seeds, b.train.epochs) == (("mvtec",), (5,), 2)


def test_files_that_extend_each_other_are_refused(tmp_path):
    write(tmp_path / "a.yaml", {"extends": "b.yaml"})
    write(tmp_path / "b.yaml", {"extends": "a.yaml"})
    with pytest.raises(UsageError, match="leads back to it"):
        load_config(tmp_path / "a.yaml")


def test_a_missing_base_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"no such file: .*none\.yaml"):
        load_config(write(tmp_path / "a.yaml", {"extends": "none.yaml"}))
