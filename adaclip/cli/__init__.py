"""The command line: `adaclip <verb>`. Each verb imports what it needs only when it runs."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence

from adaclip.cli.audit import add_audit_verbs
from adaclip.cli.data import add_data
from adaclip.cli.encoding import use_utf8
from adaclip.cli.extras import missing_extra
from adaclip.cli.methods import add_methods
from adaclip.cli.model import add_model_verbs
from adaclip.cli.plan import add_plan_verbs
from adaclip.cli.report import add_report_verbs
from adaclip.cli.signals import Terminated, ending_at_once, ignore_signals, take_signals
from adaclip.cli.verify import add_verify
from adaclip.cli.weights import add_weights
from adaclip.errors import AdaclipError
from adaclip.system.processes import end_with_workflow


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; as a program (without `argv`), start and end fast.

    Loading PyTorch makes a million objects. A collector that walks them again and again, and their release one by one
    at the end, would take as long as the loading itself.

    argparse prints its own usage errors and exits with 2.

    Args:
        argv: arguments without the program's name; default the process's.

    Returns:
        0, 1 for a failure that the user can mend, 2 for wrong arguments or settings, 130 when interrupted, 143
        when terminated. The error is one line on standard error.
    """
    if argv is not None:
        return _run(build_parser().parse_args(argv))
    use_utf8()
    with ending_at_once():
        gc.set_threshold(200_000)
        arguments = build_parser().parse_args(namespace=argparse.Namespace(own_process=True))
        end_with_workflow()
    take_signals()
    code = _run(arguments)
    if "torch" in sys.modules:
        sys.stderr.flush()
        os._exit(code)
    return code


def _run(arguments: argparse.Namespace) -> int:
    try:
        try:
            arguments.run(arguments)
        except ModuleNotFoundError as error:
            missing = missing_extra(arguments.verb, error)
            if missing is None:
                raise
            raise missing from error
        sys.stdout.flush()
    except AdaclipError as error:
        # A file's name may hold the end of a line.
        text = str(error).replace("\r", "\\r").replace("\n", "\\n")
        print(f"adaclip: error: {text}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; Python would complain once more while closing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, Terminated) as signalled:
        interrupted = isinstance(signalled, KeyboardInterrupt)
        if "own_process" in arguments:
            ignore_signals()
        print(f"adaclip: {'interrupted' if interrupted else 'terminated'}", file=sys.stderr)
        return 130 if interrupted else 143
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    from adaclip import __version__

    parser = argparse.ArgumentParser(
        prog="adaclip",
        description="A referee for zero-shot anomaly detection: prepare data sets, train, evaluate, report. "
        "Each verb is one step of the workflow; `snakemake --cores all` runs them all.",
        epilog="`adaclip <verb> --help` explains a verb. Settings flags take a YAML or JSON file, or inline JSON.",
    )
    parser.add_argument("--version", action="version", version=f"adaclip-bench {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="<verb>", required=True)
    add_data(verbs)
    add_weights(verbs)
    add_audit_verbs(verbs)
    add_methods(verbs)
    add_model_verbs(verbs)
    add_report_verbs(verbs)
    add_plan_verbs(verbs)
    add_verify(verbs)
    return parser
