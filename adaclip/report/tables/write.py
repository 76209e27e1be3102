"""All tables of a plan: what they are, and their files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adaclip.literature.cautions import cautions
from adaclip.literature.published import Literature, literature
from adaclip.report.document import TableDoc, write_tables_index
from adaclip.report.file_names import REPRODUCTION, compared, method_tables
from adaclip.report.results import Results
from adaclip.report.tables.compare import Comparison, compare
from adaclip.report.tables.frame import frame_of
from adaclip.report.tables.layout import paper_table
from adaclip.report.tables.leaderboard import leaderboard
from adaclip.report.tables.measured import MAKERS
from adaclip.report.tables.methods import METHOD_MAKERS
from adaclip.report.tables.render import latex, markdown
from adaclip.report.tables.reproduction import reproduction
from adaclip.report.tables.summary import overviews, summarise
from adaclip.system.files import write_json, write_text, write_whole

if TYPE_CHECKING:
    import pandas as pd


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
    for name in method_tables(results.plan):
        yield METHOD_MAKERS[name](results)
    for make in MAKERS.values():
        yield make(results)
    yield leaderboard(results, published, cautions())
