"""Configuration errors say where, what, and what was meant."""

from __future__ import annotations

import jsonschema
import pytest

from adaclip.errors import UsageError
from adaclip.methods.adaclip.settings import AdaCLIPSettings, AdaCLIPTraining
from adaclip.metrics.settings import EvaluateSettings
from adaclip.plan.config import parse_config
from adaclip.system.annotated import read, schema_of
from adaclip.system.schema import SCHEMAS, load_schema, validate
from adaclip.system.settings import as_dict, settings

NAMES = sorted(path.name.removesuffix(".schema.yaml") for path in SCHEMAS.glob("*.schema.yaml"))


def keys(schema, root, place="", seen=()):
    """Every property of a schema with the place where it stands, references followed."""
    while "$ref" in schema:
        reference = schema["$ref"]
        if reference in seen:
            return
        seen = (*seen, reference)
        target = root
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    for name, sub in schema.get("properties", {}).items():
        yield f"{place}.{name}", sub, root
        yield from keys(sub, root, f"{place}.{name}", seen)
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), dict):
            yield from keys(schema[part], root, f"{place}[]", seen)
    for part in ("anyOf", "oneOf"):
        for sub in schema.get(part, []):
            yield from keys(sub, root, place, seen)


def described(schema, root) -> bool:
    if schema.get("description"):
        return True
    if "$ref" not in schema:
        return False
    target = root
    for step in schema["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return described(target, root)


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_schemas(name):
    jsonschema.Draft202012Validator.check_schema(load_schema(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_key_has_a_description(name):
    schema = load_schema(name)
    found = list(keys(schema, schema))
    for part in schema.get("$defs", {}).values():
        found += keys(part, schema)
    assert len(found) > 10
    assert [place for place, sub, root in found if not described(sub, root)] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_object_with_keys_refuses_unknown_ones(name):
    schema = load_schema(name)
    waiting, lenient = [("", schema)], []
    while waiting:
        place, part = waiting.pop()
        if isinstance(part, dict):
            if isinstance(part.get("properties"), dict) and part.get("type") == "object":
                strict = part.get("additionalProperties", True) is not True or "$ref" in part
                lenient += [] if strict else [place]
            waiting += [(f"{place}/{key}", value) for key, value in part.items()]
        elif isinstance(part, list):
            waiting += [(f"{place}/{index}", value) for index, value in enumerate(part)]
    assert lenient == []


def test_defaults_of_schema_and_dataclass_agree():
    assert validate({}, "config#/$defs/evaluation", "x") == as_dict(EvaluateSettings())
    assert settings(EvaluateSettings, validate({}, "config#/$defs/evaluation", "x")) == EvaluateSettings()


@pytest.mark.parametrize("kind", [AdaCLIPSettings, AdaCLIPTraining])
def test_a_dataclass_is_its_own_schema(kind):
    schema = schema_of(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert read(kind, {}, "x") == kind()
    assert {key: entry["default"] for key, entry in schema["properties"].items()} == as_dict(kind())
    assert all(entry["description"] for entry in schema["properties"].values())


def test_defaults_are_filled_in_and_the_value_is_left_alone():
    value = {"epochs": 2}
    filled = read(AdaCLIPTraining, value, "x")
    assert filled == AdaCLIPTraining(epochs=2)
    assert filled.learning_rate == 0.01
    assert value == {"epochs": 2}


EXPERIMENTS = {"a": {"auxiliary": []}}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"experimens": {}}, "here.yaml: top level: unknown key 'experimens' (did you mean 'experiments'?)"),
        (
            {"experiments": EXPERIMENTS, "runtime": {"devise": "cpu"}},
            "runtime: unknown key 'devise' (did you mean 'device'?)",
        ),
        ({"experiments": EXPERIMENTS, "title": 3}, "title: 3 is not of type 'string'"),
        (
            {"experiments": EXPERIMENTS, "leakage": "maybe"},
            "leakage: 'maybe' is not one of warn, refuse, deduplicate",
        ),
        ({"title": "x"}, "top level: it has no experiments: give some, or say which file it changes"),
        ({"experiments": EXPERIMENTS, "sets": ["mvtec\n"]}, "sets.0: 'mvtec\\n' does not fit"),
        ([], "[] is not of type 'object'"),
        ({"experiments": [{"name": "x" * 500}]}, "experiments: [{'name': 'xxxx"),
    ],
)
def test_faults_are_one_line_with_place_and_hint(value, words):
    with pytest.raises(UsageError) as caught:
        validate(value, "config", "here.yaml")
    assert words in str(caught.value)
    assert str(caught.value).startswith("here.yaml: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("train", "words"),
    [
        ({"lr": 1}, "experiments.a.train: unknown key 'lr' (known keys: epochs, "),
        ({"epochs": 2.0}, "experiments.a.train.epochs: 2.0 is not of type 'integer'"),
    ],
)
def test_a_fault_in_a_methods_settings_has_its_place(train, words):
    with pytest.raises(UsageError) as caught:
        parse_config({"backbones": {"b": {"model": "tiny"}}, "experiments": {"a": {"train": train}}}, "here.yaml")
    assert str(caught.value).startswith(f"here.yaml: {words}")


@pytest.mark.parametrize(
    "value",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": -1},
        {"betas": [0.5]},
        {"betas": [0.5, 1.5]},
        {"precision": "fp8"},
        {"mosaic_probability": 2},
        {"epochs": 1.5},
        {"epochs": True},
    ],
)
def test_training_settings_that_cannot_be(value):
    [key] = value
    with pytest.raises(UsageError, match=key):
        read(AdaCLIPTraining, value, "x")
