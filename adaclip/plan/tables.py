"""The tables and curves that a configuration asks for: which experiments answer them, on which sets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from adaclip.errors import UsageError
from adaclip.plan.experiments import AUXILIARY, Family, Value


@dataclass(frozen=True)
class Row:
    """A row of a table as the configuration writes it; see the schema's `row`."""

    title: str | None = None
    experiments: tuple[str, ...] = ()
    each: str | None = None
    published: Mapping[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Table:
    """A table as the configuration writes it; see the schema's `table`. `sets` None means all."""

    name: str
    title: str
    answers: str
    note: str
    by: Literal["set", "category", "domain"]
    sets: tuple[str, ...] | None
    domain: str | None
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Curve:
    """A curve as the configuration writes it; see the schema's `curve`. `sets` None means all."""

    name: str
    title: str
    answers: str
    note: str
    x: str
    sets: tuple[str, ...] | None
    domain: str | None
    metrics: tuple[str, ...]
    experiments: tuple[str, ...]


@dataclass(frozen=True)
class Scope:
    """What is known of the experiments when tables are resolved.

    Attributes:
        sets: ids in the order of the tables.
        families: what a name stands for.
        evaluated: evaluated sets by experiment.
        swept: for experiments of a sweep: the setting and the value.
        auxiliary: titles of the auxiliary sets by experiment, joined.
        domains: of every set.
    """

    sets: Sequence[str]
    families: Mapping[str, Family]
    evaluated: Mapping[str, Sequence[str]]
    swept: Mapping[str, tuple[str, Value | None]]
    auxiliary: Mapping[str, str]
    domains: Mapping[str, str]

    def members(self, names: Sequence[str], place: str) -> tuple[str, ...]:
        """The experiments that names stand for, without repeats."""
        for name in names:
            if name not in self.families:
                raise UsageError(f"{place}: unknown experiment '{name}' (see experiments)")
        return tuple(dict.fromkeys(member for name in names for member in self.families[name].members))

    def choose(self, sets: Sequence[str] | None, domain: str | None, members: Sequence[str], place: str) -> list[str]:
        """The sets of a table: those named, or all that its experiments evaluate; of one domain when it says so."""
        for name in sets or ():
            if name not in self.sets:
                raise UsageError(f"{place}: unknown set '{name}': the benchmark has {', '.join(self.sets)}")
        evaluated = {name for member in members for name in self.evaluated[member]}
        wanted = sets if sets is not None else [name for name in self.sets if name in evaluated or not members]
        chosen = [name for name in wanted if domain in (None, self.domains[name])]
        if not chosen:
            raise UsageError(f"{place}: no set is left: its experiments evaluate none of those that it asks for")
        return chosen

    def refuse_twice(self, members: Sequence[str], sets: Sequence[str], place: str) -> None:
        """Raise when two experiments evaluate one of the sets: its figure would be ambiguous."""
        for name in sets:
            having = [member for member in members if name in self.evaluated[member]]
            if len(having) > 1:
                raise UsageError(
                    f"{place}: both '{having[0]}' and '{having[1]}' evaluate '{name}', "
                    "so its figure would be ambiguous: take one out"
                )

    def title(self, family: str) -> str:
        """A family's title, with the auxiliary sets put in."""
        known = self.families[family]
        trained = " / ".join(dict.fromkeys(self.auxiliary[member] for member in known.members))
        return known.title.replace(AUXILIARY, trained)


def read_tables(entries: Mapping[str, Mapping[str, Any]]) -> tuple[Table, ...]:
    """Tables from a checked configuration."""
    return tuple(
        Table(by=entry["by"], rows=tuple(_row(row) for row in entry["rows"]), **_head(name, entry))
        for name, entry in entries.items()
    )


def read_curves(entries: Mapping[str, Mapping[str, Any]]) -> tuple[Curve, ...]:
    """Curves from a checked configuration."""
    return tuple(
        Curve(x=entry["x"], experiments=tuple(entry["experiments"]), **_head(name, entry))
        for name, entry in entries.items()
    )


def _head(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "title": entry.get("title", name),
        "answers": entry["answers"],
        "note": entry["note"],
        "sets": None if entry["sets"] == "all" else tuple(entry["sets"]),
        "domain": entry.get("domain"),
        "metrics": tuple(entry["metrics"]),
    }


def _row(entry: Mapping[str, Any]) -> Row:
    published = {
        column: (value,) if isinstance(value, str) else tuple(value)
        for column, value in entry.get("published", {}).items()
    }
    return Row(entry.get("title"), tuple(entry.get("experiments", ())), entry.get("each"), published or None)


def table_document(table: Table, scope: Scope) -> dict[str, Any]:
    """A table as `results/plan.json` has it, see docs/design.md.

    Raises:
        UsageError: an unknown experiment or set, a row without content, or a figure that would be ambiguous.
    """
    place = f"table '{table.name}'"
    rows = [row for number, entry in enumerate(table.rows, 1) for row in _rows(entry, scope, f"{place}, row {number}")]
    members = tuple(dict.fromkeys(member for row in rows for member in row["experiments"]))
    sets = scope.choose(table.sets, table.domain, members, place)
    for row in rows:
        scope.refuse_twice(row["experiments"], sets, f"{place}, row '{row['title']}'")
    return {**_head_document(table), "by": table.by, "sets": sets, "metrics": list(table.metrics), "rows": rows}


def _rows(row: Row, scope: Scope, place: str) -> list[dict[str, Any]]:
    if row.each is not None:
        if row.experiments:
            raise UsageError(f"{place}: experiments and each exclude each other: keep one")
        scope.members([row.each], place)
        children = scope.families[row.each].children
        if not children:
            raise UsageError(f"{place}: each: '{row.each}' has neither a sweep nor for_each_auxiliary: use experiments")
        if row.title is not None or row.published is not None:
            raise UsageError(f"{place}: each makes several rows: take out title and published")
        return [_row_document(scope.title(child), scope.members([child], place), None) for child in children]
    if not row.experiments and row.published is None:
        raise UsageError(f"{place}: give experiments, each or published")
    title = row.title
    if title is None:
        members = scope.members(row.experiments, place)
        title = scope.title(row.experiments[0]) if members else ", ".join((row.published or {}).get("method", ()))
        if not title:
            raise UsageError(f"{place}: give a title")
    return [_row_document(title, scope.members(row.experiments, place), row.published)]


def _row_document(title: str, members: Sequence[str], published: Mapping[str, Sequence[str]] | None) -> dict[str, Any]:
    filters = {column: list(values) for column, values in published.items()} if published else None
    return {"title": title, "experiments": list(members), "published": filters}


def curve_document(curve: Curve, scope: Scope) -> dict[str, Any]:
    """A curve as `results/plan.json` has it, see docs/design.md.

    Raises:
        UsageError: an unknown experiment or set, one that does not sweep `x`, or a figure that would be ambiguous.
    """
    place = f"curve '{curve.name}'"
    members = scope.members(curve.experiments, place)
    points: dict[Value, list[str]] = {}
    for member in members:
        swept, value = scope.swept[member]
        if swept != curve.x or value is None:
            raise UsageError(f"{place}: experiment '{member}' does not sweep {curve.x}")
        points.setdefault(value, []).append(member)
    sets = scope.choose(curve.sets, curve.domain, members, place)
    for value, own in points.items():
        scope.refuse_twice(own, sets, f"{place}, {curve.x} = {value}")
    return {
        **_head_document(curve),
        "x": curve.x,
        "sets": sets,
        "metrics": list(curve.metrics),
        "points": [{"value": value, "experiments": own} for value, own in points.items()],
    }


def _head_document(asked: Table | Curve) -> dict[str, Any]:
    # "Appendix Table 2" is the target appendix_table_2.
    target = re.sub(r"[^a-z0-9]+", "_", asked.answers.lower()).strip("_")
    return {
        "name": asked.name,
        "title": asked.title,
        "answers": asked.answers,
        "target": target or asked.name,
        "note": asked.note,
    }
