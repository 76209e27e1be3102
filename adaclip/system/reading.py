"""One strict reader for every configuration: YAML and JSON files, and JSON on the command line.

PyYAML keeps the last of two equal keys without a word, reads `010` as 8 and `1:20` as 80, and lets aliases grow without
end; JSON's reader takes NaN. A benchmark's settings must be what they look like, so all of that is refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from adaclip.errors import UsageError

#: Values in a file when every alias stands for what it repeats. The paper's configuration has a few thousand.
_MOST_VALUES = 200_000
_DEEPEST = 50
#: Whole numbers up to here are the same in every program that reads them.
_LARGEST = 2**63 - 1
_TAG = "tag:yaml.org,2002:"
_PLAIN = {f"{_TAG}{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq")}
_WORDS = {"bool": "a yes or no", "int": "a number", "float": "a number", "null": "nothing", "timestamp": "a date"}
#: Line breaks and tabs are text; other control characters and halves of a character are not.
_UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_BREAK = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def read_yaml(path: str | Path) -> Any:
    """Read a YAML file, or a JSON file when its name ends in .json.

    Raises:
        UsageError: one line with file, and line and column where they are known: missing, unreadable, a wrong syntax, a
            key that stands twice, or a value that is not what it looks like.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"no such file: {path}") from None
    except UnicodeDecodeError:
        raise UsageError(f"cannot read {path}: it is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    return parse_json(text, str(path)) if path.suffix.lower() == ".json" else parse_yaml(text, str(path))


def parse_yaml(text: str, where: str) -> Any:
    """The value of a YAML text.

    Args:
        text: the text.
        where: what to call it in errors.

    Raises:
        UsageError: as `read_yaml`.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        loader.check(node)
        return loader.construct_document(node)
    except yaml.reader.ReaderError as error:
        line, column = _place(text, error.position)
        raise UsageError(f"{_at(where, line, column)}: not valid YAML: a character that text cannot have") from None
    except yaml.MarkedYAMLError as error:
        problem = " ".join(str(error.problem or error.context).split())
        kind = "" if isinstance(error, _FaultError) else "not valid YAML: "
        mark = error.problem_mark or error.context_mark
        place = _at(where, mark.line, mark.column) if mark else where
        raise UsageError(f"{place}: {kind}{problem}") from None
    except RecursionError:
        raise UsageError(f"{where}: nested more than {_DEEPEST} levels deep") from None
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from None


def parse_json(text: str, where: str) -> Any:
    """The value of a JSON text.

    Args:
        text: the text.
        where: what to call it in errors.

    Raises:
        UsageError: not JSON, a key that stands twice, or a number that is not finite.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"{where}, {place}: not valid JSON: {error.msg}") from None
    except RecursionError:
        raise UsageError(f"{where}: nested more than {_DEEPEST} levels deep") from None
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None
    check_plain(value, where)
    return value


def check_plain(value: Any, where: str, depth: int = 0) -> None:
    """Refuse what is no plain value: texts, finite numbers, true, false, null, lists, and mappings with texts as keys.

    Args:
        value: from whatever reader; a value must not hold itself.
        where: what to call it in errors.
        depth: how deep it stands.

    Raises:
        UsageError: naming the place.
    """
    if depth > _DEEPEST:
        raise UsageError(f"{where}: nested more than {_DEEPEST} levels deep")
    if isinstance(value, Mapping):
        for key, item in value.items():
            fault = _key_fault(key)
            if fault:
                raise UsageError(f"{where}: {fault}")
            check_plain(item, f"{where}: {key}" if depth == 0 else f"{where}.{key}", depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            check_plain(item, f"{where}.{index}", depth + 1)
    else:
        fault = _fault(value)
        if fault:
            raise UsageError(f"{where}: {fault}")


class _FaultError(yaml.MarkedYAMLError):
    """Valid YAML that is refused here."""


class _Loader(yaml.SafeLoader):
    """Constructs plain values only, after `check`."""

    def check(self, root: yaml.Node) -> None:
        """Refuse what a configuration must not have, naming the place."""
        #: How many values a node stands for; None while it is looked at.
        sizes: dict[int, int | None] = {}

        def size(node: yaml.Node, depth: int) -> int:
            known = sizes.get(id(node), 0)
            if known is None:
                raise _FaultError(None, None, "an alias that holds itself", node.start_mark)
            if not known:
                if depth > _DEEPEST:
                    raise _FaultError(None, None, f"nested more than {_DEEPEST} levels deep", node.start_mark)
                sizes[id(node)] = None
                known = 1 + sum(size(part, depth + 1) for part in self._parts(node))
                sizes[id(node)] = known
            if known > _MOST_VALUES:
                raise _FaultError(
                    None, None, f"aliases that stand for more than {_MOST_VALUES:,} values", node.start_mark
                )
            return known

        size(root, 0)

    def _parts(self, node: yaml.Node) -> list[yaml.Node]:
        """What is in a node, which itself is looked at."""
        if node.tag not in _PLAIN:
            kind = node.tag.removeprefix(_TAG)
            text = f"{node.value} is read as {_WORDS[kind]}: put it in quotes" if kind in _WORDS else ""
            raise _FaultError(None, None, text or f"the tag {node.tag} is not used here", node.start_mark)
        if isinstance(node, yaml.ScalarNode):
            self._check_scalar(node)
            return []
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        seen = set()
        for key, _ in node.value:
            # "<<" merges mappings, and its keys may be overridden.
            if key.tag != f"{_TAG}merge":
                self._check_key(key)
            # Keys are compared as they are written.
            if key.value in seen:
                raise _FaultError(None, None, f"key '{key.value}' stands twice", key.start_mark)
            seen.add(key.value)
        return [value for _, value in node.value]

    def _check_key(self, key: yaml.Node) -> None:
        kind = key.tag.removeprefix(_TAG)
        if not isinstance(key, yaml.ScalarNode):
            fault: str | None = "a key must be a text"
        elif kind != "str":
            fault = f"key {key.value} is read as {_WORDS.get(kind, kind)}: put it in quotes"
        else:
            fault = _key_fault(key.value)
        if fault:
            raise _FaultError(None, None, fault, key.start_mark)

    def _check_scalar(self, node: yaml.ScalarNode) -> None:
        kind, text = node.tag.removeprefix(_TAG), node.value
        fault = None
        if kind in ("int", "float"):
            digits = text.lstrip("+-").replace("_", "")
            if ":" in text:
                fault = f"{text} is read as a number to the base of 60: put it in quotes"
            elif kind == "int" and re.fullmatch(r"0\d+", digits):
                fault = f"{text} is read as an octal number: write it without the 0, or in quotes"
        if fault is None:
            try:
                fault = _fault(self.construct_object(node))
            except (ValueError, OverflowError):
                fault = f"{_short(text)} is not a number that can be used"
        if fault:
            raise _FaultError(None, None, fault, node.start_mark)


def _fault(value: Any) -> str | None:
    """What is wrong with a single value, or None."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return None if abs(value) <= _LARGEST else "a whole number that large cannot be used"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{value} is not a finite number"
    if isinstance(value, str):
        return "a control character, or half of one, in a text" if _UNREADABLE.search(value) else None
    return f"{_short(value)} is neither text, number, list nor mapping: put it in quotes"


def _key_fault(key: Any) -> str | None:
    if not isinstance(key, str):
        return f"key {key} must be a text: put it in quotes"
    return f"key {key!r} holds a line break or a control character" if _BREAK.search(key) else None


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key '{key}' stands twice")
        found[key] = value
    return found


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not a finite number")


def _place(text: str, position: int) -> tuple[int, int]:
    before = text[:position]
    return before.count("\n"), position - (before.rfind("\n") + 1)


def _at(where: str, line: int, column: int) -> str:
    return f"{where}, line {line + 1}, column {column + 1}"
