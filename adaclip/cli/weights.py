"""Verbs of released weights: list, fetch, simulate, docs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from adaclip.cli.common import verb
from adaclip.cli.start import start_model

_DATA = "the data folder (default: %(default)s)"


def add_weights(verbs: Any) -> None:
    """Add these verbs."""
    weights = verbs.add_parser(
        "weights",
        help="list and fetch weights that authors have released",
        description="List, fetch and simulate weights that the authors of methods have released.",
    )
    parts = weights.add_subparsers(title="verbs", metavar="<verb>", required=True)

    listing = verb(
        parts, "list", _list, "list released weights: of which method, trained on what, whether they are here"
    )
    listing.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help=_DATA)

    fetch = verb(
        parts,
        "fetch",
        _fetch,
        "fetch released weights from the first source that has them",
        "An interrupted download goes on where it stopped. The file is checked: its checksum, and what it is.",
    )
    fetch.add_argument("id", metavar="ID", help="which (see adaclip weights list)")
    fetch.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help=_DATA)
    fetch.add_argument("--out", type=Path, metavar="DIR", help="folder for the files (default: <data>/weights/<ID>)")
    fetch.add_argument(
        "--mirror", metavar="DIR", help="a folder, or the address of one, that is asked instead of the sources"
    )
    fetch.add_argument(
        "--checksums",
        type=Path,
        metavar="FILE",
        help="where checksums are recorded that nobody publishes (default: <data>/checksums.lock.yaml)",
    )
    fetch.add_argument(
        "--entry",
        metavar="SETTINGS",
        help="keys of this release, as under `weights` in a config: a YAML or JSON file, or inline JSON",
    )
    fetch.add_argument("--receipt", type=Path, metavar="FILE", help="JSON of what is there now, for a workflow")

    simulate = verb(
        parts,
        "simulate",
        _simulate,
        "write drawn weights in a release's layout, to try the way of the real ones",
        "The folder is a mirror for adaclip weights fetch. Its files have the names of the real ones and hold the "
        "method's initial parameters.",
    )
    simulate.add_argument("id", metavar="ID", help="which (see adaclip weights list)")
    simulate.add_argument(
        "--backbone", metavar="SETTINGS", help="backbone settings (default: what the release was trained with)"
    )
    simulate.add_argument("--model", metavar="SETTINGS", help="settings of the method (default: those of the release)")
    simulate.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    simulate.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the drawing (default: %(default)s)")

    docs = verb(
        parts,
        "docs",
        _docs,
        "write what the table of released weights knows into the page about them",
        "Only the marked block of the page is replaced.",
    )
    docs.add_argument(
        "--out", type=Path, default=Path("docs/weights.md"), metavar="FILE", help="(default: %(default)s)"
    )


def _list(arguments: argparse.Namespace) -> None:
    from adaclip.data.status import print_weights
    from adaclip.data.weights import load_weights

    print_weights(load_weights().values(), arguments.data)


def _fetch(arguments: argparse.Namespace) -> None:
    from adaclip.data.fetch import fetch_weights
    from adaclip.data.fetched import write_note
    from adaclip.data.weights import folder_of, release, with_changes
    from adaclip.system.settings import read_mapping

    if arguments.entry:
        changes = {arguments.id: read_mapping(arguments.entry, "entry")}
        wanted = with_changes(changes, "--entry")[arguments.id]
    else:
        wanted = release(arguments.id)
    out = arguments.out or folder_of(wanted, arguments.data)
    done = fetch_weights(
        wanted,
        out,
        lock=arguments.checksums or arguments.data / "checksums.lock.yaml",
        mirror=arguments.mirror,
    )
    if arguments.receipt:
        write_note(arguments.receipt, wanted.id, done.kind, done.archives, "weights")
    size = sum(file.size for file in done.archives)
    names = ", ".join(str(out / file.name) for file in done.archives)
    print(f"{wanted.id}: {names} ({size / 1e6:.1f} MB), {done.fetched} fetched now ({done.kind})")


def _simulate(arguments: argparse.Namespace) -> None:
    from adaclip.clip.settings import BackboneSettings
    from adaclip.data.weights import release
    from adaclip.system.settings import as_dict, read_mapping, read_settings

    wanted = release(arguments.id)
    backbone = None
    if arguments.backbone:
        backbone = as_dict(read_settings(BackboneSettings, "backbone", arguments.backbone))
    model = read_mapping(arguments.model, "model settings") if arguments.model else None
    start_model(arguments)
    from adaclip.runs.simulate_release import simulate_release

    for path in simulate_release(wanted, arguments.out, backbone, model, seed=arguments.seed):
        print(path)


def _docs(arguments: argparse.Namespace) -> None:
    from adaclip.data.weights import load_weights
    from adaclip.data.weights_page import write_weights_page

    if write_weights_page(load_weights().values(), arguments.out):
        print(f"changed {arguments.out}")
