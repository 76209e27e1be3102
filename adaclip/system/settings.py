"""Settings as dataclasses, from YAML, JSON or the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from adaclip.errors import UsageError
from adaclip.system.reading import parse_json, read_yaml
from adaclip.system.schema import validate

Precision = Literal["fp32", "bf16", "fp16"]
_T = TypeVar("_T")


def settings(kind: type[_T], value: Mapping[str, Any]) -> _T:
    """A settings dataclass from a checked mapping; lists become tuples."""
    return kind(**{key: tuple(item) if isinstance(item, list) else item for key, item in value.items()})


def as_dict(value: Any) -> dict[str, Any]:
    """A settings dataclass as plain JSON values."""
    return {key: list(item) if isinstance(item, tuple) else item for key, item in dataclasses.asdict(value).items()}


def read_mapping(text: str, what: str) -> dict[str, Any]:
    """A mapping from the command line: a YAML or JSON file's path, or JSON itself.

    Args:
        text: what stood on the command line; JSON starts with "{".
        what: what to call it in errors.

    Raises:
        UsageError: not readable, or not a mapping.
    """
    value = parse_json(text, f"{what} on the command line") if text.lstrip().startswith("{") else read_yaml(text)
    if not isinstance(value, dict):
        raise UsageError(f"{what} {text}: expected keys and values")
    return value


def read_settings(kind: type[_T], part: str, text: str | None) -> _T:
    """Settings of a verb from the command line (see `read_mapping`), or None for the defaults.

    Args:
        kind: the dataclass.
        part: its name under `$defs` in the config schema.
        text: what stood on the command line.

    Raises:
        UsageError: not readable, or a wrong key or value.
    """
    where = f"{part} settings"
    value = read_mapping(text, where) if text is not None else {}
    return settings(kind, validate(value, f"config#/$defs/{part}", where))
