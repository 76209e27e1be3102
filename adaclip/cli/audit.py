"""Verbs that look at prepared sets: overview, and the leakage audit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from adaclip.cli.common import verb


def add_audit_verbs(verbs: Any) -> None:
    """Add these verbs."""
    overview = verb(verbs, "overview", _overview, "describe a prepared set: counts, sizes, an example of each category")
    overview.add_argument("--manifest", type=Path, required=True, metavar="FILE", help="manifest of the prepared set")
    overview.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for overview.json and thumbnails"
    )
    overview.add_argument("--jobs", type=int, metavar="N", help="processes that decode (default: one for each core)")


def _overview(arguments: argparse.Namespace) -> None:
    from adaclip.report.overview import write_overview

    write_overview(arguments.manifest, arguments.out, jobs=arguments.jobs)
