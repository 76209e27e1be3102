"""Checksums that nobody publishes: recorded at the first download, enforced from then on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from adaclip.data.fetched import Archive
from adaclip.errors import AdaclipError
from adaclip.system.files import write_text
from adaclip.system.locking import alone

_HEADER = """\
# SHA-256 of files whose publishers state none, as they were when someone first fetched them for this repository.
# `adaclip data fetch` and `adaclip weights fetch` write it and hold every later download to it: keep it under version
# control.
"""
#: The checksums of a mirror, in the format of the program sha256sum.
SUMS = "SHA256SUMS"


def recorded(lock: Path, key: str) -> dict[str, str]:
    """Recorded checksums of the files of a data set (its id) or of released weights (`weights/<id>`), by name.

    Raises:
        AdaclipError: the lock file is damaged.
    """
    return {name: str(facts["sha256"]) for name, facts in _read(lock).get(key, {}).items()}


def record(lock: Path, key: str, archive: Archive) -> None:
    """Record the checksum of a file that was fetched for the first time.

    Raises:
        AdaclipError: the lock file is damaged or cannot be written, or another job has recorded a different checksum
            in the meantime.
    """
    # Several sets are fetched at once, each by a process of its own.
    with alone(lock.with_name(f".{lock.name}.lock")):
        table = _read(lock)
        entry = table.setdefault(key, {})
        facts = {"sha256": archive.sha256, "bytes": archive.size, "url": archive.url}
        known = entry.setdefault(archive.name, facts)
        if known["sha256"] != archive.sha256:
            raise AdaclipError(
                f"{archive.name} has the SHA-256 {archive.sha256}, but {lock} has recorded {known['sha256']} in the "
                "meantime"
            )
        text = yaml.safe_dump(dict(sorted(table.items())), sort_keys=False, allow_unicode=True, width=1000)
        write_text(lock, _HEADER + text)


def sums_of(mirror: Path) -> dict[str, str]:
    """The checksums that a mirror folder states for its own files, by name; empty when it states none.

    Raises:
        AdaclipError: a line that is no checksum.
    """
    path = mirror / SUMS
    if not path.is_file():
        return {}
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        parts = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
        if parts is None:
            raise AdaclipError(f"{path} line {number}: not a line of sha256sum: {line[:80]!r}")
        found[parts[2]] = parts[1]
    return found


def _read(lock: Path) -> dict[str, Any]:
    try:
        table = yaml.safe_load(lock.read_text(encoding="utf-8")) or {}
        sound = all(
            re.fullmatch("[0-9a-f]{64}", facts["sha256"]) for files in table.values() for facts in files.values()
        )
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError):
        sound = False
    if not sound or not isinstance(table, dict):
        raise AdaclipError(f"{lock} is damaged: restore it from version control, or remove it to record anew")
    return table
