"""From the experiments as a configuration writes them to single ones: protocols, one set at a time, sweeps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adaclip.errors import UsageError

Value = str | int | float | bool
#: Stands in a title for the titles of the auxiliary sets, which only the registry knows.
AUXILIARY = "{auxiliary}"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*")


@dataclass(frozen=True)
class Single:
    """One experiment as the configuration would write it without expansions.

    Attributes:
        name: of its own, such as `depth_4_mvtec+colondb`.
        entry: its keys, without `protocol`, `for_each_auxiliary` and `sweep`.
        value: what it has of the swept setting, or None.
        swept: the setting that is swept, such as `model.prompt_depth`, or "".
    """

    name: str
    entry: dict[str, Any]
    value: Value | None = None
    swept: str = ""


@dataclass(frozen=True)
class Family:
    """What a name in a row of a table stands for.

    Attributes:
        title: what to call all of it.
        members: experiments, by name.
        children: families that make a row each: one for each value of a sweep, or for each auxiliary set; else none.
    """

    title: str
    members: tuple[str, ...]
    children: tuple[str, ...] = ()


def expand(
    experiments: Mapping[str, Mapping[str, Any]], protocols: Mapping[str, Sequence[Mapping[str, Any]]], where: str
) -> tuple[list[Single], dict[str, Family]]:
    """Expand every experiment.

    Args:
        experiments: as in the configuration, checked against the schema.
        protocols: as in the configuration.
        where: what to call the configuration in errors.

    Returns:
        The single experiments in order, and families by name: of each experiment of the configuration, of each value of
        a sweep, and of each single experiment.

    Raises:
        UsageError: keys that exclude each other, an unknown protocol, nothing left to evaluate, or a name that two
            have.
    """
    singles: list[Single] = []
    families: dict[str, Family] = {}

    def add(name: str, family: Family) -> None:
        if name in families:
            raise UsageError(f"{where}: two experiments are called '{name}': give one of them another name")
        families[name] = family

    for name, entry in experiments.items():
        place = f"{where}: experiments.{name}"
        _check(entry, protocols, place)
        parts = list(_swept(name, entry, place))
        of_values: list[tuple[str, list[Single]]] = []
        for part in parts:
            own = list(_trained(part, protocols, place))
            of_values.append((part.name, own))
            singles += own
            for single in own:
                add(single.name, Family(single.entry["title"], (single.name,)))
            if part.name != own[0].name and part.name != name:
                add(part.name, Family(part.entry["title"], tuple(single.name for single in own)))
        if name not in families:
            children = [value for value, _ in of_values] if "sweep" in entry else []
            if "for_each_auxiliary" in entry and not children:
                children = [single.name for single in of_values[0][1]]
            members = tuple(single.name for _, own in of_values for single in own)
            add(name, Family(entry.get("title", name).replace("{value}", "").strip(), members, tuple(children)))
    return singles, families


def _check(entry: Mapping[str, Any], protocols: Mapping[str, Any], place: str) -> None:
    chosen = [key for key in ("auxiliary", "for_each_auxiliary", "protocol") if key in entry]
    if len(chosen) > 1:
        raise UsageError(f"{place}: {' and '.join(chosen)} exclude each other: keep one")
    if "protocol" in entry:
        if entry["protocol"] not in protocols:
            known = ", ".join(protocols) or "none"
            raise UsageError(f"{place}: unknown protocol '{entry['protocol']}' (defined in protocols: {known})")
        if "evaluate" in entry:
            raise UsageError(f"{place}: the protocol says what is evaluated: take out evaluate")


def _swept(name: str, entry: Mapping[str, Any], place: str) -> Iterator[Single]:
    """One experiment for each value of a sweep, or the experiment itself."""
    plain = {key: value for key, value in entry.items() if key != "sweep"}
    title = plain.setdefault("title", name)
    if "sweep" not in entry:
        yield Single(name, plain)
        return
    [(swept, values)] = entry["sweep"].items()
    part, _, key = swept.partition(".")
    if (key in entry.get(part, {})) if key else part in entry:
        raise UsageError(f"{place}: {swept} is both set and swept: keep one")
    for value in values:
        text = _text(value)
        if not _NAME.fullmatch(text):
            raise UsageError(f"{place}: sweep of {swept}: '{text}' cannot be part of a name: use letters and digits")
        changed = {part: {**entry.get(part, {}), key: value}} if key else {part: value}
        shown = title.replace("{value}", text) if "{value}" in title else f"{title} {text}"
        yield Single(f"{name}_{text}", {**plain, **changed, "title": shown}, value, swept)


def _trained(part: Single, protocols: Mapping[str, Sequence[Mapping[str, Any]]], place: str) -> Iterator[Single]:
    """One experiment for each entry of its protocol or each auxiliary set, or the experiment itself."""
    entry = dict(part.entry)
    protocol, each = entry.pop("protocol", None), entry.pop("for_each_auxiliary", None)
    if protocol is None and each is None:
        yield Single(part.name, entry, part.value, part.swept)
        return
    if AUXILIARY not in entry["title"]:
        entry["title"] = f"{entry['title']}: {AUXILIARY}"
    for one in protocols[protocol] if protocol is not None else [{"auxiliary": [name]} for name in each or ()]:
        evaluate = one.get("evaluate", entry.get("evaluate", "others"))
        if each is not None and evaluate != "others":
            # The lists of a matrix are its columns; a set has no figure of its own.
            evaluate = [name for name in evaluate if name not in one["auxiliary"]]
            if not evaluate:
                raise UsageError(
                    f"{place}: nothing but its auxiliary set is left to evaluate for '{one['auxiliary'][0]}'"
                )
        name = f"{part.name}_{'+'.join(one['auxiliary'])}"
        yield Single(name, {**entry, "auxiliary": one["auxiliary"], "evaluate": evaluate}, part.value, part.swept)


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
