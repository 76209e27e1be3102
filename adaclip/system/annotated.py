"""Settings that say of themselves what they are: a dataclass from which its schema and its page of keys are made."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from adaclip.system.schema import validate_part

_T = TypeVar("_T")
_NAMES: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}


def setting(default: Any, description: str, **limits: Any) -> Any:
    """A field of a settings dataclass.

    Args:
        default: its value where nothing is said.
        description: one or two sentences for whoever writes a configuration.
        limits: further JSON-schema keywords: minimum, exclusiveMinimum, maximum, minItems, items ...

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Mine:
        ...     depth: int = setting(4, "Blocks that get prompts.", minimum=1)
        >>> schema_of(Mine)["properties"]["depth"]
        {'description': 'Blocks that get prompts.', 'type': 'integer', 'minimum': 1, 'default': 4}
    """
    return dataclasses.field(default=default, metadata={"description": description, "limits": limits})


def schema_of(kind: type) -> dict[str, Any]:
    """The JSON schema of a settings dataclass; a field without `setting` has no description."""
    hints = typing.get_type_hints(kind)
    properties = {}
    for field in dataclasses.fields(kind):
        entry: dict[str, Any] = {"description": field.metadata.get("description", "")}
        entry |= _type(hints[field.name])
        entry |= _merged_items(entry, field.metadata.get("limits", {}))
        if field.default is not dataclasses.MISSING:
            entry["default"] = _plain(field.default)
        properties[field.name] = entry
    return {"type": "object", "additionalProperties": False, "properties": properties}


def read(kind: type[_T], value: Mapping[str, Any], where: str, inside: str = "") -> _T:
    """Settings from a mapping of a configuration.

    Args:
        kind: a dataclass whose fields are made with `setting`.
        value: keys and values.
        where: what to call the mapping in errors, or the file that it stands in.
        inside: keys that lead to the mapping in that file, with dots between them.

    Raises:
        UsageError: naming the place, the fault, and the nearest known key for a wrong one.
    """
    # Python's own callers give tuples where YAML has lists.
    checked = validate_part({key: _plain(item) for key, item in value.items()}, schema_of(kind), where, inside)
    return kind(**{key: _tuple(item) for key, item in checked.items()})


def _type(hint: Any) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (typing.Union, types.UnionType):
        options = [{"type": "null"} if option is type(None) else _type(option) for option in arguments]
        return {"anyOf": options}
    if origin is tuple:
        inner = _type(arguments[0])
        fixed = len(arguments) if Ellipsis not in arguments else None
        return {"type": "array", "items": inner, **({"minItems": fixed, "maxItems": fixed} if fixed else {})}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _type(arguments[1])}
    return {"type": _NAMES[hint]}


def _merged_items(entry: Mapping[str, Any], limits: Mapping[str, Any]) -> dict[str, Any]:
    """Limits of the elements of a list are put beside their type."""
    if "items" not in limits:
        return dict(limits)
    return {**limits, "items": {**entry["items"], **limits["items"]}}


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _tuple(value: Any) -> Any:
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value
