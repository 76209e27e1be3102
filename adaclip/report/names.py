"""What things are called: metrics, and the files that a plan's tables and figures are written to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: (level, metric) in the order of tables, and what they are called.
METRICS = {
    ("image", "auroc"): "Image AUROC",
    ("image", "f1_max"): "Image F1-max",
    ("image", "ap"): "Image AP",
    ("pixel", "auroc"): "Pixel AUROC",
    ("pixel", "f1_max"): "Pixel F1-max",
    ("pixel", "ap"): "Pixel AP",
    ("pixel", "aupro"): "Pixel AUPRO",
}

#: Tables that every run has, whatever its plan asks for.
TABLES = ("results", "averages", "categories", "seeds", "data", "cost")
LEADERBOARD = "leaderboard"
REPRODUCTION = "reproduction"
FIGURES = ("transfer_pixel", "transfer_image", "roc_pixel", "roc_image", "training")


def table_names(plan: Mapping[str, Any]) -> list[str]:
    """File names of all tables of a plan (`results/plan.json`), with the index for the page."""
    paper = [table["name"] for table in plan["tables"]]
    others = [*([REPRODUCTION] if compared(plan) else []), *TABLES, LEADERBOARD]
    names = [f"{stem}.{suffix}" for stem in paper for suffix in ("csv", "md", "tex")]
    return [*names, *(f"{stem}.{suffix}" for stem in others for suffix in ("csv", "md")), "index.json"]


def metric_names(plan: Mapping[str, Any]) -> list[str]:
    """File names of the averages of each experiment, for `dvc metrics show`."""
    return [f"{experiment['name']}.json" for experiment in plan["experiments"]]


def compared(plan: Mapping[str, Any]) -> bool:
    """Whether a table of the plan sets measured figures beside published ones."""
    return any(row["experiments"] and row["published"] for table in plan["tables"] for row in table["rows"])


def figure_stems(plan: Mapping[str, Any]) -> list[str]:
    """Names of all figures of a plan, without their suffix."""
    return [*FIGURES, *(f"scores_{experiment['name']}" for experiment in plan["experiments"])]


def figure_names(plan: Mapping[str, Any]) -> list[str]:
    """File names of all figures of a plan, and of their index."""
    return ["index.json", *(f"{stem}.{suffix}" for stem in figure_stems(plan) for suffix in ("svg", "png"))]
