"""What the verbs share: a parser with a one-line summary, and the runtime flags."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any


def verb(
    verbs: Any,
    name: str,
    run: Callable[[argparse.Namespace], None],
    summary: str,
    details: str = "",
    epilog: str | None = None,
) -> argparse.ArgumentParser:
    """Add a verb.

    Args:
        verbs: what `add_subparsers` gave.
        name: of the verb.
        run: called with the parsed arguments.
        summary: one line, small letter first, without a full stop.
        details: further sentences for the verb's own help.
        epilog: what stands at the end of it.
    """
    description = summary[0].upper() + summary[1:] + "." + (f" {details}" if details else "")
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=summary, description=description, epilog=epilog)
    parser.set_defaults(run=run, verb=parser.prog)
    return parser


def positive(text: str) -> int:
    """A whole number from 1, for `type` of an argument."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {text}")
    return number


def _automatic(number: Callable[[str], int]) -> Callable[[str], int | None]:
    """The same type of an argument, or `auto`, which is None."""

    def read(text: str) -> int | None:
        return None if text == "auto" else number(text)

    return read


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, not {text}")
    return number


def add_runtime(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where and with how many processes to compute; None in the result stands for auto."""
    group = parser.add_argument_group("runtime")
    group.add_argument(
        "--device", default="auto", choices=("auto", "cpu", "cuda"), help="where to compute (default: %(default)s)"
    )
    group.add_argument(
        "--threads",
        type=_automatic(positive),
        metavar="N",
        help="CPU threads (default: auto, the cores that this process may use)",
    )
    group.add_argument(
        "--workers",
        type=_automatic(_natural),
        metavar="N",
        help="processes that decode images (default: auto, some beside a GPU, none beside a CPU's threads)",
    )
