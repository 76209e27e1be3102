"""Verbs of methods: the table of those that are here, and whether one keeps the contract."""

from __future__ import annotations

import argparse
from typing import Any

from adaclip.cli.common import verb
from adaclip.cli.start import start_model

HEADS = ("id", "title", "kind", "trained with", "as its authors ran it", "reference preset", "smoothing", "package")


def add_methods(verbs: Any) -> None:
    """Add these verbs."""
    methods = verb(
        verbs,
        "methods",
        _list,
        "list the methods that can be benchmarked, or check one",
        "Those of other packages are among them; docs/methods.md says how to write one.",
    )
    parts = methods.add_subparsers(title="verbs", metavar="<verb>")
    check = verb(
        parts,
        "check",
        _check,
        "try a method on a small random backbone and compare it with the contract",
        "Ends with 1 and one line at the first thing that is not as docs/methods.md says.",
    )
    check.add_argument("method", metavar="METHOD", help="id of the method, or module:Name")
    check.add_argument(
        "--backbone", default="tiny", metavar="NAME", help="model to try it on, with random weights (default: tiny)"
    )
    check.add_argument(
        "--image-size", type=int, default=56, metavar="PIXELS", help="side of the images (default: %(default)s)"
    )
    check.add_argument(
        "--model",
        metavar="SETTINGS",
        help="settings of the method itself, where its own do not fit so small a backbone: a YAML or JSON file, or "
        "inline JSON",
    )


def _list(arguments: argparse.Namespace) -> None:
    from adaclip.errors import UsageError, warn
    from adaclip.methods.registry import find_card, known_methods

    rows = [HEADS]
    faults = []
    for id, place in known_methods().items():
        try:
            card = find_card(id)
        except UsageError as error:
            # One broken package hides no other method.
            faults.append(str(error))
            continue
        backbone, numerics, training = card.backbone, card.reference, card.training
        runs = card.uses_backbone
        rows.append(
            (
                id,
                card.title,
                card.kind,
                f"{training().epochs} x {training().batch_size} images" if training is not None else "-",
                f"{backbone.model}, {backbone.pretrained}, {backbone.image_size} px" if runs else "-",
                f"{numerics.activation}, {numerics.positions}" if runs else "-",
                f"{card.smoothing:g}" if runs else "-",
                place.partition(".")[0].partition(":")[0],
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for fault in faults:
        warn(fault)


def _check(arguments: argparse.Namespace) -> None:
    from adaclip.system.settings import read_mapping

    settings = read_mapping(arguments.model, "model settings") if arguments.model else {}
    start_model(arguments)
    from adaclip.runs.check_method import check_method

    done = check_method(arguments.method, arguments.backbone, arguments.image_size, **settings)
    print(f"{arguments.method} keeps the contract: {', '.join(done)}")
