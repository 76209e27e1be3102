"""Where files are fetched from: what a source of a data set and one of released weights have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adaclip.errors import UsageError


@dataclass(frozen=True)
class File:
    """One file of a source.

    Attributes:
        name: on this machine, such as `btad.zip`.
        url: where it is; for Google Drive and Kaggle the page that a person opens.
        id: Google Drive's id, or `owner/name` at Kaggle; "" for an ordinary address.
        sha256: hexadecimal checksum, or None when it is not known beforehand.
        size: in bytes, or None.
    """

    name: str
    url: str
    id: str = ""
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class Source:
    """One place that has all files of a data set, or of released weights.

    Attributes:
        kind: http, gdrive or kaggle.
        files: what it has; all are needed.
        repackaged: whether it is another arrangement of the files than the original's.
    """

    kind: str
    files: tuple[File, ...]
    repackaged: bool = False


def read_file(kind: str, entry: Mapping[str, Any], owner: str) -> File:
    """A file of a source of some kind, from its entry in a table.

    Args:
        kind: of the source.
        entry: name, `url` or `id`, and `sha256` and `bytes` where they are known.
        owner: whose file it is, for errors.

    Raises:
        UsageError: an id where an address belongs, or the other way round.
    """
    wanted, other = ("url", "id") if kind == "http" else ("id", "url")
    if wanted not in entry or other in entry:
        raise UsageError(f"{owner}: file '{entry['name']}' of a source of kind {kind} needs '{wanted}', not '{other}'")
    address = entry[wanted]
    page = {
        "http": address,
        "gdrive": f"https://drive.google.com/file/d/{address}/view",
        "kaggle": f"https://www.kaggle.com/datasets/{address}",
    }[kind]
    return File(entry["name"], page, "" if kind == "http" else address, entry.get("sha256"), entry.get("bytes"))
