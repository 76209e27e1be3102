"""Errors that reach the user as one line."""


class AdaclipError(Exception):
    """Something failed that the user can mend: the text says what, where, and what to do. Exit code 1."""

    exit_code = 1


class UsageError(AdaclipError):
    """A wrong argument, config key or value. Exit code 2."""

    exit_code = 2
