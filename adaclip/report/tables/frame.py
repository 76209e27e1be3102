"""A comparison in full precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adaclip.report.results import Results
from adaclip.report.tables.compare import Comparison

if TYPE_CHECKING:
    import pandas as pd


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
