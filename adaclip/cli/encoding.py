"""Names of files are read as UTF-8 whatever the locale says, and any of them can be printed."""

from __future__ import annotations

import io
import os
import sys


def use_utf8() -> None:
    """Start this process again in Python's UTF-8 mode where its locale has another encoding; see to its streams.

    Names of files would come in that encoding: their words, which end in prompts and manifests, would be others than
    on the next machine.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that is not in UTF-8 is printed with backslashes; one must not end a job by being printed.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
