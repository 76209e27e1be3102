"""Verbs of the data sets: list, fetch, simulate, prepare."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from adaclip.cli.common import positive, verb
from adaclip.errors import warn

ENTRY_HELP = "registry keys of this set, as under `datasets` in a config: a YAML or JSON file, or inline JSON"


def add_data(verbs: Any) -> None:
    """Add these verbs."""
    data = verbs.add_parser(
        "data", help="list, fetch and prepare data sets", description="List, fetch, simulate and prepare data sets."
    )
    parts = data.add_subparsers(title="verbs", metavar="<verb>", required=True)

    listing = verb(parts, "list", _data_list, "list the data sets: what is here, what is missing, how to get it")
    listing.add_argument("--config", type=Path, metavar="FILE", help="a configuration whose own sets are listed too")
    listing.add_argument(
        "--data", type=Path, metavar="DIR", help="the data folder (default: the configuration's, or data)"
    )

    fetch = verb(
        parts,
        "fetch",
        _data_fetch,
        "fetch a set's archives from the first source that has them",
        "Your own files are used as they are, and never overwritten. An interrupted download goes on where it stopped.",
    )
    fetch.add_argument("id", metavar="ID", help="the data set's id (see adaclip data list)")
    fetch.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help="the data folder (default: %(default)s)"
    )
    fetch.add_argument("--out", type=Path, metavar="DIR", help="folder for the archives (default: <data>/raw/<ID>)")
    fetch.add_argument(
        "--mirror", metavar="DIR", help="a folder, or the address of one, that is asked instead of the set's sources"
    )
    fetch.add_argument(
        "--accept-licence", action="store_true", help="accept the terms that adaclip data list shows for it"
    )
    fetch.add_argument(
        "--checksums",
        type=Path,
        metavar="FILE",
        help="where checksums are recorded that nobody publishes (default: <data>/checksums.lock.yaml)",
    )
    fetch.add_argument("--entry", metavar="SETTINGS", help=ENTRY_HELP)
    fetch.add_argument("--receipt", type=Path, metavar="FILE", help="JSON of what is there now, for a workflow")

    simulate = verb(parts, "simulate", _data_simulate, "draw a small simulated original, packed as the real one is")
    simulate.add_argument("id", metavar="ID", help="a built-in data set's id (see adaclip data list)")
    simulate.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    simulate.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the drawing (default: %(default)s)")
    simulate.add_argument(
        "--images", type=int, default=16, metavar="N", help="test images of a category (default: %(default)s)"
    )
    simulate.add_argument(
        "--size", type=int, default=192, metavar="PX", help="shorter side of an ordinary image (default: %(default)s)"
    )
    simulate.add_argument("--tree", action="store_true", help="write what the archives unpack to, not the archives")

    prepare = verb(
        parts,
        "prepare",
        _data_prepare,
        "check an original and turn it into a prepared set with a manifest",
        "The layout is recognised by its content. Every file is decoded once; a mask that is missing or does not fit "
        "its image is an error that names it.",
    )
    prepare.add_argument("id", metavar="ID", help="the data set's id: a built-in one, or a name for your own")
    prepare.add_argument("--raw", type=Path, required=True, metavar="PATH", help="the original: a folder or an archive")
    prepare.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    prepare.add_argument("--entry", metavar="SETTINGS", help=ENTRY_HELP)
    prepare.add_argument(
        "--jobs", type=positive, metavar="N", help="processes that decode (default: one for each core)"
    )
    limits = prepare.add_argument_group("limits of an archive", "What is larger is not unpacked.")
    limits.add_argument(
        "--max-gb", type=gigabytes, default="64", metavar="N", help="of its files (default: %(default)s)"
    )
    limits.add_argument("--max-files", type=positive, default=500_000, metavar="N", help="(default: %(default)s)")

    docs = verb(
        parts,
        "docs",
        _data_docs,
        "write what the table of data sets knows into the pages about them",
        "Only the marked block of each page is replaced.",
    )
    docs.add_argument("--out", type=Path, default=Path("docs/datasets"), metavar="DIR", help="(default: %(default)s)")


def gigabytes(text: str) -> int:
    """Gigabytes as bytes, for `type` of an argument."""
    number = float(text)
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError(f"must be more than 0, not {text}")
    return int(number * 1e9)


def _data_docs(arguments: argparse.Namespace) -> None:
    from adaclip.data.docs import write_docs
    from adaclip.data.registry import load_registry

    for path in write_docs(load_registry(), arguments.out):
        print(f"changed {path}")


def _data_list(arguments: argparse.Namespace) -> None:
    from adaclip.data.registry import load_registry
    from adaclip.data.status import print_status
    from adaclip.plan.config import load_config

    config = load_config(arguments.config) if arguments.config else None
    data = arguments.data or Path(config.data if config else "data")
    print_status(load_registry(config.datasets if config else None), data)


def _data_fetch(arguments: argparse.Namespace) -> None:
    from adaclip.data.fetch import fetch
    from adaclip.data.fetched import write_note
    from adaclip.data.registry import dataset_for
    from adaclip.system.settings import read_mapping

    entry = read_mapping(arguments.entry, "entry") if arguments.entry else None
    dataset = dataset_for(arguments.id, entry)
    done = fetch(
        dataset,
        arguments.out or arguments.data / "raw" / dataset.id,
        lock=arguments.checksums or arguments.data / "checksums.lock.yaml",
        mirror=arguments.mirror,
        accepted=arguments.accept_licence,
    )
    if arguments.receipt:
        write_note(arguments.receipt, dataset.id, done.kind, done.archives)
    names = ", ".join(archive.name for archive in done.archives) or "your own files"
    size = sum(archive.size for archive in done.archives)
    print(f"{dataset.id}: {names} ({size / 1e6:.1f} MB), {done.fetched} fetched now ({done.kind})")


def _data_simulate(arguments: argparse.Namespace) -> None:
    from adaclip.data.simulate import draw_tree, simulate

    draw = draw_tree if arguments.tree else simulate
    draw(arguments.id, arguments.out, seed=arguments.seed, images=arguments.images, size=arguments.size)


def _data_prepare(arguments: argparse.Namespace) -> None:
    from adaclip.data.prepare import prepare
    from adaclip.data.registry import dataset_for
    from adaclip.data.unpack import Limits
    from adaclip.system.settings import read_mapping

    entry = read_mapping(arguments.entry, "entry") if arguments.entry else None
    dataset = dataset_for(arguments.id, entry)
    limits = Limits(arguments.max_gb, arguments.max_files)
    summary = prepare(dataset, arguments.raw, arguments.out, arguments.jobs, f"preparing {arguments.id}", limits)
    for warning in summary.warnings:
        warn(warning)
    print(summary.text())
