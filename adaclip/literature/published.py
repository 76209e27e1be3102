"""Figures that others have published, checked as they are read.

The files stand in the package, so that a workflow finds them from any folder; `config/` links to them. Values are in
percent, as printed. `set` is an id of the registry, or `average-<domain>` for the source's own average.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaclip.data.registry import load_registry
from adaclip.errors import AdaclipError, UsageError
from adaclip.metrics.names import METRICS

LITERATURE = Path(__file__).parent
AVERAGE = "average-"
#: Columns of published.csv and of published_per_category.csv.
COLUMNS = ("method", "backbone", "train_data", "set", "level", "metric", "value", "source")
CATEGORY_COLUMNS = ("method", "train_data", "set", "category", "level", "metric", "value", "source")
#: Columns that a table's `published` may choose by.
CHOICES = ("method", "backbone", "train_data", "source")


@dataclass(frozen=True)
class Published:
    """One published figure.

    Attributes:
        method: as the source names it.
        backbone: "" where the file does not say.
        train_data: what it was trained on, in the source's words.
        set: id of a set, or `average-<domain>`.
        category: "" for a figure of a whole set.
        level: image or pixel.
        metric: auroc, f1_max, ap or aupro.
        value: percent.
        source: where it was read.
        line: in its file.
    """

    method: str
    backbone: str
    train_data: str
    set: str
    category: str
    level: str
    metric: str
    value: float
    source: str
    line: int

    @property
    def point(self) -> tuple[str, str, str, str]:
        """What was measured: (set, category, level, metric)."""
        return self.set, self.category, self.level, self.metric


def read_published(path: Path, sets: Mapping[str, Iterable[str]], others: bool = False) -> list[Published]:
    """Read published.csv or published_per_category.csv; the header says which.

    Args:
        path: the file.
        sets: ids that may stand in it, with their categories (none: any category).
        others: whether other ids may stand in it too.

    Raises:
        AdaclipError: the file cannot be read.
        UsageError: a wrong header, cell or duplicate, with its line.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream)
            header = tuple(next(reader, ()))
            if header not in (COLUMNS, CATEGORY_COLUMNS):
                raise UsageError(f"{path} line 1: the columns must be {','.join(COLUMNS)} (or those by category)")
            found: dict[tuple[str, ...], Published] = {}
            for cells in reader:
                where = f"{path} line {reader.line_num}"
                if len(cells) != len(header):
                    raise UsageError(f"{where}: {len(cells)} cells under {len(header)} columns")
                figure = _check(dict(zip(header, cells, strict=True)), sets, others, where, reader.line_num)
                key = (figure.method, figure.backbone, figure.train_data, *figure.point, figure.source)
                if key in found:
                    raise UsageError(f"{where}: the same figure stands in line {found[key].line}: take one out")
                found[key] = figure
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AdaclipError(f"cannot read {path}: {error}") from error
    return list(found.values())


def _check(row: Mapping[str, str], sets: Mapping[str, Iterable[str]], others: bool, where: str, line: int) -> Published:
    for column, cell in row.items():
        if not cell or cell != cell.strip():
            raise UsageError(f"{where}: {column} is {cell!r}: give a value without spaces around it")
    name, category = row["set"], row.get("category", "")
    averages = {AVERAGE + domain for domain in ("industrial", "medical")} if not category else set()
    if not others and name not in sets and name not in averages:
        raise UsageError(
            f"{where}: unknown set '{name}' (known: {', '.join([*sets, *sorted(averages)])}); "
            "a set of your own must be under 'datasets' in the configuration"
        )
    known = list(sets.get(name, ()))
    if category and known and category not in known:
        raise UsageError(f"{where}: {name} has no category '{category}' (it has {', '.join(known)})")
    if (row["level"], row["metric"]) not in METRICS:
        known = [".".join(key) for key in METRICS]
        raise UsageError(f"{where}: no metric '{row['level']}.{row['metric']}' (known: {', '.join(known)})")
    try:
        value = float(row["value"])
    except ValueError:
        raise UsageError(f"{where}: value {row['value']!r} is not a number") from None
    if not 0 <= value <= 100:
        raise UsageError(f"{where}: value {row['value']} is not between 0 and 100 (percent)")
    return Published(
        method=row["method"],
        backbone=row.get("backbone", ""),
        train_data=row["train_data"],
        set=name,
        category=category,
        level=row["level"],
        metric=row["metric"],
        value=value,
        source=row["source"],
        line=line,
    )


class Literature:
    """All published figures.

    Args:
        folder: with published.csv and published_per_category.csv.
        own: ids of a user's own sets that may have rows too; None for any, where the plan has been checked already.

    Raises:
        AdaclipError: see `read_published`.

    Example:
        >>> figures = Literature().choose({"method": "AdaCLIP", "source": "arXiv:2407.15795v1 Table 1"})
        >>> figures["mvtec", "", "pixel", "auroc"].value
        88.7
    """

    def __init__(self, folder: Path = LITERATURE, own: Sequence[str] | None = ()) -> None:
        sets: dict[str, Iterable[str]] = dict.fromkeys(own or (), ())
        sets |= {name: tuple(dataset.categories) for name, dataset in load_registry().items()}
        self.figures = read_published(folder / "published.csv", sets, own is None)
        self.by_category = read_published(folder / "published_per_category.csv", sets, own is None)

    def choose(self, where: Mapping[str, Any]) -> dict[tuple[str, str, str, str], Published]:
        """The figures that a table's row names, by (set, category, level, metric).

        Args:
            where: by column (`CHOICES`), the value or a list of values.

        Raises:
            UsageError: nothing fits, or several figures of one thing do.
        """
        unknown = [key for key in where if key not in CHOICES]
        if unknown:
            raise UsageError(f"published: unknown column '{unknown[0]}' (known: {', '.join(CHOICES)})")
        allowed = {key: [value] if isinstance(value, str) else list(value) for key, value in where.items()}
        chosen: dict[tuple[str, str, str, str], Published] = {}
        text = ", ".join(f"{key}: {value}" for key, value in where.items())
        for figure in (*self.figures, *self.by_category):
            # A row by category does not say its backbone, so that cannot rule it out.
            if all(
                getattr(figure, key) in values or (key == "backbone" and figure.category)
                for key, values in allowed.items()
            ):
                other = chosen.setdefault(figure.point, figure)
                if other is not figure:
                    raise UsageError(
                        f"published {{{text}}}: lines {other.line} and {figure.line} both give "
                        f"{figure.level}.{figure.metric} of {figure.category or figure.set}: choose by source too"
                    )
        if not chosen:
            raise UsageError(f"published {{{text}}}: no published figure fits; see config/published.csv")
        return chosen


@functools.cache
def literature(own: tuple[str, ...] | None = ()) -> Literature:
    """The figures in config/, read once; `own` as for `Literature`."""
    return Literature(own=own)


def check_tables(tables: Iterable[Mapping[str, Any]], own: Iterable[str] = ()) -> None:
    """Raise unless every `published` of a plan's tables chooses figures; asked before anything runs.

    Args:
        tables: as in plan.json.
        own: ids of the user's own sets.

    Raises:
        UsageError: naming the table and the row.
    """
    for table in tables:
        for row in table["rows"]:
            if row["published"]:
                try:
                    literature(tuple(own)).choose(row["published"])
                except UsageError as error:
                    raise UsageError(f"table '{table['name']}', row '{row['title']}': {error}") from None
