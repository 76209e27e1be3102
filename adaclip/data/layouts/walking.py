"""All folders below an original, without what systems hide there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from adaclip.data.decode import SUFFIXES, UNREAD
from adaclip.data.layouts.common import is_hidden
from adaclip.errors import AdaclipError
from adaclip.system.sniff import is_picture

#: Deeper than this nobody lays out images; a folder that holds itself through a link is stopped by it too.
DEEPEST = 24


@dataclass(frozen=True)
class Folder:
    """One folder.

    Attributes:
        path: where it is.
        parts: its names from the root on; () for the root.
        images: files with a suffix that is read, sorted.
        unread: files of pictures that nothing here reads, for their format or for their suffix, sorted.
        others: names of the other files, sorted.
    """

    path: Path
    parts: tuple[str, ...]
    images: tuple[Path, ...]
    unread: tuple[Path, ...]
    others: tuple[str, ...]


def folders_below(root: Path) -> list[Folder]:
    """The root and every folder below it, sorted; links to folders are followed, unless they lead back.

    Raises:
        AdaclipError: folders lie in one another without an end.
    """
    found: list[Folder] = []
    waiting: list[tuple[Path, tuple[str, ...], frozenset[str]]] = [(root, (), frozenset())]
    while waiting:
        path, parts, above = waiting.pop()
        if len(parts) > DEEPEST:
            raise AdaclipError(f"{path} lies more than {DEEPEST} folders below {root}: give the folder that is meant")
        real = os.path.realpath(path)
        if real in above:
            continue
        with os.scandir(path) as scanned:
            # What scandir knows of an entry needs no further question to the file system.
            seen = [entry for entry in scanned if not is_hidden(entry.name)]
            entries = sorted((entry.name, entry.is_dir()) for entry in seen)
            # A link that leads nowhere is named later, where it is asked for.
            odd = [
                entry.name for entry in seen if not (entry.is_file() or entry.is_dir()) and Path(entry.path).exists()
            ]
        if odd:
            # A pipe, say, which would be waited for without end.
            raise AdaclipError(f"{path / min(odd)} is no ordinary file (a pipe, a socket or a device): remove it")
        files = [name for name, is_folder in entries if not is_folder]
        suffix = {name: os.path.splitext(name)[1].lower() for name in files}  # noqa: PTH122
        known = SUFFIXES | UNREAD
        unread = {
            name for name in files if suffix[name] in UNREAD or (suffix[name] not in known and is_picture(path / name))
        }
        found.append(
            Folder(
                path,
                parts,
                tuple(path / name for name in files if suffix[name] in SUFFIXES),
                tuple(path / name for name in files if name in unread),
                tuple(name for name in files if suffix[name] not in SUFFIXES and name not in unread),
            )
        )
        waiting += [(path / name, (*parts, name), above | {real}) for name, is_folder in entries if is_folder]
    return sorted(found, key=lambda folder: folder.parts)
