"""The verb that says whether what was computed is still what was written."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from adaclip.cli.common import positive, verb
from adaclip.errors import AdaclipError


def add_verify(verbs: Any) -> None:
    """Add the verb."""
    verify = verb(
        verbs,
        "verify",
        _verify,
        "check that results and data are still what was written: every file, by its SHA-256",
        "Each file that is damaged, missing or of unknown origin is named, and the exit code is 1. "
        "With --remove what is damaged goes, and `snakemake --cores all` makes it again.",
    )
    verify.add_argument("results", type=Path, metavar="RESULTS", help="a results folder")
    verify.add_argument(
        "--data", type=Path, metavar="DIR", help="the data folder too: prepared sets, and what was fetched"
    )
    verify.add_argument(
        "--remove", action="store_true", help="remove what is damaged, so that the workflow makes it again"
    )
    verify.add_argument("--jobs", type=positive, metavar="N", help="processes that read (default: one for each core)")


def _verify(arguments: argparse.Namespace) -> None:
    from adaclip.data.damage import verify_data
    from adaclip.system.faults import remove_faulty
    from adaclip.upkeep.verify import parts_of, verify_results

    found = verify_results(arguments.results, arguments.jobs)
    if arguments.data is not None:
        found.add(verify_data(arguments.data, arguments.jobs))
    for fault in found.faults:
        print(fault)
    for note in found.notes:
        print(f"note: {note}")
    looked = f"checked files: {found.files}"
    if arguments.data is None:
        looked += " (prepared sets and originals were not looked at: --data DIR)"
    if not found.faults:
        print(f"{looked}; all are what was written")
        return
    parts = parts_of(arguments.results, found.faults)
    again = shlex.join(["snakemake", "--cores", "all", *(["all", *parts] if parts else [])])
    if not arguments.remove:
        command = shlex.join(
            ["adaclip", "verify", str(arguments.results), *(["--data", str(arguments.data)] if arguments.data else [])]
        )
        raise AdaclipError(
            f"{looked}; not what was written: {len(found.faults)}: run {command} --remove, "
            f"then {again} (with your --configfile)"
        )
    gone = remove_faulty(found.faults)
    for path in gone:
        print(f"removed {path}")
    left = sum(bool(fault.by_hand) for fault in found.faults)
    if left:
        raise AdaclipError(f"{looked}; files that have to be replaced by hand first: {left}")
    print(f"{looked}; removed: {len(gone)}; now run {again} (with your --configfile)")
