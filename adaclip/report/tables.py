"""Tables: CSV in full precision, Markdown in percent with mean and spread over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from adaclip.data.manifest import read_manifest, read_prepared
from adaclip.files import read_json, write_json, write_text, write_whole
from adaclip.report.names import METRICS, TABLES
from adaclip.report.results import Results

DASH = "-"
#: Stands behind a figure on a set that the run's epoch was chosen on.
SELECTED = "†"


def percent(mean: float, sd: float = math.nan) -> str:
    """A fraction as percent with one decimal, with its spread when there is one; a dash when undefined.

    Example:
        >>> percent(0.98765), percent(0.5, 0.0123), percent(math.nan)
        ('98.8', '50.0 ± 1.2', '-')
    """
    if math.isnan(mean):
        return DASH
    return f"{100 * mean:.1f}" + ("" if math.isnan(sd) else f" ± {100 * sd:.1f}")


def write_tables(plan_file: Path, out: Path, summary: Path) -> None:
    """Write every table of a plan, and the summary.

    Args:
        plan_file: `results/plan.json`.
        out: folder of the tables.
        summary: JSON file with the averages, for `dvc metrics`.

    Raises:
        AdaclipError: a file of an evaluation is missing or damaged.
    """
    results = Results(plan_file)
    for name in TABLES:
        full, rounded = _MAKERS[name](results)
        with write_whole(out / f"{name}.csv") as part:
            full.to_csv(part, index=False, lineterminator="\n")
        write_text(out / f"{name}.md", markdown(rounded))
    write_json(summary, summarise(results))


def markdown(table: pd.DataFrame) -> str:
    """A pipe table."""
    return str(table.to_markdown(index=False, disable_numparse=True)) + "\n"


def summarise(results: Results) -> dict[str, Any]:
    """Averages in percent by experiment, over the sets that it was evaluated on; undefined ones are left out."""
    summary: dict[str, Any] = {}
    for experiment in results.experiments:
        found = {}
        for level, metric in METRICS:
            mean, count = results.average(experiment["name"], experiment["evaluate"], level, metric)
            if count:
                found[f"{level}_{metric}"] = round(100 * mean, 4)
        summary[experiment["name"]] = found
    return summary


def _results(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row for each experiment and set."""
    full, rounded = [], []
    for experiment in results.experiments:
        for name in experiment["evaluate"]:
            facts = results.sets[name]
            selected = experiment["selection"] == name and experiment["method"] == "adaclip"
            head = {"experiment": experiment["name"], "set": name, "domain": facts["domain"]}
            row: dict[str, Any] = {
                **head,
                "auxiliary": "+".join(experiment["auxiliary"]),
                "seeds": len(experiment["seeds"]),
                "selected": selected,
            }
            shown = {"Experiment": experiment["title"], "Set": facts["title"], "Domain": facts["domain"]}
            for (level, metric), title in METRICS.items():
                mean, sd = results.value(experiment["name"], name, level, metric)
                row[f"{level}_{metric}"], row[f"{level}_{metric}_sd"] = mean, sd
                shown[title] = percent(mean, sd) + (SELECTED if selected and not math.isnan(mean) else "")
            full.append(row)
            rounded.append(shown)
    return pd.DataFrame(full), pd.DataFrame(rounded)


def _averages(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row for each experiment and group of sets: its own by domain, and those that all experiments share."""
    shared = [
        name for name in results.sets if all(name in experiment["evaluate"] for experiment in results.experiments)
    ]
    domains = list(dict.fromkeys(facts["domain"] for facts in results.sets.values()))
    full, rounded = [], []
    for experiment in results.experiments:
        own = experiment["evaluate"]
        groups = {domain: [n for n in own if results.sets[n]["domain"] == domain] for domain in domains}
        groups = {**groups, "all": own, "shared by all experiments": shared}
        for group, names in groups.items():
            if not names:
                continue
            row = {"experiment": experiment["name"], "sets": group, "number": len(names)}
            shown = {"Experiment": experiment["title"], "Sets": group, "Number": str(len(names))}
            for (level, metric), title in METRICS.items():
                row[f"{level}_{metric}"], _ = results.average(experiment["name"], names, level, metric)
                shown[title] = percent(row[f"{level}_{metric}"])
            full.append(row)
            rounded.append(shown)
    return pd.DataFrame(full), pd.DataFrame(rounded)


def _categories(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row for each experiment, set and category."""
    full, rounded = [], []
    for experiment in results.experiments:
        for name in experiment["evaluate"]:
            counts = results.of(experiment, name)[0].metrics["categories"]
            for category, entry in counts.items():
                row: dict[str, Any] = {"experiment": experiment["name"], "set": name, "category": category}
                row |= {"images": entry["images"], "anomalous": entry["anomalous"]}
                shown = {"Experiment": experiment["title"], "Set": results.sets[name]["title"], "Category": category}
                for (level, metric), title in METRICS.items():
                    mean, sd = results.value(experiment["name"], name, level, metric, category)
                    row[f"{level}_{metric}"], row[f"{level}_{metric}_sd"] = mean, sd
                    shown[title] = percent(mean, sd)
                full.append(row)
                rounded.append(shown)
    return pd.DataFrame(full), pd.DataFrame(rounded)


def _data(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row for each data set."""
    full, rounded = [], []
    for name, facts in results.sets.items():
        frame = read_manifest(facts["manifest"])
        prepared = read_prepared(facts["manifest"])
        test = frame[frame["split"] == "test"]
        row = {
            "set": name,
            "domain": facts["domain"],
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
        rounded.append(
            {
                "Set": facts["title"],
                "Domain": facts["domain"],
                "Raw layout": row["layout"],
                "Categories": str(row["categories"]),
                "Normal": str(row["test_normal"]),
                "Anomalous": str(row["test_anomalous"]),
                "Masks": str(row["masks"]),
                "Figures": " and ".join({"image": "image", "mask": "pixel"}[label] for label in prepared["labels"]),
            }
        )
    return pd.DataFrame(full), pd.DataFrame(rounded)


def _cost(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row for each job: seconds of work, without the start of Python."""
    full = []
    seen = set()
    for experiment in results.experiments:
        for seed in experiment["seeds"]:
            folder = results.run_folder(experiment, seed)
            if folder in seen or experiment["method"] not in ("adaclip", "untrained"):
                continue
            seen.add(folder)
            cost = read_json(folder / "cost.json")
            full.append({"job": "train", "run": experiment["run"], "seed": seed, "set": "", "images": None, **cost})
    done = set()
    for found in results.evaluations:
        if found.folder not in done:
            done.add(found.folder)
            cost = read_json(found.folder / "cost.json")
            head = {"job": "evaluate", "run": found.experiment["run"], "seed": found.seed, "set": found.set}
            full.append({**head, "steps": None, **cost})
    rounded = [
        {
            "Job": row["job"],
            "Run": row["run"],
            "Seed": str(row["seed"]),
            "Set": row["set"] or DASH,
            "Images or steps": str(row["images"] if row["images"] is not None else row["steps"]),
            "Seconds": f"{row['seconds']:.1f}",
            "Peak GPU memory": f"{row['peak_gpu_bytes'] / 2**30:.1f} GiB" if row["peak_gpu_bytes"] else DASH,
            "Device": row["device"],
        }
        for row in full
    ]
    return pd.DataFrame(full), pd.DataFrame(rounded)


_MAKERS: dict[str, Callable[[Results], tuple[pd.DataFrame, pd.DataFrame]]] = {
    "results": _results,
    "averages": _averages,
    "categories": _categories,
    "data": _data,
    "cost": _cost,
}
