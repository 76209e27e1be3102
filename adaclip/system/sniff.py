"""What a file is, by its first bytes: names lie, and servers answer with web pages."""

from __future__ import annotations

import html
import os
import re
import tarfile
import zipfile
from pathlib import Path

#: So many bytes are enough for `kind_of`.
HEAD = 512
_MAGIC = {
    "zip": (b"PK\x03\x04", b"PK\x05\x06"),
    "tar.xz": (b"\xfd7zXZ\x00",),
    "tar.gz": (b"\x1f\x8b",),
    "tar.bz2": (b"BZh",),
    "7z": (b"7z\xbc\xaf\x27\x1c",),
}
#: Archives that nothing here reads, known in order to be called what they are.
_UNREAD = {"rar": b"Rar!\x1a\x07", "zstd": b"\x28\xb5\x2f\xfd", "lz4": b"\x04\x22\x4d\x18"}
_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|script|meta)\b", re.I | re.S
)


def kind_of(head: bytes) -> str | None:
    """The kind of a file that begins with `head`: zip, tar, tar.xz, tar.gz, tar.bz2, 7z, html, or None for another.

    Args:
        head: the first `HEAD` bytes, or the whole of a smaller file.
    """
    for kind, beginnings in _MAGIC.items():
        if head.startswith(beginnings):
            return kind
    if _PAGE.match(head):
        return "html"
    try:
        # It checks the header's own checksum, so that tars from before "ustar" are known too.
        tarfile.TarInfo.frombuf(head[:HEAD], "utf-8", "surrogateescape")
    except tarfile.TarError:
        return None
    return "tar"


#: How pictures begin that people store under any name.
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  \r\n")
#: Suffixes of what is no picture, which need not be opened to know it.
_NO_PICTURE = frozenset(
    [
        ".txt",
        ".md",
        ".json",
        ".jsonl",
        ".ndjson",
        ".xml",
        ".csv",
        ".tsv",
        ".yaml",
        ".yml",
        ".html",
        ".htm",
        ".pdf",
        ".zip",
        ".tar",
        ".gz",
        ".tgz",
        ".xz",
        ".bz2",
        ".7z",
        ".py",
        ".log",
        ".db",
        ".xlsx",
        ".xls",
        ".ods",
        ".parquet",
        ".pkl",
        ".npy",
        ".npz",
        ".mat",
        ".pt",
        ".pth",
        ".safetensors",
        ".ini",
        ".doc",
        ".docx",
    ]
)


def is_picture(path: Path) -> bool:
    """Whether a file whose suffix says nothing begins like a picture: a photo without a suffix, or with one of its own.

    One that cannot be read is none.
    """
    if path.suffix.lower() in _NO_PICTURE:
        return False
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            head = stream.read(32)
    except OSError:
        return False
    if head[4:8] == b"ftyp":
        return head[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"avif")
    return head.startswith(_PICTURES) or (head[:4], head[8:12]) == (b"RIFF", b"WEBP")


def unread_archive(path: Path) -> str | None:
    """The kind of an archive that `kind_of` does not know: rar, zstd, lz4, or None for another file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    return next((kind for kind, beginning in _UNREAD.items() if head.startswith(beginning)), None)


def kind_of_file(path: Path) -> str | None:
    """The same of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        return kind_of(stream.read(HEAD))


def ends_well(path: Path, kind: str | None) -> bool:
    """Whether the end of an archive is there, for the kinds that have a mark at their end (zip and tar.xz)."""
    if kind == "zip":
        return zipfile.is_zipfile(path)
    if kind == "tar.xz":
        with path.open("rb") as stream:
            stream.seek(-2, os.SEEK_END)
            return stream.read() == b"YZ"
    return True


def page_title(page: bytes) -> str:
    """The title of a web page in one line, or "" when it has none."""
    found = re.search(rb"<title[^>]*>(.*?)</title>", page, re.I | re.S)
    text = html.unescape(found[1].decode("utf-8", "replace")) if found else ""
    return " ".join(text.split())[:100]
