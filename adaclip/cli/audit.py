"""Verbs that look at prepared sets: overview, and the leakage audit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from adaclip.cli.common import positive, verb


def add_audit_verbs(verbs: Any) -> None:
    """Add these verbs."""
    overview = verb(verbs, "overview", _overview, "describe a prepared set: counts, sizes, an example of each category")
    overview.add_argument("--manifest", type=Path, required=True, metavar="FILE", help="manifest of the prepared set")
    overview.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for overview.json and thumbnails"
    )
    overview.add_argument(
        "--jobs", type=positive, metavar="N", help="processes that decode (default: one for each core)"
    )

    audit = verbs.add_parser(
        "audit",
        help="find images that occur twice, within sets and across them",
        description="Find images that occur twice, within prepared sets and across them.",
    )
    parts = audit.add_subparsers(title="verbs", metavar="<verb>", required=True)

    fingerprint = verb(
        parts,
        "fingerprint",
        _fingerprint,
        "fingerprint the test images of a prepared set",
        "By their decoded pixels and by a perceptual hash, so that neither the file's name nor its format counts.",
    )
    fingerprint.add_argument("--manifest", type=Path, required=True, metavar="FILE", help="manifest of the set")
    fingerprint.add_argument("--out", type=Path, required=True, metavar="FILE", help="CSV file to write")
    fingerprint.add_argument(
        "--jobs", type=positive, metavar="N", help="processes that decode (default: one for each core)"
    )

    compare = verb(
        parts,
        "compare",
        _compare,
        "compare fingerprints of several sets",
        "Writes pairs.csv, groups.csv, leakage.json (for adaclip evaluate --leakage), tables and a figure.",
    )
    compare.add_argument(
        "fingerprints",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="files of adaclip audit fingerprint, one a set",
    )
    compare.add_argument("--titles", metavar="SETTINGS", help="what to call the sets: titles by id")
    compare.add_argument(
        "--prepared", type=Path, metavar="DIR", help="folder of the prepared sets by id, for a figure of examples"
    )
    compare.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")


def _overview(arguments: argparse.Namespace) -> None:
    from adaclip.report.overview import write_overview

    write_overview(arguments.manifest, arguments.out, jobs=arguments.jobs)


def _fingerprint(arguments: argparse.Namespace) -> None:
    from adaclip.audit.fingerprint import write_fingerprints

    write_fingerprints(arguments.manifest, arguments.out, jobs=arguments.jobs)


def _compare(arguments: argparse.Namespace) -> None:
    from adaclip.audit.publish import write_audit
    from adaclip.system.settings import read_mapping

    titles = read_mapping(arguments.titles, "titles") if arguments.titles else None
    found = write_audit(arguments.fingerprints, arguments.out, titles, arguments.prepared)
    for name, facts in found.items():
        print(
            f"{name}: test images {facts['images']}, groups of identical ones {facts['identical_groups']}, "
            f"of near-identical ones {facts['near_groups']}, of copies with both labels {facts['mixed_groups']}; "
            f"images that other sets hold too {facts['elsewhere']}"
        )
