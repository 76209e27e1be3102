"""Unpacking: every kind of archive, and everything that an archive must not do."""

from __future__ import annotations

import io
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import py7zr
import pytest

from adaclip.data.unpack import Limits, unpack
from adaclip.errors import AdaclipError

CONTENT = {"set/good/a b.png": b"first" * 300, "set/bad/2.png": b"second", "labels.csv": b""}


def tar_of(path: Path, mode: str, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return path


def seven_of(path: Path, members: dict[str, bytes]) -> Path:
    with py7zr.SevenZipFile(path, "w") as archive:
        # Names stand in the clear then, for the tests that change them.
        archive.set_encoded_header_mode(False)
        for name, content in members.items():
            archive.writef(io.BytesIO(content), name)
    return path


KINDS: dict[str, Callable[[Path, dict[str, bytes]], Path]] = {
    "tar": lambda path, members: tar_of(path, "w", members),
    "tar.gz": lambda path, members: tar_of(path, "w:gz", members),
    "tar.bz2": lambda path, members: tar_of(path, "w:bz2", members),
    "tar.xz": lambda path, members: tar_of(path, "w:xz", members),
    "zip": zip_of,
    "7z": seven_of,
}


def files_in(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refuse(archive: Path, out: Path, fault: str, limits: Limits | None = None) -> None:
    """Unpacking fails with one line that names the archive, and leaves nothing: not in `out`, nor around it."""
    before = set(out.parent.parent.rglob("*"))
    with pytest.raises(AdaclipError, match=fault) as caught:
        unpack(archive, out, limits)
    assert "\n" not in str(caught.value)
    assert archive.name in str(caught.value)
    assert set(out.parent.parent.rglob("*")) == before


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_by_its_content(kind: str, tmp_path: Path) -> None:
    # The name says nothing about the kind.
    archive = KINDS[kind](tmp_path / "download", CONTENT)
    unpack(archive, tmp_path / "out")
    assert files_in(tmp_path / "out") == CONTENT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["download", "out"]


@pytest.mark.parametrize("kind", ["tar", "tar.xz", "zip"])
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/evil", "C:\\evil", "..\\evil"])
def test_no_path_leaves_the_folder(kind: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    archive = KINDS[kind](tmp_path / "a.bin", {"good.png": b"1", name: b"2"})
    refuse(archive, tmp_path / "deep/out", "outside the folder")


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil"])
def test_no_path_of_a_7z_leaves_the_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    placeholder = "Q" * len(name)
    archive = seven_of(tmp_path / "a.7z", {"good.png": b"1" * 9, placeholder: b"2" * 9})
    _rename_in_7z(archive, placeholder, name)
    refuse(archive, tmp_path / "deep/out", "outside|damaged")


def _rename_in_7z(archive: Path, old: str, new: str) -> None:
    """Write another name into a 7z, which its writer refuses to write; the header's checksums are made to fit."""
    content = bytearray(archive.read_bytes())
    at = content.find(old.encode("utf-16-le"))
    assert at > 0
    content[at : at + 2 * len(old)] = new.encode("utf-16-le")
    offset, size = struct.unpack("<QQ", content[12:28])
    content[28:32] = struct.pack("<L", zlib.crc32(content[32 + offset : 32 + offset + size]))
    content[8:12] = struct.pack("<L", zlib.crc32(content[12:32]))
    archive.write_bytes(content)


@pytest.mark.parametrize(
    ("kind", "target"),
    [(tarfile.SYMTYPE, "/etc/passwd"), (tarfile.SYMTYPE, "../../out"), (tarfile.LNKTYPE, "../secret")],
)
def test_no_links_from_a_tar(kind: bytes, target: str, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = kind, target
        tar.addfile(entry)
        through = tarfile.TarInfo("link/evil")
        through.size = 1
        tar.addfile(through, io.BytesIO(b"x"))
    refuse(tmp_path / "a.tar", tmp_path / "deep/out", "is a link to")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_no_devices_from_a_tar(kind: bytes, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        entry = tarfile.TarInfo("null")
        entry.type, entry.devmajor, entry.devminor = kind, 1, 3
        tar.addfile(entry)
    refuse(tmp_path / "a.tar", tmp_path / "deep/out", "device or another special file")


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFCHR | 0o666, stat.S_IFIFO | 0o666])
def test_no_links_and_devices_from_a_zip(mode: int, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    entry = zipfile.ZipInfo("link")
    entry.create_system = 3
    entry.external_attr = mode << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    refuse(tmp_path / "a.zip", tmp_path / "deep/out", "link or a special file")


def test_no_links_from_a_7z(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/link").symlink_to("/etc/passwd")
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as archive:
        archive.write(tmp_path / "tree/link", "link")
    refuse(tmp_path / "a.7z", tmp_path / "deep/out", "link|outside|damaged")


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_of_bytes_stops_at_the_limit(kind: str, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    archive = KINDS[kind](tmp_path / "bomb", {f"{i}.bin": bytes(1_000_000) for i in range(3)})
    assert kind in ("tar",) or archive.stat().st_size < 10_000
    refuse(archive, tmp_path / "deep/out", "more than 0.0025 GB", Limits(size=2_500_000))
    unpack(archive, tmp_path / "deep/out", Limits(size=3_000_000))


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_of_files_stops_at_the_limit(kind: str, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    archive = KINDS[kind](tmp_path / "bomb", {f"{i}.bin": b"" for i in range(30)})
    refuse(archive, tmp_path / "deep/out", "more than 20 files", Limits(count=20))


def test_a_zip_that_lies_about_its_size(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    archive = zip_of(tmp_path / "a.zip", {"a.bin": bytes(1_000_000)})
    content = archive.read_bytes().replace(struct.pack("<L", 1_000_000), struct.pack("<L", 10))
    archive.write_bytes(content)
    refuse(archive, tmp_path / "deep/out", "damaged|larger than it says")


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_archive_is_damaged(kind: str, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    archive = KINDS[kind](tmp_path / "half", {"a.bin": os.urandom(50_000), "b.bin": os.urandom(50_000)})
    archive.write_bytes(archive.read_bytes()[:70_000])
    refuse(archive, tmp_path / "deep/out", "damaged")


def test_a_7z_whose_content_was_changed_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    archive = seven_of(tmp_path / "a.7z", {"a.bin": os.urandom(5_000)})
    content = bytearray(archive.read_bytes())
    content[2_000:2_100] = bytes(100)
    archive.write_bytes(content)
    refuse(archive, tmp_path / "deep/out", r"damaged \(a checksum in it does not fit\)")


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html>quota</html>", b"\x89PNG\r\n" + bytes(600)])
def test_what_is_no_archive_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.zip").write_bytes(content)
    refuse(tmp_path / "a.zip", tmp_path / "deep/out", "web page" if b"html" in content else "no tar, zip or 7z")


def test_an_encrypted_zip_is_named(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    archive = zip_of(tmp_path / "a.zip", {"a.bin": b"1"})
    content = bytearray(archive.read_bytes())
    # The flag "encrypted", in the local header and in the directory.
    content[6] |= 1
    content[content.find(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    refuse(archive, tmp_path / "deep/out", "encrypted")


def test_a_file_in_place_of_the_folder_is_one_line(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", CONTENT)
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(AdaclipError, match="cannot"):
        unpack(archive, tmp_path / "taken/out")
