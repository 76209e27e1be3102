"""A comparison laid out as a table: as the paper does it, by set, by category or by domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adaclip.metrics.names import METRICS
from adaclip.report.document import Cell, Column, TableDoc
from adaclip.report.protocol import protocol_sentence
from adaclip.report.results import Results
from adaclip.report.tables.cells import Notes, points, signed
from adaclip.report.tables.compare import Comparison, Figure, Line, Metric, Point
from adaclip.system.wording import counted

DRAWN = "Simulated images: no ranks, nothing in bold, and no differences from published figures."
SPREAD = "In percent. Measured: mean ± sample standard deviation over the seeds."
DIFFERENCE = "Difference: measured minus published."
RANKS = (
    "Best in bold, second of three or more underlined, published and measured figures together, as printed; controls, "
    "marked figures and means over fewer sets are not ranked."
)


def paper_table(table: Mapping[str, Any], comparison: Comparison, results: Results) -> TableDoc:
    """A comparison laid out as the paper does it.

    By set: metrics and methods down, sets across. By category: categories down, metrics and methods across. By domain:
    methods down, domains and metrics across.
    """
    layout = {"set": _by_set, "category": _by_category, "domain": _by_domain}[comparison.by]
    notes = Notes()
    columns, rows, marked = layout(comparison, notes, {name: facts["title"] for name, facts in results.sets.items()})
    answers, title = table["answers"], table["title"]
    drawn = DRAWN if any(figure.simulated for figure in comparison.figures.values()) else ""
    said = _provenance(comparison) if comparison.by == "category" else ranks_said(comparison)
    measured = any(line.kind == "measured" for line in comparison.lines)
    protocol = protocol_sentence(results.plan) if measured else ""
    return TableDoc(
        name=comparison.name,
        title=f"{answers}: {title}" if answers and not title.startswith(answers) else title,
        caption=" ".join(filter(None, [table["note"], drawn, said, protocol])),
        section="paper",
        columns=tuple(columns),
        rows=tuple(rows),
        notes=notes.ordered(),
        marked=tuple(marked),
        rules=rules_of(comparison),
        runs=results.runs_of(name for row in table["rows"] for name in row["experiments"]),
        csv=f"{comparison.name}.csv",
    )


def has_ranks(comparison: Comparison) -> bool:
    """Whether some figure has a rank: on drawn images none has."""
    return any(figure.rank for figure in comparison.figures.values())


def rules_of(comparison: Comparison) -> str:
    """How to read what the table has."""
    differs = any(line.kind == "difference" for line in comparison.lines)
    return " ".join(
        filter(None, [SPREAD, DIFFERENCE if differs else "", RANKS if has_ranks(comparison) else ""]),
    )


def ranks_said(comparison: Comparison) -> str:
    """What the last column is, where there is one."""
    if not has_ranks(comparison):
        return ""
    over = "domains" if comparison.by == "domain" else "sets"
    return f"Rank: mean over the {over}; ties share theirs."


def _provenance(comparison: Comparison) -> str:
    """Sources and seeds of all lines, where no row has room for them."""
    sentences = []
    for index, line in enumerate(comparison.lines):
        figures = [comparison.at(index, p, metric) for p in comparison.points for metric in comparison.metrics]
        if line.kind == "published":
            sentences.append(f"{line.title}, published: {', '.join(_sources(figures))}.")
        elif line.kind == "measured":
            sentences.append(f"{line.title}, measured: {seeds_of(figures)}{_on_drawn(figures)}.")
    return " ".join(sentences)


def _by_set(
    comparison: Comparison, notes: Notes, titles: Mapping[str, str]
) -> tuple[list[Column], list[tuple[Cell, ...]], list[int]]:
    columns = [Column("metric", "Metric", filter=True), *_heads()]
    columns += [Column(point_key(point), point.title, "percent") for point in comparison.points]
    columns += rank_column(has_ranks(comparison))
    rows: list[tuple[Cell, ...]] = []
    marked = []
    for metric in comparison.metrics:
        for index, line in enumerate(comparison.lines):
            if line.kind == "measured":
                marked.append(len(rows))
            heads = _line_cells(comparison, index, [metric], notes)
            cells = [figure_cell(comparison.at(index, point, metric), line, notes) for point in comparison.points]
            rows.append((Cell(METRICS[metric]), *heads, *cells, *rank_cells(comparison, index, [metric])))
    return columns, rows, marked


def _by_domain(
    comparison: Comparison, notes: Notes, titles: Mapping[str, str]
) -> tuple[list[Column], list[tuple[Cell, ...]], list[int]]:
    places = [(point, metric) for point in comparison.points for metric in comparison.metrics]
    columns = _heads()
    columns += [
        Column(f"{point_key(point)}_{'_'.join(metric)}", METRICS[metric], "percent", group=point.title)
        for point, metric in places
    ]
    columns += rank_column(has_ranks(comparison))
    rows: list[tuple[Cell, ...]] = []
    marked = []
    for index, line in enumerate(comparison.lines):
        if line.kind == "measured":
            marked.append(index)
        heads = _line_cells(comparison, index, comparison.metrics, notes)
        cells = [figure_cell(comparison.at(index, point, metric), line, notes) for point, metric in places]
        rows.append((*heads, *cells, *rank_cells(comparison, index, comparison.metrics)))
    return columns, rows, marked


def _by_category(
    comparison: Comparison, notes: Notes, titles: Mapping[str, str]
) -> tuple[list[Column], list[tuple[Cell, ...]], list[int]]:
    sets = list(dict.fromkeys(point.set for point in comparison.points))
    several = len({line.row for line in comparison.lines}) > 1
    columns = [Column("set", "Set", filter=True)] if len(sets) > 1 else []
    columns.append(Column("category", "Category"))
    for metric in comparison.metrics:
        for line in comparison.lines:
            title = f"{line.title}, {line.kind}" if several else line.kind.capitalize()
            key = f"{'_'.join(metric)}_{line.row}_{line.kind}"
            columns.append(Column(key, title, "percent", group=METRICS[metric]))
    rows: list[tuple[Cell, ...]] = []
    for point in comparison.points:
        cells = [
            figure_cell(comparison.at(index, point, metric), line, notes)
            for metric in comparison.metrics
            for index, line in enumerate(comparison.lines)
        ]
        head = [Cell(titles.get(point.set, point.set))] if len(sets) > 1 else []
        rows.append((*head, Cell(point.title), *cells))
    return columns, rows, []


def _heads() -> list[Column]:
    return [Column("row", "Method", filter=True), Column("kind", "Figures", filter=True)]


def _line_cells(comparison: Comparison, index: int, metrics: Sequence[Metric], notes: Notes) -> tuple[Cell, Cell]:
    """What a line is, with the number of seeds or the sources."""
    line = comparison.lines[index]
    figures = [comparison.at(index, point, metric) for point in comparison.points for metric in metrics]
    if line.kind == "published":
        return Cell(line.title), Cell(line.kind, notes=notes.keys(f"From {source}." for source in _sources(figures)))
    if line.kind == "difference":
        return Cell(line.title), Cell(line.kind)
    return Cell(line.title), Cell(f"{line.kind}, {seeds_of(figures)}{_on_drawn(figures)}")


def _on_drawn(figures: Sequence[Figure]) -> str:
    """What marks a line that drawn images have a part in."""
    drawn = [figure.simulated for figure in figures if figure.value is not None]
    return "" if not any(drawn) else ", simulated" if all(drawn) else ", partly simulated"


def _sources(figures: Sequence[Figure]) -> list[str]:
    sources = (figure.source for figure in figures)
    return list(dict.fromkeys(source for source in sources if source and not source.startswith("mean of ")))


def seeds_of(figures: Sequence[Figure]) -> str:
    """Over how many seeds figures are, in words."""
    counts = sorted({figure.seeds for figure in figures if figure.seeds})
    if not counts:
        return "no figure"
    return f"{counts[0]} to {counts[-1]} seeds" if len(counts) > 1 else counted(counts[0], "seed")


def figure_cell(figure: Figure, line: Line, notes: Notes) -> Cell:
    """A figure with its marks and notes; means that do not cover all say so."""
    said = list(figure.cautions.values())
    if figure.value is not None and not figure.whole:
        over, wanted = figure.parts
        said.append(
            f"Mean over {over} of {wanted} sets; not ranked."
            if over < wanted
            else f"The source's mean over {counted(over, 'set')}; this table has {wanted} of them; not ranked."
        )
    return Cell(
        signed(figure.value) if line.kind == "difference" else points(figure.value, figure.sd),
        figure.value,
        figure.best,
        figure.second,
        notes.keys(said, figure.selected, figure.overlap > 0, figure.simulated),
    )


def rank_column(ranked: bool) -> list[Column]:
    """The column of mean ranks, where there are ranks."""
    return [Column("rank", "Rank", "number")] if ranked else []


def rank_cells(comparison: Comparison, index: int, metrics: Sequence[Metric]) -> list[Cell]:
    """The cell of a line under `rank_column`."""
    if not has_ranks(comparison):
        return []
    ranks = [comparison.mean_rank(index, metric)[0] for metric in metrics]
    known = [rank for rank in ranks if rank is not None]
    mean = sum(known) / len(known) if known and len(known) == len(ranks) else None
    return [Cell(points(mean), mean)]


def point_key(point: Point) -> str:
    """The key of a set's or a mean's column."""
    return f"at_{point.set.replace('-', '_')}"
