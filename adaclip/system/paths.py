"""Paths in a configuration: `~` and `$NAME` stand for what they stand for in a shell."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adaclip.errors import UsageError

_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*))")


def expand_path(text: str, where: str) -> str:
    """A path with `~`, `~user`, `$NAME` and `${NAME}` replaced.

    Args:
        text: the path; one without these is given back as it is.
        where: what to call it in errors.

    Raises:
        UsageError: a variable that is not set, or a user without a home.
    """

    def value_of(match: re.Match[str]) -> str:
        name = match[1] if match[1] is not None else match[2]
        if not os.environ.get(name):
            raise UsageError(f"{where}: ${name} in '{text}' is not set: set it, or write the whole path")
        return os.environ[name]

    expanded = _VARIABLE.sub(value_of, text)
    if text.startswith("~"):
        try:
            expanded = str(Path(expanded).expanduser())
        except (RuntimeError, ValueError):
            raise UsageError(f"{where}: '{text}' names a user without a home folder: write the whole path") from None
    return expanded


def expand_paths(value: Any, where: str) -> Any:
    """A configuration in which every key that holds a path is expanded: data, results, raw, model and pretrained.

    Args:
        value: of any shape; what is no such path is left for the schema to judge.
        where: what to call it in errors.

    Raises:
        UsageError: as `expand_path`.
    """
    if not isinstance(value, Mapping):
        return value
    changed = dict(value)
    for key in ("data", "results"):
        if isinstance(value.get(key), str):
            changed[key] = expand_path(value[key], f"{where}: {key}")
    for part, keys in (("datasets", ("raw",)), ("backbones", ("model", "pretrained"))):
        if isinstance(value.get(part), Mapping):
            changed[part] = {
                name: _expanded(entry, keys, f"{where}: {part}.{name}") for name, entry in value[part].items()
            }
    return changed


def _expanded(entry: Any, keys: tuple[str, ...], place: str) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    return {
        key: expand_path(item, f"{place}.{key}") if key in keys and isinstance(item, str) else item
        for key, item in entry.items()
    }
