"""Validation of YAML against the schemas in `adaclip/schemas`, with one-line errors and defaults filled in."""

from __future__ import annotations

import copy
import difflib
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from adaclip.errors import UsageError
from adaclip.system.reading import read_yaml

SCHEMAS = Path(__file__).parents[1] / "schemas"


@functools.cache
def load_schema(name: str) -> dict[str, Any]:
    """The schema `adaclip/schemas/<name>.schema.yaml` as a dict."""
    schema = read_yaml(SCHEMAS / f"{name}.schema.yaml")
    assert isinstance(schema, dict)
    return schema


def validate(value: Any, schema_name: str, where: str) -> Any:
    """Check `value` against a schema and return a copy with the schema's defaults filled in.

    Args:
        value: what YAML gave.
        schema_name: stem of a file in `adaclip/schemas`; `name#/$defs/part` checks against a part of it.
        where: what to call the value in errors, usually the file's path.

    Raises:
        UsageError: naming the place, the fault, and the nearest known key for a wrong one.
    """
    name, _, pointer = schema_name.partition("#")
    schema = load_schema(name)
    part: dict[str, Any] = schema
    for step in pointer.strip("/").split("/") if pointer else []:
        part = part[step]
    if part is not schema:
        part = {**part, "$defs": schema.get("$defs", {})}
    return validate_part(value, part, where)


def validate_part(value: Any, part: dict[str, Any], where: str, inside: str = "") -> Any:
    """`validate` against a schema that is given.

    Args:
        value: what YAML gave.
        part: the schema.
        where: what to call the whole in errors, usually the file's path.
        inside: keys that lead to `value` in the whole, with dots between them.
    """
    validator = _validator_class()(part)
    errors = sorted(_leaves(validator.iter_errors(value)), key=lambda error: list(map(str, error.absolute_path)))
    if errors:
        raise UsageError(f"{where}: {_describe(errors[0], inside)}")
    return _with_defaults(copy.deepcopy(value), part, part)


@functools.cache
def _validator_class() -> Any:
    """Draft 2020-12, but 2.0 is no whole number, and a pattern's "$" is the end and not a line break before it."""
    import jsonschema

    def is_whole(checker: Any, instance: Any) -> bool:
        return isinstance(instance, int) and not isinstance(instance, bool)

    def pattern(validator: Any, wanted: str, instance: Any, schema: Any) -> Iterator[Any]:
        ending = re.sub(r"\$$", r"\\Z", wanted)
        if isinstance(instance, str) and not re.search(ending, instance):
            yield jsonschema.ValidationError(f"{instance!r} does not match {wanted!r}")

    base = jsonschema.Draft202012Validator
    checker = base.TYPE_CHECKER.redefine("integer", is_whole)
    return jsonschema.validators.extend(base, {"pattern": pattern}, type_checker=checker)  # type: ignore[no-untyped-call]


def _leaves(errors: Iterator[Any]) -> Iterator[Any]:
    for error in errors:
        # Of the branches of anyOf, the one that got furthest says best what is wrong.
        deepest = max(error.context or [], key=lambda e: len(e.absolute_path), default=None)
        if deepest is not None and len(deepest.absolute_path) > len(error.absolute_path):
            yield from _leaves(iter([deepest]))
        else:
            yield error


def _describe(error: Any, inside: str = "") -> str:
    steps = [*filter(None, [inside]), *map(str, error.absolute_path)]
    place = ".".join(steps) or "top level"
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = list(error.schema.get("properties", {}))
        unknown = [key for key in error.instance if key not in known]
        near = difflib.get_close_matches(str(unknown[0]), known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(known) or 'none'}"
        # Our own keyword: where keys stand that stood here once.
        hint = error.schema.get("moved", {}).get(unknown[0], hint)
        return f"{place}: unknown key '{unknown[0]}' ({hint})"
    if error.validator == "required" and error.validator_value == ["experiments"]:
        return f"{place}: it has no experiments: give some, or say which file it changes (extends: paper.yaml)"
    if error.validator == "propertyNames":
        return f"'{error.instance}' is not a valid name here: {error.schema.get('description', error.message)}"
    if error.validator == "enum":
        return f"{place}: {_short(error.instance)} is not one of {', '.join(map(str, error.validator_value))}"
    if error.validator == "type" and error.validator_value == "number" and _is_number(error.instance):
        return f"{place}: {_short(error.instance)} is text: write {_as_yaml(error.instance)}"
    choices = [value for option in _options(error) for value in option.get("enum", ())]
    if choices:
        return f"{place}: {_short(error.instance)} is not one of {', '.join([*choices, 'null'])}"
    if error.validator in ("anyOf", "oneOf") and error.schema.get("description"):
        return f"{place}: {_short(error.instance)} does not fit: {error.schema['description']}"
    if error.validator == "pattern" and error.schema.get("description"):
        return f"{place}: {_short(error.instance)} does not fit: {error.schema['description']}"
    return f"{place}: {error.message.replace(repr(error.instance), _short(error.instance))}"


def _options(error: Any) -> list[Any]:
    """The branches of an anyOf that only leaves a choice, or null; else none."""
    branches = error.validator_value if error.validator == "anyOf" else []
    return branches if all("enum" in one or one.get("type") == "null" for one in branches) else []


def _is_number(value: Any) -> bool:
    """Whether a text would be a number to most readers; YAML wants a dot in one with an exponent."""
    return isinstance(value, str) and re.fullmatch(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", value) is not None


def _as_yaml(text: str) -> str:
    mantissa, sign, exponent = text.lower().partition("e")
    return f"{mantissa if '.' in mantissa else f'{mantissa}.0'}e{exponent}" if sign else text


def _short(value: Any) -> str:
    """A value as it is shown in an error: a whole mapping would bury what is wrong with it."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _resolve(schema: Any, root: dict[str, Any]) -> dict[str, Any]:
    while isinstance(schema, dict) and "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema if isinstance(schema, dict) else {}


def _with_defaults(value: Any, schema: Any, root: dict[str, Any]) -> Any:
    schema = _resolve(schema, root)
    if isinstance(value, dict):
        for key, sub in schema.get("properties", {}).items():
            resolved = _resolve(sub, root)
            if key not in value and "default" in resolved:
                value[key] = copy.deepcopy(resolved["default"])
            if key in value:
                value[key] = _with_defaults(value[key], resolved, root)
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            for key in value.keys() - schema.get("properties", {}).keys():
                value[key] = _with_defaults(value[key], extra, root)
    elif isinstance(value, list) and "items" in schema:
        value = [_with_defaults(item, schema["items"], root) for item in value]
    return value
