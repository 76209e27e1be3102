"""Archives to folders: nothing leaves the target, nothing but files and folders comes out, and not without end."""

from __future__ import annotations

import contextlib
import lzma
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from adaclip.errors import AdaclipError
from adaclip.system.files import work_folder
from adaclip.system.progress import progress
from adaclip.system.sniff import kind_of_file, unread_archive

_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, struct.error, UnicodeDecodeError)
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to. The largest of the 14 sets has about 5 GB and 20 000 files.

    Attributes:
        size: bytes of all its files.
        count: files and folders.
    """

    size: int = 64 * 10**9
    count: int = 500_000


class _RefusedError(Exception):
    """What an archive holds that is not unpacked."""


def unpack(archive: Path, out: Path, limits: Limits | None = None) -> None:
    """Unpack tar (plain, .gz, .bz2, .xz), zip or 7z, whole or not at all. The kind is told by content, not by name.

    Args:
        archive: the file.
        out: the folder to make; it must not exist.
        limits: what it may unpack to.

    Raises:
        AdaclipError: it is no archive, is damaged, is larger than the limits or the disk, or holds a path that leaves
            the folder, a link or a device; nothing is left behind.
    """
    limits = limits or Limits()
    try:
        kind = kind_of_file(archive)
        reader = _READERS.get(kind or "")
        if reader is None:
            unread = unread_archive(archive)
            if unread is not None:
                raise AdaclipError(
                    f"{archive} is a {unread} archive, which is not read: unpack it, and give the folder"
                )
            what = "a web page" if kind == "html" else "no tar, zip or 7z archive"
            raise AdaclipError(f"{archive} is {what}: get it again")
    except OSError as error:
        raise AdaclipError(f"cannot read {archive}: {error.strerror or error}") from error
    with work_folder(out) as work:
        target = work / "content"
        try:
            target.mkdir()
            reader(archive, target, limits)
            target.rename(out)
        except _RefusedError as refusal:
            raise AdaclipError(f"{archive} is not unpacked: {refusal}") from refusal
        except _DAMAGE as error:
            raise AdaclipError(f"{archive} is damaged ({error}): get it again") from error
        except OSError as error:
            if error.errno is None:
                # The decompressors' own way of saying that the data are wrong.
                raise AdaclipError(f"{archive} is damaged ({error}): get it again") from error
            raise AdaclipError(f"cannot unpack {archive} into {out.parent}: {error.strerror}") from error


class _Ledger:
    """What has been unpacked so far, held against the limits before each further file is written."""

    def __init__(self, target: Path, limits: Limits):
        self.target = target
        self.limits = limits
        self.free = shutil.disk_usage(target).free
        self.size = 0
        self.count = 0

    def place(self, name: str, size: int) -> Path:
        """Where a member goes."""
        self.count += 1
        self.size += size
        if self.count > self.limits.count:
            raise _RefusedError(f"it holds more than {self.limits.count} files (raise the limit if that is right)")
        if self.size > self.limits.size:
            raise _RefusedError(
                f"its files have more than {self.limits.size / 1e9:.3g} GB in all (raise the limit if that is right)"
            )
        if self.size > self.free:
            raise _RefusedError(f"its files have more than the {self.free / 1e9:.3g} GB that are free on the disk")
        path = path_of(name)
        if path is None:
            raise _RefusedError(f"its member {name!r} lies outside the folder that it is unpacked to")
        return self.target / path


def path_of(name: str) -> PurePosixPath | None:
    r"""The path of a member; None for one that leaves the folder on this system or another.

    Archives that were written on Windows may have backslashes between folders, against the format. They separate here
    as they do there, so that the same is refused: `..\x`, `\x`, `C:\x`, a server's name.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    leaves = path.is_absolute() or ".." in path.parts or "\0" in name or PureWindowsPath(name).drive
    return None if leaves else path


def _check_name(name: str) -> None:
    """Refuse a name that is not in UTF-8: read in a wrong encoding, its words would be asked of the model."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raw = name.encode("utf-8", "surrogateescape")
        raise _RefusedError(f"the name of its member {raw!r} is not in UTF-8: {_PACK_AGAIN}") from None


_PACK_AGAIN = "unpack it by hand, rename what is named so, and give the folder"


def _name_in_zip(member: zipfile.ZipInfo) -> str:
    """The name of a member: UTF-8 by its flag, by a field of its own or by its bytes, or refused.

    Python takes all others for code page 437, which few are written in: what comes out may be no word at all.
    """
    if member.flag_bits & _UTF8_NAME or member.filename.isascii():
        return member.filename
    raw = member.orig_filename.encode("cp437")
    extra = member.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == _UNICODE_PATH and size > 5 and struct.unpack_from("<L", extra, 5)[0] == zlib.crc32(raw):
            raw = extra[9 : 4 + size]
        extra = extra[4 + size :]
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise _RefusedError(
            f"the name of its member {raw!r} is not in UTF-8, and nothing says in which encoding it is: {_PACK_AGAIN}"
        ) from None


#: The bit of a member's flags that says that its name is in UTF-8, and Info-ZIP's field with such a name.
_UTF8_NAME = 0x800
_UNICODE_PATH = 0x7075


def _unpack_tar(archive: Path, target: Path, limits: Limits, mode: Literal["r:", "r:gz", "r:bz2", "r:xz"]) -> None:
    ledger = _Ledger(target, limits)
    with tarfile.open(archive, mode, encoding="utf-8", errors="surrogateescape") as tar, _bar(archive) as show:
        for member in tar:
            _check_name(member.name)
            path = ledger.place(member.name, member.size)
            if member.isdir():
                path.mkdir(parents=True, exist_ok=True)
            elif member.isfile():
                stream = tar.extractfile(member)
                assert stream is not None
                _write(path, iter(lambda stream=stream: stream.read(_CHUNK), b""), member.size)  # type: ignore[misc]
            elif member.issym() or member.islnk():
                raise _RefusedError(f"its member {member.name!r} is a link to {member.linkname!r}")
            else:
                raise _RefusedError(f"its member {member.name!r} is a device or another special file")
            show(member.size)


def _unpack_zip(archive: Path, target: Path, limits: Limits) -> None:
    ledger = _Ledger(target, limits)
    with zipfile.ZipFile(archive) as compressed, _bar(archive) as show:
        members = compressed.infolist()
        places = [ledger.place(_name_in_zip(member), member.file_size) for member in members]
        for member, path in zip(members, places, strict=True):
            mode = member.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _RefusedError(f"its member {member.filename!r} is a link or a special file")
            if member.flag_bits & 0x1:
                raise _RefusedError(f"its member {member.filename!r} is encrypted")
            if member.filename.endswith(("/", "\\")):
                path.mkdir(parents=True, exist_ok=True)
                continue
            try:
                stream = compressed.open(member)
            except NotImplementedError as error:
                raise _RefusedError(
                    f"its member {member.filename!r} is compressed in a way that is not known"
                ) from error
            with stream:
                _write(path, iter(lambda stream=stream: stream.read(_CHUNK), b""), member.file_size)  # type: ignore[misc]
            show(member.file_size)


def _unpack_7z(archive: Path, target: Path, limits: Limits) -> None:
    import py7zr
    from py7zr.exceptions import ArchiveError, CrcError, PasswordRequired

    ledger = _Ledger(target, limits)
    try:
        with py7zr.SevenZipFile(archive) as packed:
            for member in packed.list():
                ledger.place(member.filename, member.uncompressed or 0)
                # Here the library writes, which takes a backslash for a letter.
                if "\\" in member.filename:
                    raise _RefusedError(f"its member {member.filename!r} has a backslash in its name: {_PACK_AGAIN}")
                if not (member.is_file or member.is_directory):
                    raise _RefusedError(f"its member {member.filename!r} is a link or a special file")
            packed.extractall(target)
    except PasswordRequired as error:
        raise _RefusedError("it is encrypted") from error
    except CrcError as error:
        raise AdaclipError(f"{archive} is damaged (a checksum in it does not fit): get it again") from error
    except (ArchiveError, ValueError) as error:
        raise AdaclipError(f"{archive} is damaged ({error}): get it again") from error


_READERS: dict[str, Callable[[Path, Path, Limits], None]] = {
    "tar": partial(_unpack_tar, mode="r:"),
    "tar.gz": partial(_unpack_tar, mode="r:gz"),
    "tar.bz2": partial(_unpack_tar, mode="r:bz2"),
    "tar.xz": partial(_unpack_tar, mode="r:xz"),
    "zip": _unpack_zip,
    "7z": _unpack_7z,
}


def _write(path: Path, chunks: Iterable[bytes], size: int) -> None:
    """Write a member, which may not be longer than it says; one that is there already must be the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        with path.open("rb") as known:
            same = all(known.read(len(chunk)) == chunk for chunk in chunks) and not known.read(1)
        if not same:
            raise _RefusedError(f"it holds two files called {path.name!r} in one folder, and they differ")
        return
    left = size
    with path.open("wb") as stream:
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                raise _RefusedError(f"its member {path.name!r} is larger than it says")
            stream.write(chunk)
    if left:
        raise EOFError(f"{path.name} ends early")


@contextlib.contextmanager
def _bar(archive: Path) -> Iterator[Callable[[int], object]]:
    with progress(None, f"unpacking {archive.name}", unit="B") as bar:
        yield bar.update
