"""What was reproduced, and within what: all differences from published figures, gathered by table, row and metric."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adaclip.metrics.names import METRICS
from adaclip.report.document import Cell, Column, TableDoc
from adaclip.report.file_names import REPRODUCTION
from adaclip.report.results import Results
from adaclip.report.tables.cells import points, signed
from adaclip.report.tables.compare import Comparison

if TYPE_CHECKING:
    import pandas as pd

#: Points on a set's mean within which re-runs in the literature agree with each other (config/cautions.yaml).
CLOSE = 1.5
CAPTION = (
    f"Differences between measured and published figures in points, over the sets (or categories, or domains) of each "
    f"table. Within {CLOSE} points of each other is as close as re-runs in the literature come on a set's mean."
)
#: Columns of the file.
FULL = (
    "table",
    "row",
    "level",
    "metric",
    "figures",
    "within",
    "close",
    "mean_difference",
    "mean_absolute",
    "largest",
    "largest_at",
)
COLUMNS = (
    Column("table", "Table", filter=True),
    Column("row", "Method", filter=True),
    Column("metric", "Metric", filter=True),
    Column("figures", "Figures", "number"),
    Column("close", f"Within {CLOSE}", "number"),
    Column("mean_difference", "Mean difference", "number"),
    Column("mean_absolute", "Mean absolute difference", "number"),
    Column("largest", "Largest difference", "number"),
    Column("largest_at", "Where"),
)


def reproduction(
    tables: Sequence[Mapping[str, Any]], comparisons: Sequence[Comparison], results: Results
) -> tuple[TableDoc, pd.DataFrame]:
    """The table, as a document and in full precision; without rows where nothing may be compared, as on drawn images.

    Args:
        tables: of the plan.
        comparisons: of these tables, in the same order.
        results: of the plan.
    """
    import pandas as pd

    rows, full = [], []
    used: list[str] = []
    for table, comparison in zip(tables, comparisons, strict=True):
        for index, line in enumerate(comparison.lines):
            for level, metric in comparison.metrics if line.kind == "difference" else ():
                found = [
                    (value, point.title)
                    for point in comparison.points
                    if comparison.by == "domain" or not point.over
                    for value in [comparison.at(index, point, (level, metric)).value]
                    if value is not None
                ]
                if not found:
                    continue
                # A difference stands behind its measured line.
                used += comparison.lines[index - 1].experiments
                values = [value for value, _ in found]
                close = sum(abs(value) <= CLOSE for value in values)
                largest, place = max(found, key=lambda pair: abs(pair[0]))
                mean, absolute = statistics.fmean(values), statistics.fmean(map(abs, values))
                rows.append(
                    (
                        Cell(table["answers"] or table["title"], href=f"#table-{comparison.name}"),
                        Cell(line.title),
                        Cell(METRICS[level, metric]),
                        Cell(str(len(found)), len(found)),
                        Cell(str(close), close),
                        Cell(signed(mean), mean),
                        Cell(points(absolute), absolute),
                        Cell(signed(largest), largest),
                        Cell(place),
                    )
                )
                full.append(
                    {
                        "table": comparison.name,
                        "row": line.title,
                        "level": level,
                        "metric": metric,
                        "figures": len(found),
                        "within": CLOSE,
                        "close": close,
                        "mean_difference": mean,
                        "mean_absolute": absolute,
                        "largest": largest,
                        "largest_at": place,
                    }
                )
    document = TableDoc(
        REPRODUCTION,
        "What was reproduced",
        CAPTION,
        "paper",
        COLUMNS,
        tuple(rows),
        runs=results.runs_of(dict.fromkeys(used)),
        csv=f"{REPRODUCTION}.csv",
    )
    return document, pd.DataFrame(full, columns=FULL)
