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
    tables.add_argument("--summary", type=Path, required=True, metavar="FILE", help="JSON summary for dvc metrics")

    figures = verb(verbs, "figures", _figures, "draw all figures")
    figures.add_argument("--plan", type=Path, required=True, metavar="FILE", help="results/plan.json")
    figures.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for SVG and PNG figures")

    report = verb(verbs, "report", _report, "write the report page")
    report.add_argument("--plan", type=Path, required=True, metavar="FILE", help="results/plan.json")
    report.add_argument("--tables", type=Path, required=True, metavar="DIR", help="folder of adaclip tables")
    report.add_argument("--figures", type=Path, required=True, metavar="DIR", help="folder of adaclip figures")
    report.add_argument("--out", type=Path, required=True, metavar="FILE", help="the HTML file to write")


def _tables(arguments: argparse.Namespace) -> None:
    from adaclip.report.tables import write_tables

    write_tables(arguments.plan, arguments.out, arguments.summary)


def _figures(arguments: argparse.Namespace) -> None:
    from adaclip.report.figures import write_figures

    write_figures(arguments.plan, arguments.out)


def _report(arguments: argparse.Namespace) -> None:
    from adaclip.report.page import write_page

    write_page(arguments.plan, arguments.tables, arguments.figures, arguments.out)
