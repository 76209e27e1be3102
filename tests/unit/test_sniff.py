"""What a file is, by its first bytes."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from adaclip.system.sniff import ends_well, kind_of, kind_of_file, page_title


def tar(format: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as archive:
        archive.addfile(tarfile.TarInfo("a.png"))
    return stream.getvalue()


def old_tar() -> bytes:
    """A header from before "ustar"."""
    head = bytearray(tar(tarfile.USTAR_FORMAT)[:512])
    head[257:512] = bytes(255)
    head[148:156] = b" " * 8
    head[148:156] = f"{sum(head):06o}\0 ".encode()
    return bytes(head)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PK\x03\x04rest", "zip"),
        (b"PK\x05\x06", "zip"),
        (b"\x1f\x8b\x08", "tar.gz"),
        (b"BZh9", "tar.bz2"),
        (b"\xfd7zXZ\x00", "tar.xz"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (tar(tarfile.USTAR_FORMAT), "tar"),
        (tar(tarfile.GNU_FORMAT), "tar"),
        (old_tar(), "tar"),
        (b"<!DOCTYPE HTML>", "html"),
        (b"\xef\xbb\xbf\n <html lang=en>", "html"),
        (b"<!-- hello -->\n<head>", "html"),
        (b'<?xml version="1.0"?><Error>', None),
        (b"<headless", None),
        (b"{}", None),
        (b"", None),
        (bytes(512), None),
    ],
)
def test_kinds(head: bytes, kind: str | None, tmp_path: Path) -> None:
    assert kind_of(head) == kind
    (tmp_path / "file").write_bytes(head)
    assert kind_of_file(tmp_path / "file") == kind


def test_titles() -> None:
    assert page_title(b"<html><TITLE lang='en'>Too\n many &amp; more</TITLE>") == "Too many & more"
    assert page_title(b"<html>") == ""


@pytest.mark.parametrize(
    ("content", "kind", "whole"),
    [(b"PK\x03\x04", "zip", False), (b"...YZ", "tar.xz", True), (b"...", "tar.xz", False), (b"...", "tar", True)],
)
def test_ends(content: bytes, kind: str, whole: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    assert ends_well(tmp_path / "file", kind) == whole
