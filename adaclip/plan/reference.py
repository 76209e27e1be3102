"""Every key of a configuration as Markdown, from the schema that checks it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from adaclip.errors import AdaclipError
from adaclip.methods.registry import BUILT_IN, find_card
from adaclip.system.annotated import schema_of
from adaclip.system.files import write_text
from adaclip.system.pages import read_page, replace_block
from adaclip.system.schema import load_schema

BEGIN = "<!-- From adaclip/schemas/config.schema.yaml by `adaclip keys`; edit that file instead. -->"
END = "<!-- End of the keys. -->"
#: Parts of the schema that keys refer to, in the order of the page; the headings say where they stand.
PARTS = {
    "backbone": "One backbone (`backbones: NAME:`)",
    "experiment": "One experiment (`experiments: NAME:`)",
    "evaluation": "Evaluation (`defaults: evaluate_with:`)",
    "table": "One table (`tables: NAME:`)",
    "row": "One row of a table (`rows:`)",
    "curve": "One curve (`curves: NAME:`)",
}


def write_keys(page: Path) -> bool:
    """Bring the marked block of a page up to date.

    Args:
        page: a Markdown file with the marks `BEGIN` and `END`.

    Returns:
        Whether it changed.

    Raises:
        AdaclipError: the page is missing, or lacks a mark.
    """
    old = read_page(page)
    if old is None:
        raise AdaclipError(f"no such page: {page}")
    new = replace_block(old, BEGIN, END, keys(), page)
    if new != old:
        write_text(page, new)
    return new != old


def keys() -> str:
    """Tables of all keys: what each is for, what it may be, and its default."""
    schema = load_schema("config")
    parts = schema["$defs"]
    lines = ["", "### Top level", "", *_table(schema, parts)]
    for name, title in PARTS.items():
        lines += ["", f"### {title}", "", *_table(parts[name], parts)]
    for id in BUILT_IN:
        card = find_card(id)
        for part, kind in (("model", card.settings), ("train", card.training)):
            if kind is not None and dataclasses.fields(kind) and card.kind != "untrained":
                lines += ["", f"### Method `{id}`: `{part}:`", "", *_table(schema_of(kind), parts)]
    return "\n".join([*lines, ""])


def _table(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Iterator[str]:
    yield "| key | what it is | may be | default |"
    yield "|---|---|---|---|"
    yield from _rows(schema, parts, "")


def _rows(schema: Mapping[str, Any], parts: Mapping[str, Any], prefix: str) -> Iterator[str]:
    required = schema.get("required", ())
    for key, entry in schema.get("properties", {}).items():
        name, resolved = _resolve(entry, parts)
        default = json.dumps(resolved["default"], ensure_ascii=False) if "default" in resolved else ""
        shown = f"`{default}`" if default and default != "{}" else "required" if key in required else ""
        words = " ".join(str(resolved.get("description", "")).split())
        words = words.replace("|", "\\|").replace("<", "&lt;")
        yield f"| `{prefix}{key}` | {words} | {_kind(name, resolved, parts)} | {shown} |"
        # Parts with a table of their own are not repeated.
        if name not in PARTS:
            yield from _rows(resolved, parts, f"{prefix}{key}.")


def _resolve(entry: Mapping[str, Any], parts: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Name of the part that an entry refers to ("" for none), and the entry with what the part says."""
    if "$ref" not in entry:
        return "", entry
    name = str(entry["$ref"]).rpartition("/")[2]
    return name, {**parts[name], **{key: value for key, value in entry.items() if key != "$ref"}}


def _kind(name: str, entry: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    if name in PARTS:
        return "see below"
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"])
    if "const" in entry:
        return f"`{entry['const']}`"
    if "anyOf" in entry:
        return " or ".join(_kind(*_resolve(option, parts), parts) for option in entry["anyOf"])
    kind = entry.get("type", "any")
    if kind == "array":
        inner = _kind(*_resolve(entry.get("items", {}), parts), parts)
        return f"list of {inner}"
    if kind == "object":
        extra = entry.get("additionalProperties")
        return "by name, see below" if isinstance(extra, dict) and _resolve(extra, parts)[0] in PARTS else "keys"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true, false", "null": "null"}
    shown = " or ".join(words.get(one, one) for one in ([kind] if isinstance(kind, str) else kind))
    limits = [f"{sign} {entry[key]}" for key, sign in _LIMITS.items() if key in entry]
    return f"{shown} {' and '.join(limits)}".strip()


_LIMITS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
