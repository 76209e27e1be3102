"""The files that a plan's tables and figures are written to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adaclip.report import series
from adaclip.report.mains import mains
from adaclip.report.methods import is_control, learns
from adaclip.report.protocol import sigmas_differ

#: Tables that every run has, whatever its plan asks for.
TABLES = ("results", "averages", "categories", "seeds", "data", "cost")
LEADERBOARD = "leaderboard"
#: Tables of the methods, each where the plan has what it is about; see `method_tables`.
COMPARISON, BY_PROTOCOL, FAIRNESS = "comparison", "protocols", "fairness"
REPRODUCTION = "reproduction"
#: Metrics of heat maps.
MAPPED = (("image", "auroc"), ("image", "f1_max"), ("pixel", "auroc"), ("pixel", "f1_max"), ("pixel", "aupro"))
#: Figures of one level, which some set must have labels of.
LEVELLED = ("transfer", "experiments", "ranking")
#: So many experiments fit into the heat map of all.
MAPPED_EXPERIMENTS = 20


def table_names(plan: Mapping[str, Any]) -> list[str]:
    """File names of all tables of a plan (`results/plan.json`), with the index for the page."""
    paper = [table["name"] for table in plan["tables"]]
    others = [*([REPRODUCTION] if compared(plan) else []), *method_tables(plan), *TABLES, LEADERBOARD]
    names = [f"{stem}.{suffix}" for stem in paper for suffix in ("csv", "md", "tex")]
    return [*names, *(f"{stem}.{suffix}" for stem in others for suffix in ("csv", "md")), "index.json"]


def method_tables(plan: Mapping[str, Any]) -> list[str]:
    """Names of the tables of the methods that a plan has something for, in the order of the page."""
    wanted = {COMPARISON: bool(mains(plan)), BY_PROTOCOL: sigmas_differ(plan), FAIRNESS: bool(judged_methods(plan))}
    return [name for name, has in wanted.items() if has]


def judged_methods(plan: Mapping[str, Any]) -> list[str]:
    """Ids of the methods whose facts of fairness are told: no control, and nothing that is untrained on purpose."""
    used = {experiment["method"] for experiment in plan["experiments"] if not is_control(experiment)}
    return [
        name
        for name, facts in plan["methods"].items()
        if name in used and (facts["fairness"] is not None or facts["kind"] != "untrained")
    ]


def metric_names(plan: Mapping[str, Any]) -> list[str]:
    """File names of the averages of each experiment, for `dvc metrics show`."""
    return [f"{experiment['name']}.json" for experiment in plan["experiments"]]


def compared(plan: Mapping[str, Any]) -> bool:
    """Whether a table of the plan sets measured figures beside published ones."""
    return any(row["experiments"] and row["published"] for table in plan["tables"] for row in table["rows"])


@dataclass(frozen=True)
class Wanted:
    """A figure of a plan: the stem of its files, its kind, and what it is about."""

    stem: str
    kind: str
    about: tuple[str, ...] = ()


def wanted_figures(plan: Mapping[str, Any]) -> list[Wanted]:
    """All figures of a plan, in the order of the page."""
    few = len(plan["experiments"]) <= MAPPED_EXPERIMENTS
    found = [
        *(Wanted(f"transfer_{level}_{metric}", "transfer", (level, metric)) for level, metric in MAPPED),
        *(Wanted(f"experiments_{level}_{metric}", "experiments", (level, metric)) for level, metric in MAPPED if few),
        *(
            Wanted(f"{kind}_{level}", "ranking", (kind, level))
            for level in ("image", "pixel")
            for kind in ("roc", "precision_recall")
        ),
        *(Wanted(f"categories_{name}", "bars", (name,)) for name in series.several_categories(plan)),
        *(Wanted(f"scores_{one.key}", "histograms", (one.key,)) for one in series.series(plan)),
        Wanted("training", "training"),
        Wanted("training_parts", "training_parts"),
        Wanted("accuracy_cost", "cost"),
    ]
    if not series.transfer(plan):
        found = [one for one in found if one.kind != "transfer"]
    if not any(map(learns, plan["experiments"])):
        found = [one for one in found if not one.kind.startswith("training")]
    missing = {"image", "pixel"} - series.levels(plan)
    found = [one for one in found if one.kind not in LEVELLED or missing.isdisjoint(one.about)]
    if not series.series(plan):
        found = [one for one in found if one.kind not in ("ranking", "cost")]
    taken = {one.stem for one in found}
    curves = [curve["name"] for curve in plan["curves"]]
    return [*(Wanted(f"curve_{name}" if name in taken else name, "ablation", (name,)) for name in curves), *found]


def panel_names(name: str) -> list[str]:
    """Files of a set's figure of images, in a folder of its own with its index."""
    return [f"{name}/panels_{name}.svg", f"{name}/panels_{name}.png", f"{name}/index.json"]


def figure_names(plan: Mapping[str, Any]) -> list[str]:
    """File names of all figures of a plan, and of their index."""
    return ["index.json", *(f"{one.stem}.{suffix}" for one in wanted_figures(plan) for suffix in ("svg", "png"))]
