"""Figures of tables worked out by another route than the program's.

The route: the invention itself (`tests.inventing.invented`), NumPy for means and spreads, the published files
read anew, and the set that a column's heading names.
"""

import csv
import math
from functools import cache

import numpy as np

from adaclip.data.registry import load_registry
from tests.inventing import ROOT, invented

REGISTRY = load_registry()
BY_TITLE = {dataset.title: dataset for dataset in REGISTRY.values()}
METRICS = {
    "Image AUROC": ("image", "auroc"),
    "Image F1-max": ("image", "f1_max"),
    "Image AP": ("image", "ap"),
    "Pixel AUROC": ("pixel", "auroc"),
    "Pixel F1-max": ("pixel", "f1_max"),
    "Pixel AP": ("pixel", "ap"),
    "Pixel AUPRO": ("pixel", "aupro"),
}
LABELS = {"image": "image", "pixel": "mask"}
PLACE = ("set", "category", "level", "metric")
PUBLISHED = {}
for file in ("published.csv", "published_per_category.csv"):
    for line in csv.DictReader((ROOT / "config" / file).open(encoding="utf-8")):
        PUBLISHED.setdefault(tuple(line.get(key, "") for key in PLACE), []).append(line)


def of_seed(experiment, seed, dataset, level, metric, category=None):
    """A figure of one seed in percent, straight from the invention; NaN where the set lacks the labels."""
    return _of_seed(experiment["method"], experiment["run"], seed, dataset.id, level, metric, category)


@cache
def _of_seed(method, run, seed, name, level, metric, category):
    dataset = REGISTRY[name]
    if LABELS[level] not in dataset.labels:
        return math.nan
    head = (method, run, seed, name)
    names = [category] if category else list(dataset.categories)
    return 100 * np.mean([invented(*head, name, level, metric) for name in names])


def expected(plan, row, metric, names, category=None):
    """Mean and spread in percent of a row over the sets of these ids, or None when the row evaluates none of them."""
    experiments = {e["name"]: e for e in plan["experiments"]}
    columns = []
    for name in names:
        having = [experiments[e] for e in row["experiments"] if name in experiments[e]["evaluate"]]
        if having:
            (experiment,) = having
            columns.append([of_seed(experiment, s, REGISTRY[name], *metric, category) for s in experiment["seeds"]])
    if not columns or np.isnan(columns).all():
        return None
    values = np.nanmean(np.array(columns), axis=0)
    return values.mean(), values.std(ddof=1) if len(values) > 1 else None


def published(row, metric, name, category=None):
    """A published figure, or None."""
    found = [
        float(line["value"])
        for line in PUBLISHED.get((name, category or "", *metric), [])
        if all(line.get(column, values[0]) in values for column, values in row["published"].items())
    ]
    assert len(found) <= 1
    return found[0] if found else None


def text_of(value, sd=None):
    if value is None:
        return "\N{EN DASH}"
    return f"{value:.1f}" + (f" ± {sd:.1f}" if sd is not None else "")


def text_of_line(plan, row, kind, metric, names, category=None, at=None):
    """What must stand in a cell: of one set, one category, or (`at` names it) an average."""
    ours = expected(plan, row, metric, names, category) if row["experiments"] else None
    theirs = published(row, metric, at or names[0], category) if row["published"] else None
    if kind == "published":
        return text_of(theirs)
    if kind.startswith("measured"):
        return text_of(*ours) if ours else text_of(None)
    if ours is None or theirs is None:
        return text_of(None)
    text = f"{ours[0] - theirs:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "\N{MINUS SIGN}")


def rows_of(plan, table):
    """Each row of a plan's table with the kinds of its lines."""
    for row in table["rows"]:
        both = row["published"] and row["experiments"]
        for kind in [*(["published"] if row["published"] else []), *(["measured"] if row["experiments"] else [])]:
            yield row, kind
        if both:
            yield row, "difference"


def columns_of(document):
    return [(index, column.group, column.title) for index, column in enumerate(document.columns)]


def check_by_set(plan, table, document):
    lines = list(rows_of(plan, table))
    assert len(document.rows) == len(lines) * len(table["metrics"])
    for number, cells in enumerate(document.rows):
        row, kind = lines[number % len(lines)]
        metric = METRICS[cells[0].text]
        assert ".".join(metric) == table["metrics"][number // len(lines)]
        assert cells[1].text == row["title"]
        assert cells[2].text.startswith(kind)
        for index, _, title in columns_of(document)[3:]:
            if title in BY_TITLE:
                wanted = text_of_line(plan, row, kind, metric, [BY_TITLE[title].id])
                assert cells[index].text == wanted, (table["name"], title, cells[1].text, kind)


def check_by_domain(plan, table, document):
    lines = list(rows_of(plan, table))
    assert len(document.rows) == len(lines)
    for cells, (row, kind) in zip(document.rows, lines, strict=True):
        assert (cells[0].text, cells[1].text.split(",")[0]) == (row["title"], kind)
        for index, group, title in columns_of(document)[2:]:
            if title == "Rank":
                continue
            metric, domain = METRICS[title], group.lower()
            names = [
                n for n in table["sets"] if REGISTRY[n].domain == domain and LABELS[metric[0]] in REGISTRY[n].labels
            ]
            evaluated = {n for e in plan["experiments"] if e["name"] in row["experiments"] for n in e["evaluate"]}
            if kind == "difference" and not set(names) <= evaluated:
                assert cells[index].text == text_of(None)
            else:
                wanted = text_of_line(plan, row, kind, metric, names, at=f"average-{domain}")
                assert cells[index].text == wanted, (table["name"], group, title, row["title"], kind)


def check_by_category(plan, table, document):
    ((row, _), *_) = rows_of(plan, table)
    (name,) = table["sets"]
    assert [cells[0].text for cells in document.rows] == [*REGISTRY[name].categories, "Mean"]
    for cells in document.rows[:-1]:
        for index, group, title in columns_of(document)[1:]:
            wanted = text_of_line(plan, row, title.lower(), METRICS[group], [name], cells[0].text)
            assert cells[index].text == wanted, (table["name"], cells[0].text, group, title)


CHECKS = {"set": check_by_set, "domain": check_by_domain, "category": check_by_category}


def check_tables(plan, documents):
    for table in plan["tables"]:
        CHECKS[table["by"]](plan, table, documents[table["name"]])


def check_results(plan, document):
    """Every figure of the table of all results."""
    experiments = {e["title"]: e for e in plan["experiments"]}
    for cells in document.rows:
        experiment, dataset = experiments[cells[0].text], BY_TITLE[cells[1].text]
        for index, group, title in columns_of(document)[4:]:
            wanted = expected(plan, {"experiments": [experiment["name"]]}, METRICS[f"{group} {title}"], [dataset.id])
            assert cells[index].text == (text_of(*wanted) if wanted else text_of(None)), (cells[0].text, title)
