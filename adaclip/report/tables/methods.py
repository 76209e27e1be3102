"""Tables of the methods: how they compare, what their smoothing does, and what a fair reader must know of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from adaclip.literature.published import literature
from adaclip.metrics.names import METRICS
from adaclip.report.costs import learned_parameters, seconds_per_image, training_minutes
from adaclip.report.document import Cell, Column, TableDoc
from adaclip.report.file_names import BY_PROTOCOL, COMPARISON, FAIRNESS, MAPPED, judged_methods
from adaclip.report.mains import RULE, Main, mains, shared_combinations
from adaclip.report.protocol import PROTOCOLS, protocol_sentence, sigma_of
from adaclip.report.results import Results, average
from adaclip.report.tables.cells import DASH, MINUS, Notes, fraction, number, signed
from adaclip.report.tables.compare import Comparison, Point, compare
from adaclip.report.tables.frame import frame_of
from adaclip.report.tables.layout import DRAWN, SPREAD, figure_cell, has_ranks, point_key, rank_cells, rank_column

if TYPE_CHECKING:
    import pandas as pd

Made = tuple[TableDoc, "pd.DataFrame"]
PIXEL = [metric for level, metric in METRICS if level == "pixel"]
#: Of the block that has every method.
ALL = "main configurations"
RANKS = (
    "In brackets the rank among the methods of the same group, by set; best in bold, second of three or more "
    "underlined; ties share their rank. Rank is the mean over the sets, for methods that are ranked on every set of "
    "their group."
)
COSTS = (
    "Parameters are what one checkpoint learns, training is the time of all checkpoints of the row, one after the "
    "other; times are those of the machines and of the load at the time."
)
#: What is said of a method: key in plan.json and heading.
FACTS = {
    "trained_on": "Trained on",
    "class_names": "Class names",
    "test_statistics": "Statistics of the test set",
    "selected_on": "Selected on",
    "code_and_paper": "In its code, not in its paper",
}


def comparison_table(results: Results) -> Made:
    """Every method by its main configuration, then methods on equal auxiliary data: figures, ranks and cost."""
    import pandas as pd

    groups = {ALL: mains(results.plan)}
    groups |= {f"trained on {data}": own for data, own in shared_combinations(results.plan).items()}
    compared = {group: _compare(results, own) for group, own in groups.items()}
    points = {_key(point): point for table in compared.values() for point in table.points}
    order = {name: index for index, name in enumerate(results.sets)}
    # Averages stand behind all sets, whichever group has which.
    keys = sorted(points, key=lambda key: order.get(points[key].set, len(order)))
    notes = Notes()
    rows: list[tuple[Cell, ...]] = []
    frames = []
    ranked = any(has_ranks(table) for table in compared.values())
    for group, own in groups.items():
        table = compared[group]
        costs = [_costs(results, main) for main in own]
        by_key = {_key(point): point for point in table.points}
        for metric in table.metrics:
            for index, (line, main) in enumerate(zip(table.lines, own, strict=True)):
                cells = []
                for key in keys:
                    if key not in by_key:
                        cells.append(Cell(DASH))
                        continue
                    figure = table.at(index, by_key[key], metric)
                    cell = figure_cell(figure, line, notes)
                    cells.append(replace(cell, text=f"{cell.text} ({figure.rank:g})") if figure.rank else cell)
                rank = rank_cells(table, index, [metric]) or ([Cell(DASH)] if ranked else [])
                head = (Cell(METRICS[metric]), Cell(main.title), Cell(main.auxiliary))
                rows.append(
                    (*([Cell(group)] if len(groups) > 1 else []), *head, *cells, *rank, *_cost_cells(costs[index]))
                )
        extra = pd.DataFrame(
            [{"row": m.title, "trained_on": m.auxiliary, **c} for m, c in zip(own, costs, strict=True)]
        )
        frames.append(frame_of(table, results).assign(table=COMPARISON, group=group).merge(extra, on="row"))
    columns = (
        # Of a single group there is nothing to tell apart.
        *([Column("group", "Group", filter=True)] if len(groups) > 1 else []),
        Column("metric", "Metric", filter=True),
        Column("method", "Method", filter=True),
        Column("trained_on", "Trained on", filter=True),
        *(Column(key, points[key].title, "percent") for key in keys),
        *rank_column(ranked),
        Column("parameters", "Parameters learned", "number"),
        Column("seconds", "Seconds an image", "number"),
        Column("training", "Training, minutes", "number"),
    )
    drawn = any(figure.simulated for table in compared.values() for figure in table.figures.values())
    told = [RULE, DRAWN if drawn else "", protocol_sentence(results.plan)]
    used = [e["name"] for own in groups.values() for main in own for e in main.experiments]
    document = TableDoc(
        COMPARISON,
        "Methods compared",
        " ".join(filter(None, told)),
        "methods",
        columns,
        tuple(rows),
        notes.ordered(),
        rules=" ".join(filter(None, [SPREAD, RANKS if ranked else "", COSTS])),
        runs=results.runs_of(dict.fromkeys(used)),
        csv=f"{COMPARISON}.csv",
    )
    return document, pd.concat(frames, ignore_index=True)


def _key(point: Point) -> str:
    """The column of a set; averages share one, whatever they are over."""
    return "average" if point.over else point_key(point)


def _compare(results: Results, group: list[Main]) -> Comparison:
    """A group as a table of the plan would be: a measured row for each method."""
    evaluated = {name for main in group for name in main.by_set}
    table = {
        "name": COMPARISON,
        "by": "set",
        "sets": [name for name in results.sets if name in evaluated],
        "metrics": [".".join(metric) for metric in MAPPED],
        "rows": [
            {"title": main.title, "experiments": [e["name"] for e in main.experiments], "published": None}
            for main in group
        ],
    }
    # Cautions are about what was published, which stands beside none of these figures.
    return compare(table, results, literature(own=None), ())


def _costs(results: Results, main: Main) -> dict[str, float | None]:
    return {
        "parameters": learned_parameters(results, main.by_set),
        "seconds_per_image": seconds_per_image(results, main.by_set),
        "training_minutes": training_minutes(results, main.experiments),
    }


def _cost_cells(costs: Mapping[str, float | None]) -> tuple[Cell, ...]:
    learned, seconds, minutes = costs["parameters"], costs["seconds_per_image"], costs["training_minutes"]
    return (
        number(learned, None if learned is None else f"{int(learned):,}"),
        number(seconds, f"{seconds:.3g}"),
        number(minutes, None if minutes is None else f"{minutes:,.1f}" if minutes else "none"),
    )


def protocols_table(results: Results) -> Made:
    """Pixel figures of every method's main configuration with its own smoothing and with the common one."""
    import pandas as pd

    plan = results.plan
    common = float(plan["evaluation"]["smoothing"])
    rows, full, notes = [], [], Notes()
    for main in mains(plan):
        own = sigma_of(plan, main.method, "published")
        places = {results.sets[name]["title"]: [name] for name in results.sets if name in main.by_set}
        places |= {"Average": list(main.by_set)} if len(places) > 1 else {}
        for place, names in places.items():
            row: dict[str, Any] = {"method": main.method, "trained_on": main.auxiliary, "place": place}
            row |= {"experiments": " ".join(dict.fromkeys(main.by_set[name]["name"] for name in names))}
            row |= {"sigma_published": own, "sigma_common": common}
            cells = []
            for metric in PIXEL:
                found = {
                    protocol: average([results.under(protocol, main.by_set[n]["name"], n, metric) for n in names])
                    for protocol in PROTOCOLS
                }
                for protocol, one in found.items():
                    row |= {f"pixel_{metric}_{protocol}": one.mean, f"pixel_{metric}_{protocol}_sd": one.sd}
                    cells.append(fraction(one.mean, one.sd))
                gap = found["common"].mean - found["published"].mean
                cells.append(Cell(DASH) if gap != gap else Cell(signed(100 * gap), 100 * gap))
            full.append(row)
            if all(cell.value is None for cell in cells):
                # Without masks there is nothing to smooth; the file has the row.
                continue
            marks = notes.keys([], simulated=any(results.drawn(main.by_set[name]["name"], name) for name in names))
            head = (Cell(main.title), Cell(place, notes=marks))
            rows.append((*head, number(own, f"{own:g}" if own else "none"), *cells))
    columns = [Column("method", "Method", filter=True), Column("place", "Set", filter=True)]
    columns.append(Column("sigma", "Own sigma, px", "number"))
    for metric in PIXEL:
        columns += [
            Column(f"{metric}_{key}", title, "percent", group=METRICS["pixel", metric])
            for key, title in (("published", "published"), ("common", "common"), ("gap", "difference"))
        ]
    caption = (
        f"Pixel figures with each method's own smoothing (protocol published) and with sigma = {common:g} px for all "
        f"(protocol common), at {plan['evaluation']['size']} px; the difference is common {MINUS} published. Image "
        f"figures depend on no smoothing. {RULE} All other tables and figures: {protocol_sentence(plan)}"
    )
    document = TableDoc(
        BY_PROTOCOL,
        "Both protocols",
        caption,
        "methods",
        tuple(columns),
        tuple(rows),
        notes.ordered(),
        rules=SPREAD,
        runs=results.runs_of(dict.fromkeys(e["name"] for main in mains(plan) for e in main.experiments)),
        csv=f"{BY_PROTOCOL}.csv",
    )
    return document, pd.DataFrame(full)


def fairness_table(results: Results) -> Made:
    """One row for each method: what a comparison depends on besides the method, each fact with its source."""
    import pandas as pd

    rows, full, notes = [], [], Notes()
    for name in judged_methods(results.plan):
        method = results.plan["methods"][name]
        paper, licence = method["paper"], method["licence"]
        said = [f"{paper}." if paper else "", f"Licence of its published code: {licence}." if licence else ""]
        row = {"method": name, "title": method["title"], "kind": method["kind"], "paper": paper, "licence": licence}
        about = " ".join(filter(None, said))
        cells = [Cell(method["title"], notes=notes.keys([about] if about else [])), Cell(method["kind"])]
        for key in FACTS:
            fact = (method["fairness"] or {}).get(key)
            row |= {key: fact["text"] if fact else None, f"{key}_source": fact["source"] if fact else None}
            marks = notes.keys([f"Source: {fact['source']}."]) if fact else ()
            cells.append(Cell(fact["text"], notes=marks) if fact else Cell("not stated"))
        full.append(row)
        rows.append(tuple(cells))
    columns = (Column("method", "Method"), Column("kind", "Kind"), *(Column(*fact) for fact in FACTS.items()))
    document = TableDoc(
        FAIRNESS,
        "What a fair comparison must know",
        "What the figures of each method depend on besides the method itself, as its authors used it. What is said of "
        "training is theirs: the auxiliary data of this benchmark's runs stand with their figures.",
        "methods",
        columns,
        tuple(rows),
        notes.ordered(),
        csv=f"{FAIRNESS}.csv",
    )
    return document, pd.DataFrame(full)


#: By name, as in `adaclip.report.file_names.method_tables`.
METHOD_MAKERS: dict[str, Callable[[Results], Made]] = {
    COMPARISON: comparison_table,
    BY_PROTOCOL: protocols_table,
    FAIRNESS: fairness_table,
}
