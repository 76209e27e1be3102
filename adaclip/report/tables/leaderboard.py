"""Every published figure of every method by set and metric, and where the measured ones would stand among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adaclip.data.registry import load_registry
from adaclip.literature.cautions import Caution, family
from adaclip.literature.published import AVERAGE, Literature, Published
from adaclip.metrics.names import METRICS
from adaclip.report.document import Cell, Column, TableDoc
from adaclip.report.file_names import LEADERBOARD
from adaclip.report.methods import has_given_weights, is_control, titles_of, trained_on
from adaclip.report.protocol import protocol_in_words
from adaclip.report.results import Results, average
from adaclip.report.series import LABELS
from adaclip.report.tables.cells import DASH, Notes, points
from adaclip.report.tables.compare import Figure, measured_figure, printed, published_figure
from adaclip.system.wording import counted

if TYPE_CHECKING:
    import pandas as pd

CAPTION = (
    "Published figures in percent, each with what it was trained on and where it was read, and those measured here "
    "(marked). The rank counts the published methods that have a better figure, each once, however often it was re-run "
    "or quoted; ablations and re-runs belong to their method. On a set that nobody published a figure of, it counts "
    "those measured here. Protocols differ: filter by training data and backbone before you compare. Sources, and not "
    "this benchmark, answer for their figures; AUPRO's limit of the false-positive rate is theirs."
)
DRAWN = "What was measured on simulated images has no place here; no rank is given on the sets that were simulated."
#: Columns of the file.
FULL = (
    "set",
    "level",
    "metric",
    "rank",
    "method",
    "value",
    "sd",
    "seeds",
    "kind",
    "backbone",
    "train_data",
    "source",
    "cautions",
    "selected",
    "overlap",
)
COLUMNS = (
    Column("set", "Set", filter=True),
    Column("metric", "Metric", filter=True),
    Column("method", "Method", filter=True),
    Column("rank", "Rank", "number"),
    Column("value", "Figure", "percent"),
    Column("kind", "Figures", filter=True),
    Column("backbone", "Backbone", filter=True),
    Column("train_data", "Trained on", filter=True),
    Column("source", "Source"),
)


@dataclass(frozen=True)
class Entry:
    """A figure with the protocol that it was got by."""

    set: str
    level: str
    metric: str
    method: str
    backbone: str
    train_data: str
    source: str
    figure: Figure

    @property
    def value(self) -> float:
        """Percent."""
        return self.figure.value or 0.0

    @property
    def measured(self) -> bool:
        """Whether it was measured here."""
        return self.figure.seeds > 0


def leaderboard(results: Results, literature: Literature, cautions: Sequence[Caution]) -> tuple[TableDoc, pd.DataFrame]:
    """The leaderboard as a document for the page and as a frame in full precision.

    Args:
        results: measured figures; rows of the plan's tables by set take part.
        literature: published figures.
        cautions: what to say about them.
    """
    import pandas as pd

    measured = list(_measured(results, cautions))
    # Figures of other sets would be a list of the literature, not a place among it.
    wanted = {name for experiment in results.experiments for name in experiment["evaluate"]}
    wanted |= {entry.set for entry in measured}
    published = (figure for figure in literature.figures if figure.set in wanted)
    entries = [*(_published(figure, cautions) for figure in published), *measured]
    titles = {name: facts["title"] for name, facts in results.sets.items()}
    titles = {name: dataset.title for name, dataset in load_registry().items()} | titles
    order = {name: index for index, name in enumerate(titles)}
    notes = Notes()
    rows: list[tuple[Cell, ...]] = []
    full, marked = [], []
    for (name, level, metric), group in _groups(entries, order).items():
        title = titles.get(name) or f"Average, {name.removeprefix(AVERAGE)}"
        ranks = [None] * len(group) if name in results.simulated else ranks_of(group)
        # Best first; of equal ones those measured here, then by name.
        ordered = sorted(
            zip(group, ranks, strict=True), key=lambda pair: (-pair[0].value, not pair[0].measured, pair[0].method)
        )
        for entry, rank in ordered:
            if entry.measured:
                marked.append(len(rows))
            figure = entry.figure
            keys = notes.keys(figure.cautions.values(), figure.selected, figure.overlap > 0)
            best = rank == 1 and printed(entry.value) == max(printed(e.value) for e, r in ordered if r == 1)
            rows.append(
                (
                    Cell(title),
                    Cell(METRICS[level, metric]),
                    Cell(entry.method),
                    Cell(DASH if rank is None else str(rank), rank),
                    Cell(points(entry.value, figure.sd), entry.value, best=best, notes=keys),
                    Cell("measured" if entry.measured else "published"),
                    Cell(entry.backbone),
                    Cell(entry.train_data),
                    Cell(entry.source),
                )
            )
            full.append(
                {
                    "set": name,
                    "level": level,
                    "metric": metric,
                    "rank": rank,
                    "method": entry.method,
                    "value": entry.value,
                    "sd": figure.sd,
                    "seeds": figure.seeds or None,
                    "kind": "measured" if entry.measured else "published",
                    "backbone": entry.backbone,
                    "train_data": entry.train_data,
                    "source": entry.source,
                    "cautions": " ".join(figure.cautions),
                    "selected": figure.selected,
                    "overlap": figure.overlap,
                }
            )
    ours = f"Measured here under {protocol_in_words(results.plan)}."
    document = TableDoc(
        LEADERBOARD,
        "Leaderboard",
        " ".join(filter(None, [CAPTION, DRAWN if results.simulated else "", ours])),
        "leaderboard",
        COLUMNS,
        tuple(rows),
        notes.ordered(),
        marked=tuple(marked),
        runs=results.runs_of(dict.fromkeys(name for entry in measured for name in entry.figure.experiment.split())),
        csv=f"{LEADERBOARD}.csv",
    )
    return document, pd.DataFrame(full, columns=FULL).astype({"rank": "Int64", "seeds": "Int64"})


def ranks_of(group: Sequence[Entry]) -> list[int | None]:
    """1 + the number of published methods that have a better figure in print; None for one that is not ranked.

    On a set that nobody published a figure of, those measured here are ranked among themselves.

    Args:
        group: entries of one set and metric.
    """
    best: dict[str, float] = {}
    for entry in group:
        if entry.figure.ranked and not entry.measured:
            name = family(entry.method)
            best[name] = max(best.get(name, 0.0), printed(entry.value))
    if not best:
        ours = [entry for entry in group if entry.figure.ranked]
        best = {str(index): printed(entry.value) for index, entry in enumerate(ours) if len(ours) > 1}
    if not best:
        return [None] * len(group)
    return [
        1 + sum(value > printed(entry.value) for value in best.values()) if entry.figure.ranked else None
        for entry in group
    ]


def _groups(entries: Sequence[Entry], order: Mapping[str, int]) -> dict[tuple[str, str, str], list[Entry]]:
    """By set and metric, in the order of the registry and of METRICS, averages last."""
    metrics = list(METRICS)
    groups: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.set, entry.level, entry.metric), []).append(entry)
    return dict(
        sorted(
            groups.items(),
            key=lambda item: (order.get(item[0][0], len(order)), item[0][0], metrics.index((item[0][1], item[0][2]))),
        )
    )


def _published(found: Published, cautions: Sequence[Caution]) -> Entry:
    return Entry(
        set=found.set,
        level=found.level,
        metric=found.metric,
        method=found.method,
        backbone=found.backbone,
        train_data=found.train_data,
        source=found.source,
        figure=published_figure(found, cautions),
    )


def _measured(results: Results, cautions: Sequence[Caution]) -> Iterator[Entry]:
    """Rows of the plan's tables by set, each once: their sets, and the averages that they have all sets of.

    In a plan without any table each experiment is a row.
    """
    tables = results.plan["tables"]
    rows = [
        (row["title"], tuple(row["experiments"])) for table in tables if table["by"] == "set" for row in table["rows"]
    ]
    if not tables:
        rows = [(experiment["title"], (experiment["name"],)) for experiment in results.experiments]
    seen = set()
    for title, names in rows:
        if names and names not in seen and not is_control(results.by_name[names[0]]):
            seen.add(names)
            yield from _entries(title, names, results, cautions)


def _entries(title: str, names: Sequence[str], results: Results, cautions: Sequence[Caution]) -> Iterator[Entry]:
    titles = titles_of(results.plan)
    of_set: dict[str, str] = {}
    for name in names:
        for dataset in results.by_name[name]["evaluate"]:
            of_set.setdefault(dataset, name)
    for level, metric in METRICS:
        places = {dataset: {dataset: name} for dataset, name in of_set.items()} | _averages(of_set, level)
        for place, parts in places.items():
            pairs = [(name, dataset) for dataset, name in parts.items()]
            found = average([results.measured(name, dataset, level, metric) for name, dataset in pairs])
            figure = measured_figure(results, cautions, found, pairs, (place, level, metric))
            # What was measured on drawn images has no place among figures of the real set.
            if figure.value is not None and not figure.simulated:
                used = list(dict.fromkeys(parts.values()))
                yield Entry(
                    set=place,
                    level=level,
                    metric=metric,
                    method=title,
                    backbone=" / ".join(dict.fromkeys(_backbone(results, name) for name in used)),
                    train_data=trained_on((results.by_name[name] for name in used), titles),
                    source=_source(results, used, figure.seeds),
                    figure=figure,
                )


def _averages(of_set: Mapping[str, str], level: str) -> dict[str, dict[str, str]]:
    """The averages that sources print and a row has all sets of: by name, the experiment of each set."""
    domains: dict[str, list[str]] = {}
    for dataset in load_registry().values():
        if LABELS[level] in dataset.labels:
            domains.setdefault(dataset.domain, []).append(dataset.id)
    return {
        AVERAGE + domain: {dataset: of_set[dataset] for dataset in own}
        for domain, own in domains.items()
        if all(dataset in of_set for dataset in own)
    }


def _backbone(results: Results, experiment: str) -> str:
    chosen = results.plan["backbones"][results.by_name[experiment]["backbone"]]
    weights = chosen["pretrained"] or "random weights"
    return f"{chosen['model']} ({weights}), {chosen['image_size']} px"


def _source(results: Results, experiments: Sequence[str], seeds: int) -> str:
    """Which weights were measured here, trained over how many seeds."""
    used = [results.by_name[name] for name in experiments]
    if all(map(has_given_weights, used)):
        return f"this run, {' / '.join(dict.fromkeys(str(one['released'] or 'given weights') for one in used))}"
    return f"this run, {counted(seeds, 'seed')}"
