"""Measured figures beside published ones: what a table of the plan compares, worked out and ranked.

A *line* is one row of the plan's table in one kind: published, measured, or the difference of the two. A *point* is
what a figure is about: a set, a category, or the mean over some of them. Figures are in percent.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from adaclip.data.registry import load_registry
from adaclip.literature.cautions import Caution, facts_of, measured_facts
from adaclip.literature.published import AVERAGE, Literature, Published
from adaclip.report.methods import is_control
from adaclip.report.results import Measured, Results, average
from adaclip.report.series import LABELS
from adaclip.report.tables.cells import rounded
from adaclip.system.wording import counted

Kind = Literal["published", "measured", "difference"]
Metric = tuple[str, str]


@dataclass(frozen=True)
class Point:
    """What a figure is about.

    Attributes:
        set: id of a set, `average-<domain>`, or `average` for sets of several domains.
        title: heading.
        category: of the set, or "" for all of it.
        over: what it is a mean over; empty for a figure by itself.
    """

    set: str
    title: str
    category: str = ""
    over: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Line:
    """One line of a comparison; `chosen` are its published figures."""

    row: int
    title: str
    kind: Kind
    experiments: tuple[str, ...] = ()
    chosen: Mapping[tuple[str, str, str, str], Published] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        value: percent, or None with the `reason`.
        sd: sample standard deviation over the seeds in points, or None.
        seeds: how many seeds it is a mean over; 0 for a published one.
        parts: of a mean: over how many figures, and how many there should be; a published one may be over more. (1, 1)
            otherwise.
        reason: why there is none.
        experiment: that it was measured with; several are joined by a space.
        source: where it was published.
        selected: whether an epoch was chosen on the set.
        overlap: how many of the set's images the auxiliary data hold too.
        simulated: whether drawn images have a part in it; it is compared with nothing.
        cautions: ids with their sentences; none for a single category.
        ranked: whether it may take part in ranks.
        rank: among the lines at this point, 1 for the best; None where nothing is compared. Ties share their mean rank.
        best: whether it is the best.
        second: whether it is the second best of three or more.
    """

    value: float | None = None
    sd: float | None = None
    seeds: int = 0
    parts: tuple[int, int] = (1, 1)
    reason: str = ""
    experiment: str = ""
    source: str = ""
    selected: bool = False
    overlap: int = 0
    simulated: bool = False
    cautions: Mapping[str, str] = field(default_factory=dict)
    ranked: bool = True
    rank: float | None = None
    best: bool = False
    second: bool = False

    @property
    def whole(self) -> bool:
        """Whether it covers all that it should."""
        return self.parts[0] == self.parts[1]


@dataclass(frozen=True)
class Comparison:
    """A table of the plan with all its figures, by (line, point, metric)."""

    name: str
    by: str
    metrics: tuple[Metric, ...]
    lines: tuple[Line, ...]
    points: tuple[Point, ...]
    figures: Mapping[tuple[int, Point, Metric], Figure]

    def at(self, line: int, point: Point, metric: Metric) -> Figure:
        """The figure of a line."""
        return self.figures[line, point, metric]

    def mean_rank(self, line: int, metric: Metric) -> tuple[float | None, int]:
        """A line's mean rank over the points that are no means (over all where all are means), and their number.

        There is none unless the line is ranked wherever another one is: ranks on fewer sets would not compare.
        """
        points = [point for point in self.points if not point.over] or list(self.points)
        ranks = [rank for point in points if (rank := self.at(line, point, metric).rank) is not None]
        most = sum(any(self.at(i, point, metric).rank for i in range(len(self.lines))) for point in points)
        return (statistics.fmean(ranks) if ranks and len(ranks) == most else None), len(ranks)


def printed(value: float) -> float:
    """A figure as tables print it, with one decimal: published ones have no more, so ties are ties in print."""
    return float(rounded(value))


def compare(
    table: Mapping[str, Any], results: Results, literature: Literature, cautions: Sequence[Caution]
) -> Comparison:
    """Work out a table.

    Args:
        table: an entry of the plan's `tables`.
        results: of the plan.
        literature: the published figures.
        cautions: what to say about them.

    Raises:
        UsageError: a row's `published` fits nothing, or is ambiguous.
    """
    lines = tuple(_lines(table, literature, results))
    worker = _Worker(results, cautions)
    metrics = tuple((level, metric) for level, _, metric in (name.partition(".") for name in table["metrics"]))
    points = tuple(_points(table, results, lines))
    figures: dict[tuple[int, Point, Metric], Figure] = {}
    for metric in metrics:
        for point in points:
            found: list[Figure] = []
            for line in lines:
                # A row's difference stands behind its published and its measured line.
                found.append(
                    _difference(*found[-2:]) if line.kind == "difference" else worker.figure(line, point, metric)
                )
            if point.category:
                # Cautions are about sets; they stand at the mean over the categories.
                found = [replace(figure, cautions={}) for figure in found]
            figures |= {(i, point, metric): figure for i, figure in enumerate(_ranked(found, lines))}
    return Comparison(table["name"], table["by"], metrics, lines, points, figures)


def _lines(table: Mapping[str, Any], literature: Literature, results: Results) -> Iterator[Line]:
    for number, row in enumerate(table["rows"]):
        experiments = tuple(row["experiments"])
        if row["published"]:
            yield Line(number, row["title"], "published", chosen=literature.choose(row["published"]))
        if experiments:
            yield Line(number, row["title"], "measured", experiments)
        if row["published"] and experiments and not _all_drawn(experiments, table["sets"], results):
            yield Line(number, row["title"], "difference")


def _all_drawn(experiments: Sequence[str], sets: Sequence[str], results: Results) -> bool:
    """Whether drawn images have a part in every figure of a row."""
    pairs = [(name, own) for name in experiments for own in results.by_name[name]["evaluate"] if own in sets]
    return bool(pairs) and all(results.drawn(name, own) for name, own in pairs)


def _points(table: Mapping[str, Any], results: Results, lines: Sequence[Line]) -> Iterator[Point]:
    registry = load_registry()
    # A set that no experiment uses is not in the plan.
    titles = {name: dataset.title for name, dataset in registry.items()}
    kinds = {name: dataset.domain for name, dataset in registry.items()}
    titles |= {name: facts["title"] for name, facts in results.sets.items()}
    kinds |= {name: facts["domain"] for name, facts in results.sets.items()}
    sets = [Point(name, titles.get(name, name)) for name in table["sets"]]
    domains: dict[str, list[Point]] = {}
    for point in sets:
        domains.setdefault(kinds.get(point.set, "custom"), []).append(point)
    if table["by"] == "set":
        yield from sets
        if len(sets) > 1:
            name = AVERAGE + next(iter(domains)) if len(domains) == 1 else "average"
            yield Point(name, "Average", over=tuple(sets))
    elif table["by"] == "domain":
        for domain, own in domains.items():
            yield Point(AVERAGE + domain, domain.capitalize(), over=tuple(own))
    else:
        for point in sets:
            names = dict.fromkeys(
                category
                for line in lines
                for category in (
                    *(c for experiment in line.experiments for c in results.categories(experiment, point.set)),
                    *(c for name, c, _, _ in line.chosen if name == point.set and c),
                )
            )
            # In the registry's order where it has one: Class2 before Class10.
            known = [*(registry[point.set].categories if point.set in registry else ()), *names]
            own = [Point(point.set, category, category) for category in sorted(names, key=known.index)]
            yield from own
            if len(own) > 1:
                yield Point(point.set, "Mean", over=tuple(own))


class _Worker:
    """Looks up figures and works out means."""

    def __init__(self, results: Results, cautions: Sequence[Caution]) -> None:
        self.results, self.cautions = results, cautions
        self.registry = load_registry()

    def figure(self, line: Line, point: Point, metric: Metric) -> Figure:
        """The figure of a published or measured line."""
        if line.kind == "published":
            return self._published_mean(line, point, metric) if point.over else self._published(line, point, metric)
        if point.over and not point.over[0].category:
            return self._measured_mean(line, point, metric)
        return self._measured(line, point, metric)

    def _has(self, name: str, level: str) -> bool:
        known = self.registry[name].labels if name in self.registry else ()
        labels = self.results.sets.get(name, {}).get("labels", known)
        return not labels or LABELS[level] in labels

    def _published(self, line: Line, point: Point, metric: Metric) -> Figure:
        found = line.chosen.get((point.set, point.category, *metric))
        if found is None:
            return Figure(reason="not published")
        return published_figure(found, self.cautions)

    def _published_mean(self, line: Line, point: Point, metric: Metric) -> Figure:
        """The source's own average; the mean of its figures where that average is over other sets, or there is none."""
        wanted = [part for part in point.over if part.category or self._has(part.set, metric[0])]
        if not wanted:
            return Figure(reason="no set has it")
        parts = [self._published(line, part, metric) for part in wanted]
        values = [part.value for part in parts if part.value is not None]
        own = self._published(line, point, metric)
        averaged = self._averaged(point.set, metric[0])
        if own.value is not None and averaged == {part.set for part in wanted}:
            return replace(own, parts=(len(wanted), len(wanted)))
        if len(values) == len(wanted):
            sources = " / ".join(dict.fromkeys(part.source for part in parts))
            return Figure(
                statistics.fmean(values),
                parts=(len(values), len(wanted)),
                source=f"mean of {sources}",
                cautions={key: text for part in parts for key, text in part.cautions.items()},
                ranked=all(part.ranked for part in parts),
            )
        if own.value is not None:
            return replace(own, parts=(len(averaged), len(wanted)))
        return Figure(reason=f"published for {len(values)} of {len(wanted)}" if values else "not published")

    def _averaged(self, name: str, level: str) -> set[str]:
        """The sets that a published `average-<domain>` is over: those of the domain that have the labels."""
        domain = name.removeprefix(AVERAGE)
        return {
            dataset.id
            for dataset in self.registry.values()
            if dataset.built_in and dataset.domain == domain and LABELS[level] in dataset.labels
        }

    def _one(self, line: Line, point: Point, metric: Metric) -> tuple[str, Measured]:
        """The experiment of a line that evaluates a set, and what it measured."""
        for name in line.experiments:
            if point.set in self.results.by_name[name]["evaluate"]:
                return name, self.results.measured(name, point.set, *metric, point.category)
        trained = [name for name in line.experiments if point.set in self.results.by_name[name]["auxiliary"]]
        return "", Measured(reason="auxiliary data of this row" if trained else "not evaluated in this row")

    def _measured(self, line: Line, point: Point, metric: Metric) -> Figure:
        name, found = self._one(line, point, metric)
        pairs = [(name, point.set)] if name else []
        return measured_figure(self.results, self.cautions, found, pairs, (point.set, *metric))

    def _measured_mean(self, line: Line, point: Point, metric: Metric) -> Figure:
        wanted = [part for part in point.over if self._has(part.set, metric[0])]
        parts = [self._one(line, part, metric) for part in wanted]
        found = average([part for _, part in parts])
        pairs = [(name, own.set) for own, (name, part) in zip(wanted, parts, strict=True) if part.values]
        made = measured_figure(self.results, self.cautions, found, pairs, (point.set, *metric))
        return replace(made, parts=(found.sets, len(wanted)), reason="no set has it" if not wanted else made.reason)


def published_figure(found: Published, cautions: Sequence[Caution]) -> Figure:
    """A published figure with what to say about it."""
    fitting = [caution for caution in cautions if caution.fits(facts_of(found))]
    return Figure(
        found.value,
        source=found.source,
        cautions={caution.id: caution.sentence for caution in fitting},
        ranked=all(caution.ranked for caution in fitting),
    )


def measured_figure(
    results: Results,
    cautions: Sequence[Caution],
    found: Measured,
    pairs: Sequence[tuple[str, str]],
    place: tuple[str, str, str],
) -> Figure:
    """A measured figure, marked for what its sets have been used for.

    Args:
        results: where it was measured.
        cautions: what to say about measured figures.
        found: what was measured.
        pairs: the experiments with the sets that it is over.
        place: set or average, level, metric.
    """
    if not found.values:
        return Figure(reason=found.reason)
    control = any(is_control(results.by_name[name]) for name, _ in pairs)
    said = {}
    # A control is not compared with anything published.
    for caution in () if control else cautions:
        if caution.fits(measured_facts(*place)):
            normal, anomalous = results.counts(*pairs[0])
            said[caution.id] = caution.sentence.format(normal=f"{normal:,}", anomalous=f"{anomalous:,}")
    left_out = sum(results.left_out(name, dataset) for name, dataset in pairs)
    if left_out:
        said["left_out"] = f"Without {counted(left_out, 'image')} that the auxiliary data hold too."
    vanished = sum(results.vanished(name, dataset) for name, dataset in pairs) if place[1] == "pixel" else 0
    if vanished:
        images, whose = ("1 image", "its") if vanished == 1 else (f"{vanished:,} images", "their")
        said["vanished"] = (
            f"In {images} the defect vanishes at the evaluation's size, so all {whose} pixels count as normal."
        )
    selected = any(results.selected_on(name, dataset) for name, dataset in pairs)
    overlap = sum(results.overlap(name, dataset) for name, dataset in pairs)
    simulated = any(results.drawn(name, dataset) for name, dataset in pairs)
    return Figure(
        100 * found.mean,
        sd=100 * found.sd if found.seeds > 1 else None,
        seeds=found.seeds,
        experiment=" ".join(dict.fromkeys(name for name, _ in pairs)),
        selected=selected,
        overlap=overlap,
        simulated=simulated,
        cautions=said,
        ranked=not (selected or overlap or control or simulated),
    )


def _difference(published: Figure, measured: Figure) -> Figure:
    """Measured minus published, where both cover the same."""
    if published.value is None or measured.value is None:
        return Figure(reason=published.reason or measured.reason)
    if measured.simulated:
        return Figure(reason="measured on simulated images")
    for figure, what in ((measured, "measured"), (published, "published")):
        if not figure.whole:
            return Figure(reason=f"{what} over {counted(figure.parts[0], 'set')}, this table has {figure.parts[1]}")
    return Figure(measured.value - published.value, seeds=measured.seeds, ranked=False)


def _ranked(figures: Sequence[Figure], lines: Sequence[Line]) -> list[Figure]:
    """The figures of all lines at one point with their ranks; a difference, a control and a partial mean have none.

    Where one of them was measured on drawn images, there are none at all: published figures alone are no comparison.
    """
    if any(figure.simulated for figure in figures):
        return list(figures)
    taking_part = [
        index
        for index, (figure, line) in enumerate(zip(figures, lines, strict=True))
        if line.kind != "difference" and figure.value is not None and figure.ranked and figure.whole
    ]
    values = {index: printed(figures[index].value or 0) for index in taking_part}
    if len(values) < 2:
        return list(figures)
    ladder = sorted(set(values.values()), reverse=True)
    second = ladder[1] if len(values) > 2 and len(ladder) > 1 else None
    ranked = list(figures)
    for index, value in values.items():
        higher = sum(other > value for other in values.values())
        equal = sum(other == value for other in values.values())
        ranked[index] = replace(
            figures[index], rank=higher + (equal + 1) / 2, best=value == ladder[0], second=value == second
        )
    return ranked
