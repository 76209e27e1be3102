"""What is looked at before Snakemake reads a configuration; profiles/*/config.yaml call it.

Snakemake reads the files of `--configfile` before any line of the workflow: with a missing file it ends in a traceback,
and of a wrong one it says neither name nor line. So the words of its command line are looked at first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from adaclip.errors import AdaclipError, UsageError
from adaclip.plan.config import read_configs


def check_command_line(words: Sequence[str]) -> None:
    """End the process with one line when what `--configfile` or `--config` name cannot be read.

    Args:
        words: of Snakemake's command line, without the program.

    Raises:
        SystemExit: with the error's exit code, after it was printed.
    """
    try:
        files, overrides = words_of(words)
        for number, path in enumerate(files):
            if number and not Path(path).exists() and Path(path).name == path:
                first = files[:number]
                raise UsageError(
                    f"no such file: {path} (--configfile takes every word after it for a file; targets come first: "
                    f"snakemake {' '.join(files[number:])} --configfile {' '.join(first)})"
                )
        read_configs(files, overrides)
    except AdaclipError as error:
        end(error)


def end(error: AdaclipError) -> None:
    """Print an error as the command line does, and end the process: Snakemake would put its own places before it."""
    print(f"adaclip: error: {error}", file=sys.stderr)
    raise SystemExit(error.exit_code)


def name_of(path: str | Path) -> str:
    """What to call a file in errors: from here where it lies below, else in full."""
    name = os.path.relpath(path)
    return str(path) if name.startswith("..") else name


def words_of(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files of `--configfile` and the `KEY=VALUE` of `--config` in Snakemake's command line."""
    return _values(words, "--configf"), _values(words, "--config", "-C")


def _values(words: Sequence[str], *names: str) -> list[str]:
    """The words that belong to an option, as argparse sees them."""
    return list(_walk(words, names))


def _walk(words: Sequence[str], names: tuple[str, ...]) -> Iterator[str]:
    taking = False
    for word in words:
        if word == "--":
            return
        if word.startswith("-"):
            option, sign, value = word.partition("=")
            # A long option may be cut short, and --configfile has a second spelling.
            taking = option in names or (names[0] == "--configf" and option.startswith(names[0]))
            if taking and sign:
                yield value
                taking = False
        elif taking:
            yield word
