"""Verbs that gather: tables, figures, report."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from adaclip.cli.common import verb


def add_report_verbs(verbs: Any) -> None:
    """Add these verbs."""
    tables = verb(verbs, "tables", _tables, "gather all metrics into tables")
    tables.add_argument("--plan", type=Path, required=True, metavar="FILE", help="results/plan.json")
    tables.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for tables as CSV, Markdown and LaTeX"
    )
    tables.add_argument("--summary", type=Path, required=True, metavar="FILE", help="JSON of the figures of every set")
    tables.add_argument(
        "--metrics", type=Path, metavar="DIR", help="folder for averages as JSON (for dvc metrics show)"
    )

    figures = verb(verbs, "figures", _figures, "draw all figures")
    figures.add_argument("--plan", type=Path, required=True, metavar="FILE", help="results/plan.json")
    figures.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for SVG and PNG figures")

    environment = verb(
        verbs,
        "environment",
        _environment,
        "write down what the results were computed with",
        "Machine, devices, package versions, git commit, and checksums of the data.",
    )
    environment.add_argument("--plan", type=Path, required=True, metavar="FILE", help="results/plan.json")
    environment.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSON file to write")

    panels = verb(
        verbs,
        "panels",
        _panels,
        "draw images of one set beside their anomaly maps",
        "The best, the worst and sample images of the first trained experiment that is evaluated on the set.",
    )
    panels.add_argument("set", metavar="SET", help="an evaluated set of the plan")
    panels.add_argument("--plan", type=Path, required=True, metavar="FILE", help="results/plan.json")
    panels.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the figure as SVG and PNG")

    report = verb(
        verbs,
        "report",
        _report,
        "write the report page",
        "The page holds everything: it opens from a file, without a server or a network. "
        "What is not named is taken from its usual place beside the plan.",
    )
    report.add_argument("--plan", type=Path, required=True, metavar="FILE", help="results/plan.json")
    report.add_argument("--summary", type=Path, metavar="FILE", help="default: summary.json")
    report.add_argument(
        "--tables",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="indexes of tables; default: tables/index.json, audit/tables/index.json",
    )
    report.add_argument(
        "--figures",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="indexes of figures; default: figures/index.json, audit/figures/index.json",
    )
    report.add_argument(
        "--overviews", type=Path, nargs="*", metavar="FILE", help="default: overview/<set>/overview.json of each set"
    )
    report.add_argument("--out", type=Path, metavar="FILE", help="the HTML file to write; default: report/index.html")
    report.add_argument(
        "--provenance",
        type=Path,
        metavar="FILE",
        help="what adaclip environment wrote; default: provenance.json beside the page",
    )
    report.add_argument(
        "--without-third-party",
        action="store_true",
        help="leave out pictures of data sets that others own, for a page that may be passed on",
    )


def _tables(arguments: argparse.Namespace) -> None:
    from adaclip.report.tables.write import write_tables

    write_tables(arguments.plan, arguments.out, arguments.summary, arguments.metrics)


def _figures(arguments: argparse.Namespace) -> None:
    from adaclip.report.figures import write_figures

    write_figures(arguments.plan, arguments.out)


def _environment(arguments: argparse.Namespace) -> None:
    from adaclip.report.environment import write_environment

    write_environment(arguments.plan, arguments.out)


def _panels(arguments: argparse.Namespace) -> None:
    from adaclip.report.figures.panels import write_panels

    write_panels(arguments.plan, arguments.set, arguments.out)


def _report(arguments: argparse.Namespace) -> None:
    from adaclip.report.page.write import write_page
    from adaclip.system.files import read_json

    root = arguments.plan.parent
    overviews = arguments.overviews
    if overviews is None:
        overviews = [root / "overview" / name / "overview.json" for name in read_json(arguments.plan)["sets"]]
    out = arguments.out or root / "report" / "index.html"
    write_page(
        arguments.plan,
        arguments.summary or root / "summary.json",
        arguments.tables or [root / "tables" / "index.json", root / "audit" / "tables" / "index.json"],
        arguments.figures or [root / "figures" / "index.json", root / "audit" / "figures" / "index.json"],
        overviews,
        out,
        arguments.provenance or out.with_name("provenance.json"),
        third_party=not arguments.without_third_party,
    )
