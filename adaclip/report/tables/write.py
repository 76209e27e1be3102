"""All tables of a plan: what they are, and their files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaclip.literature.cautions import cautions
from adaclip.literature.published import Literature, literature
from adaclip.metrics.names import METRICS
from adaclip.report.document import Cell, Column, TableDoc, write_tables_index
from adaclip.report.file_names import REPRODUCTION, compared
from adaclip.report.results import Results
from adaclip.report.tables.cells import Notes, points, signed
from adaclip.report.tables.compare import Comparison, Figure, Line, Metric, Point, compare
from adaclip.report.tables.leaderboard import leaderboard
from adaclip.report.tables.measured import MAKERS
from adaclip.report.tables.render import latex, markdown
from adaclip.report.tables.reproduction import reproduction
from adaclip.report.tables.summary import overviews, summarise
from adaclip.system.files import write_json, write_text, write_whole
from adaclip.system.wording import counted

if TYPE_CHECKING:
    import pandas as pd

DRAWN = "Simulated images: no ranks, nothing in bold, and no differences from published figures."
SPREAD = "In percent. Measured: mean ± sample standard deviation over the seeds."
DIFFERENCE = "Difference: measured minus published."
RANKS = (
    "Best in bold, second of three or more underlined, published and measured figures together, as printed; controls, "
    "marked figures and means over fewer sets are not ranked."
)


def write_tables(plan_file: Path, out: Path, summary: Path, metrics: Path | None = None) -> None:
    """Write every table of a plan as CSV and Markdown, its own ones as LaTeX too, with their index and the summary.

    Args:
        plan_file: `results/plan.json`, or that of a part.
        out: folder of the tables; `adaclip.report.file_names.table_names` says which files.
        summary: JSON file of the figures of every set.
        metrics: folder for a JSON file of each experiment's averages, or None for no such files.

    Raises:
        AdaclipError: a file of an evaluation is missing or damaged.
        UsageError: a row's `published` fits no published figure, or is ambiguous.
    """
    results = Results(plan_file)
    figures = literature(own=None)
    comparisons = [compare(table, results, figures, cautions()) for table in results.plan["tables"]]
    documents = []
    for document, frame in _all(results, figures, comparisons):
        documents.append(document)
        with write_whole(out / f"{document.name}.csv") as part:
            frame.to_csv(part, index=False, lineterminator="\n")
        write_text(out / f"{document.name}.md", markdown(document))
        if document.section == "paper" and document.name != REPRODUCTION:
            write_text(out / f"{document.name}.tex", latex(document))
    write_tables_index(out / "index.json", documents)
    by_set = summarise(results, comparisons)
    write_json(summary, by_set)
    if metrics is not None:
        for name, averages in overviews(results, by_set).items():
            write_json(metrics / f"{name}.json", averages)


def _all(
    results: Results, published: Literature, comparisons: Sequence[Comparison]
) -> Iterator[tuple[TableDoc, pd.DataFrame]]:
    if compared(results.plan):
        yield reproduction(results.plan["tables"], comparisons, results)
    for table, comparison in zip(results.plan["tables"], comparisons, strict=True):
        yield paper_table(table, comparison, results), frame_of(comparison, results)
    for make in MAKERS.values():
        yield make(results)
    yield leaderboard(results, published, cautions())


def frame_of(comparison: Comparison, results: Results) -> pd.DataFrame:
    """Every figure of a comparison in full precision, one in each row; percent and points."""
    import pandas as pd

    rows = []
    for level, metric in comparison.metrics:
        for point in comparison.points:
            for index, line in enumerate(comparison.lines):
                figure = comparison.at(index, point, (level, metric))
                rows.append(
                    {
                        "table": comparison.name,
                        "level": level,
                        "metric": metric,
                        "set": point.set,
                        "category": point.category,
                        "row": line.title,
                        "kind": line.kind,
                        "value": figure.value,
                        "sd": figure.sd,
                        "seeds": figure.seeds or None,
                        "parts": figure.parts[0],
                        "parts_of": figure.parts[1],
                        "rank": figure.rank,
                        "best": figure.best,
                        "second": figure.second,
                        "selected": figure.selected,
                        "overlap": figure.overlap,
                        "simulated": figure.simulated,
                        "experiment": figure.experiment,
                        "run": " ".join(results.runs_of(figure.experiment.split())),
                        "source": figure.source,
                        "cautions": " ".join(figure.cautions),
                        "reason": figure.reason,
                    }
                )
    return pd.DataFrame(rows).astype({"seeds": "Int64"})


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
    said = _provenance(comparison) if comparison.by == "category" else _ranks(comparison)
    return TableDoc(
        name=comparison.name,
        title=f"{answers}: {title}" if answers and not title.startswith(answers) else title,
        caption=" ".join(filter(None, [table["note"], drawn, said])),
        section="paper",
        columns=tuple(columns),
        rows=tuple(rows),
        notes=notes.ordered(),
        marked=tuple(marked),
        rules=_rules(comparison),
        runs=results.runs_of(name for row in table["rows"] for name in row["experiments"]),
        csv=f"{comparison.name}.csv",
    )


def _has_ranks(comparison: Comparison) -> bool:
    return any(figure.rank for figure in comparison.figures.values())


def _rules(comparison: Comparison) -> str:
    """How to read what the table has."""
    differs = any(line.kind == "difference" for line in comparison.lines)
    return " ".join(
        filter(None, [SPREAD, DIFFERENCE if differs else "", RANKS if _has_ranks(comparison) else ""]),
    )


def _ranks(comparison: Comparison) -> str:
    """What the last column is, where there is one."""
    if not _has_ranks(comparison):
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
            sentences.append(f"{line.title}, measured: {_seeds(figures)}{_on_drawn(figures)}.")
    return " ".join(sentences)


def _by_set(
    comparison: Comparison, notes: Notes, titles: Mapping[str, str]
) -> tuple[list[Column], list[tuple[Cell, ...]], list[int]]:
    columns = [Column("metric", "Metric", filter=True), *_heads()]
    columns += [Column(_key(point), point.title, "percent") for point in comparison.points]
    columns += _rank_column(comparison)
    rows: list[tuple[Cell, ...]] = []
    marked = []
    for metric in comparison.metrics:
        for index, line in enumerate(comparison.lines):
            if line.kind == "measured":
                marked.append(len(rows))
            heads = _line_cells(comparison, index, [metric], notes)
            cells = [_cell(comparison.at(index, point, metric), line, notes) for point in comparison.points]
            rows.append((Cell(METRICS[metric]), *heads, *cells, *_rank(comparison, index, [metric])))
    return columns, rows, marked


def _by_domain(
    comparison: Comparison, notes: Notes, titles: Mapping[str, str]
) -> tuple[list[Column], list[tuple[Cell, ...]], list[int]]:
    places = [(point, metric) for point in comparison.points for metric in comparison.metrics]
    columns = _heads()
    columns += [
        Column(f"{_key(point)}_{'_'.join(metric)}", METRICS[metric], "percent", group=point.title)
        for point, metric in places
    ]
    columns += _rank_column(comparison)
    rows: list[tuple[Cell, ...]] = []
    marked = []
    for index, line in enumerate(comparison.lines):
        if line.kind == "measured":
            marked.append(index)
        heads = _line_cells(comparison, index, comparison.metrics, notes)
        cells = [_cell(comparison.at(index, point, metric), line, notes) for point, metric in places]
        rows.append((*heads, *cells, *_rank(comparison, index, comparison.metrics)))
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
            _cell(comparison.at(index, point, metric), line, notes)
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
    return Cell(line.title), Cell(f"{line.kind}, {_seeds(figures)}{_on_drawn(figures)}")


def _on_drawn(figures: Sequence[Figure]) -> str:
    """What marks a line that drawn images have a part in."""
    drawn = [figure.simulated for figure in figures if figure.value is not None]
    return "" if not any(drawn) else ", simulated" if all(drawn) else ", partly simulated"


def _sources(figures: Sequence[Figure]) -> list[str]:
    sources = (figure.source for figure in figures)
    return list(dict.fromkeys(source for source in sources if source and not source.startswith("mean of ")))


def _seeds(figures: Sequence[Figure]) -> str:
    counts = sorted({figure.seeds for figure in figures if figure.seeds})
    if not counts:
        return "no figure"
    return f"{counts[0]} to {counts[-1]} seeds" if len(counts) > 1 else counted(counts[0], "seed")


def _cell(figure: Figure, line: Line, notes: Notes) -> Cell:
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


def _rank_column(comparison: Comparison) -> list[Column]:
    return [Column("rank", "Rank", "number")] if _has_ranks(comparison) else []


def _rank(comparison: Comparison, index: int, metrics: Sequence[Metric]) -> list[Cell]:
    """The cell of a line under `_rank_column`."""
    if not _has_ranks(comparison):
        return []
    ranks = [comparison.mean_rank(index, metric)[0] for metric in metrics]
    known = [rank for rank in ranks if rank is not None]
    mean = sum(known) / len(known) if known and len(known) == len(ranks) else None
    return [Cell(points(mean), mean)]


def _key(point: Point) -> str:
    return f"at_{point.set.replace('-', '_')}"
