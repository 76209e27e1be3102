"""Tables that every run has: what was measured, on which data, at which cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adaclip.data.manifest import read_manifest, read_prepared
from adaclip.literature.cautions import cautions
from adaclip.metrics.names import METRICS
from adaclip.report.document import Cell, Column, TableDoc
from adaclip.report.methods import makes_checkpoint
from adaclip.report.protocol import protocol_sentence
from adaclip.report.results import Results
from adaclip.report.stored import read_cost
from adaclip.report.tables.cells import Notes, fraction, number

if TYPE_CHECKING:
    import pandas as pd

Made = tuple[TableDoc, "pd.DataFrame"]
SPREAD = "In percent; mean ± sample standard deviation over the seeds where there are several."
_METRIC_COLUMNS = tuple(
    Column(f"{level}_{metric}", title.partition(" ")[2], "percent", group=title.partition(" ")[0])
    for (level, metric), title in METRICS.items()
)


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows)


def _results(results: Results) -> Made:
    """One row for each experiment and set."""
    full, rows, notes = [], [], Notes()
    for experiment in results.experiments:
        for name in experiment["evaluate"]:
            facts = results.sets[name]
            selected = results.selected_on(experiment["name"], name)
            overlap = results.overlap(experiment["name"], name)
            simulated = results.drawn(experiment["name"], name)
            row: dict[str, Any] = {
                "experiment": experiment["name"],
                "run": experiment["run"],
                "set": name,
                "domain": facts["domain"],
                "auxiliary": "+".join(experiment["auxiliary"]),
                "seeds": len(experiment["seeds"]),
                "selected": selected,
                "overlap": overlap,
                "simulated": simulated,
            }
            cells = []
            for level, metric in METRICS:
                found = results.measured(experiment["name"], name, level, metric)
                key = f"{level}_{metric}"
                row |= {key: found.mean, f"{key}_sd": found.sd, f"{key}_undefined": found.reason}
                marks = notes.keys([], selected and bool(found.values), bool(overlap and found.values))
                cells.append(fraction(found.mean, found.sd, marks))
            full.append(row)
            place = _place(facts["title"], simulated, notes)
            rows.append((Cell(experiment["title"]), place, Cell(facts["domain"]), number(row["seeds"]), *cells))
    columns = (
        Column("experiment", "Experiment", filter=True),
        Column("set", "Set", filter=True),
        Column("domain", "Domain", filter=True),
        Column("seeds", "Seeds", "number"),
        *_METRIC_COLUMNS,
    )
    caption = f"Every experiment on every set that it is evaluated on, means over the set's categories. {SPREAD}"
    return _doc(results, "results", "All results", caption, "measured", columns, rows, notes), _frame(full)


def _averages(results: Results) -> Made:
    """One row for each experiment and group of sets: its own by domain, and those that all experiments share."""
    shared = [
        name for name in results.sets if all(name in experiment["evaluate"] for experiment in results.experiments)
    ]
    domains = list(dict.fromkeys(facts["domain"] for facts in results.sets.values()))
    full, rows, notes = [], [], Notes()
    for experiment in results.experiments:
        own = experiment["evaluate"]
        groups = {domain: [n for n in own if results.sets[n]["domain"] == domain] for domain in domains}
        groups = {**groups, "all": own, "shared by all experiments": shared}
        for group, names in groups.items():
            if not names:
                continue
            simulated = any(results.drawn(experiment["name"], name) for name in names)
            row: dict[str, Any] = {"experiment": experiment["name"], "run": experiment["run"], "sets": group}
            row |= {"number": len(names), "simulated": simulated}
            cells = []
            for level, metric in METRICS:
                found = results.average(experiment["name"], names, level, metric)
                key = f"{level}_{metric}"
                row |= {key: found.mean, f"{key}_sd": found.sd, f"{key}_sets": found.sets}
                cells.append(fraction(found.mean, found.sd))
            full.append(row)
            rows.append((Cell(experiment["title"]), _place(group, simulated, notes), number(len(names)), *cells))
    columns = (
        Column("experiment", "Experiment", filter=True),
        Column("sets", "Sets", filter=True),
        Column("number", "Number", "number"),
        *_METRIC_COLUMNS,
    )
    caption = (
        f"Means over sets, of those where the figure is defined. {SPREAD} Experiments are evaluated on different sets: "
        "compare within a group that they share."
    )
    return _doc(results, "averages", "Averages", caption, "measured", columns, rows, notes), _frame(full)


def _categories(results: Results) -> Made:
    """One row for each experiment, set and category."""
    full, rows, notes = [], [], Notes()
    for experiment in results.experiments:
        for name in experiment["evaluate"]:
            counts = results.of(experiment, name)[0].metrics["categories"]
            simulated = results.drawn(experiment["name"], name)
            place = _place(results.sets[name]["title"], simulated, notes)
            for category, entry in counts.items():
                row: dict[str, Any] = {"experiment": experiment["name"], "run": experiment["run"]}
                row |= {"set": name, "category": category, "simulated": simulated}
                vanished = results.vanished(experiment["name"], name, category)
                row |= {"images": entry["images"], "anomalous": entry["anomalous"], "vanished": vanished}
                cells = []
                for level, metric in METRICS:
                    found = results.measured(experiment["name"], name, level, metric, category)
                    key = f"{level}_{metric}"
                    row |= {key: found.mean, f"{key}_sd": found.sd, f"{key}_undefined": found.reason}
                    cells.append(fraction(found.mean, found.sd))
                full.append(row)
                titles = (Cell(experiment["title"]), place, Cell(category))
                counted = (number(row[key]) for key in ("images", "anomalous", "vanished"))
                rows.append((*titles, *counted, *cells))
    columns = (
        Column("experiment", "Experiment", filter=True),
        Column("set", "Set", filter=True),
        Column("category", "Category", filter=True),
        Column("images", "Images", "number"),
        Column("anomalous", "Anomalous", "number"),
        Column("vanished", "Vanished masks", "number"),
        *_METRIC_COLUMNS,
    )
    caption = (
        f"Every experiment on every category. {SPREAD} Of vanished masks no pixel is left at the evaluation's size: "
        "all pixels of their images count as normal."
    )
    return _doc(results, "categories", "Results by category", caption, "measured", columns, rows, notes), _frame(full)


def _seeds(results: Results) -> Made:
    """One row for each experiment, set and seed."""
    full, rows, notes = [], [], Notes()
    for found in results.evaluations:
        simulated = results.drawn(found.experiment["name"], found.set)
        row: dict[str, Any] = {"experiment": found.experiment["name"], "run": found.experiment["run"]}
        row |= {"set": found.set, "seed": found.seed, "simulated": simulated}
        cells = []
        for level, metric in METRICS:
            value = found.metrics["mean"][level][metric]
            row[f"{level}_{metric}"] = value
            cells.append(fraction(math.nan if value is None else value))
        full.append(row)
        titles = (Cell(found.experiment["title"]), _place(results.sets[found.set]["title"], simulated, notes))
        rows.append((*titles, number(found.seed, str(found.seed)), *cells))
    columns = (
        Column("experiment", "Experiment", filter=True),
        Column("set", "Set", filter=True),
        Column("seed", "Seed", "number", filter=True),
        *_METRIC_COLUMNS,
    )
    caption = "Every seed by itself, in percent."
    return _doc(results, "seeds", "Results by seed", caption, "measured", columns, rows, notes), _frame(full)


def _data(results: Results) -> Made:
    """One row for each data set."""
    full, rows, notes = [], [], Notes()
    for name, facts in results.sets.items():
        frame = read_manifest(facts["manifest"])
        prepared = read_prepared(facts["manifest"])
        test = frame[frame["split"] == "test"]
        row = {
            "set": name,
            "domain": facts["domain"],
            "simulated": name in results.simulated,
            "layout": prepared["layout"],
            "categories": frame["category"].nunique(),
            "test_normal": int((test["label"] == 0).sum()),
            "test_anomalous": int((test["label"] == 1).sum()),
            "masks": int((test["mask"] != "").sum()),
            "labels": " ".join(prepared["labels"]),
            "warnings": "; ".join(prepared["warnings"]),
            "url": facts["url"],
        }
        full.append(row)
        levels = " and ".join({"image": "image", "mask": "pixel"}[label] for label in prepared["labels"])
        counts = (number(row[key]) for key in ("categories", "test_normal", "test_anomalous", "masks"))
        title = Cell(facts["title"], notes=notes.keys([], simulated=row["simulated"]), href=facts["url"])
        rows.append((title, Cell(facts["domain"]), Cell(row["layout"]), *counts, Cell(levels)))
    columns = (
        Column("set", "Set"),
        Column("domain", "Domain", filter=True),
        Column("layout", "Raw layout"),
        Column("categories", "Categories", "number"),
        Column("test_normal", "Normal", "number"),
        Column("test_anomalous", "Anomalous", "number"),
        Column("masks", "Masks", "number"),
        Column("labels", "Figures"),
    )
    caption = "Test images of each prepared set, and which figures its labels allow."
    return _doc(results, "data", "Data sets", caption, "data", columns, rows, notes), _frame(full)


def _cost(results: Results) -> Made:
    """One row for each job: seconds of work, without the start of Python."""
    full: list[dict[str, Any]] = []
    seen = set()
    for experiment in results.experiments:
        for seed in experiment["seeds"]:
            folder = results.run_folder(experiment, seed)
            if folder not in seen and makes_checkpoint(experiment):
                seen.add(folder)
                full.append(_job("train", experiment["run"], seed, "", read_cost(folder / "cost.json")))
    for found in results.evaluations:
        if found.folder not in seen:
            seen.add(found.folder)
            cost = read_cost(found.folder / "cost.json")
            full.append(_job("evaluate", found.experiment["run"], found.seed, found.set, cost))
    rows = []
    for row in full:
        memory = row["peak_gpu_bytes"]
        rows.append(
            (
                Cell(row["job"]),
                Cell(row["run"]),
                number(row["seed"], str(row["seed"])),
                Cell(results.sets[row["set"]]["title"] if row["set"] else ""),
                number(row["images"] if row["images"] is not None else row["steps"]),
                number(row["seconds"], f"{row['seconds']:,.1f}"),
                number(row["parameters"]),
                number(memory, f"{memory / 2**30:.1f} GiB") if memory else number(None),
                Cell(row["device"]),
            )
        )
    columns = (
        Column("job", "Job", filter=True),
        Column("run", "Run", filter=True),
        Column("seed", "Seed", "number"),
        Column("set", "Set", filter=True),
        Column("work", "Images or steps", "number"),
        Column("seconds", "Seconds", "number"),
        Column("parameters", "Parameters learned", "number"),
        Column("peak_gpu_bytes", "Peak GPU memory", "number"),
        Column("device", "Device", filter=True),
    )
    said = " ".join(caution.sentence for caution in cautions() if caution.fits({"table": "cost"}))
    caption = f"Time and memory of every job, without the start of Python. {said}"
    return _doc(results, "cost", "Cost of every job", caption, "cost", columns, rows), _frame(full)


def _job(job: str, run: str, seed: int, name: str, cost: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "job": job,
        "run": run,
        "seed": seed,
        "set": name,
        "images": None,
        "steps": None,
        "parameters": None,
        **cost,
    }


def _place(title: str, simulated: bool, notes: Notes) -> Cell:
    """A set, or several, marked where drawn images have a part in the row."""
    return Cell(title, notes=notes.keys([], simulated=simulated))


def _doc(
    results: Results,
    name: str,
    title: str,
    caption: str,
    section: Any,
    columns: tuple[Column, ...],
    rows: Sequence[tuple[Cell, ...]],
    notes: Notes | None = None,
) -> TableDoc:
    # What is known of the data comes from no run.
    runs = results.runs_of(results.by_name) if section != "data" else ()
    said = notes.ordered() if notes else {}
    if section == "measured":
        caption = f"{caption} {protocol_sentence(results.plan)}"
    return TableDoc(name, title, caption, section, columns, tuple(rows), said, runs=runs, csv=f"{name}.csv")


#: By name, in the order of the page; as in `adaclip.report.file_names.TABLES`.
MAKERS: dict[str, Callable[[Results], Made]] = {
    "results": _results,
    "averages": _averages,
    "categories": _categories,
    "seeds": _seeds,
    "data": _data,
    "cost": _cost,
}
