"""Errors and warnings that reach the user as one line."""

from __future__ import annotations

import sys


class AdaclipError(Exception):
    """Something failed that the user can mend: the text says what, where, and what to do. Exit code 1."""

    exit_code = 1


class UsageError(AdaclipError):
    """A wrong argument, config key or value. Exit code 2."""

    exit_code = 2


def warn(text: str) -> None:
    """Print one line on standard error that a person should look at, and go on."""
    print(f"adaclip: warning: {text}", file=sys.stderr, flush=True)
