"""Errors and warnings that reach the user as one line."""

from __future__ import annotations

import re
import sys

#: What would break a line, or the terminal that shows it.
_BREAK = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class AdaclipError(Exception):
    """Something failed that the user can mend: the text says what, where, and what to do. Exit code 1.

    Example:
        >>> str(AdaclipError("no such folder: photos"))
        'no such folder: photos'
    """

    exit_code = 1

    def __str__(self) -> str:
        """The text in one line, whatever names and values are quoted in it."""
        return _BREAK.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), super().__str__())


class UsageError(AdaclipError):
    """A wrong argument, config key or value. Exit code 2.

    Example:
        >>> isinstance(UsageError("unknown key"), AdaclipError)
        True
    """

    exit_code = 2


def warn(text: str) -> None:
    """Print one line on standard error that a person should look at, and go on."""
    print(f"adaclip: warning: {text}", file=sys.stderr, flush=True)
