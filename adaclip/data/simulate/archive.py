"""Archives that are equal byte for byte when their content is: sorted names, fixed times, no owner."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from adaclip.errors import AdaclipError
from adaclip.system.files import write_whole

#: The earliest time that a zip archive can hold.
TIME = (1980, 1, 1, 0, 0, 0)
#: The same in seconds since 1970.
SECONDS = 315_532_800
#: What compresses the whole archive, by suffix; zip compresses each file by itself.
COMPRESSORS: dict[str, Callable[[IO[bytes]], contextlib.AbstractContextManager[Any]]] = {
    ".zip": contextlib.nullcontext,
    ".tar": contextlib.nullcontext,
    # The header would hold a name and the time of writing.
    ".tar.gz": lambda raw: gzip.GzipFile("", "wb", fileobj=raw, mtime=0),
    ".tar.xz": lambda raw: lzma.LZMAFile(raw, "wb"),  # noqa: SIM115 (pack closes it)
}


def pack(archive: Path, root: Path, names: list[str]) -> Path:
    """Pack files into an archive whose kind its suffix names; it is there whole or not at all.

    Args:
        archive: file to write: its suffix is one of COMPRESSORS.
        root: folder below which the files lie.
        names: their paths below it, with `/`.

    Raises:
        AdaclipError: another suffix, or the archive cannot be written.
    """
    kind = next((suffix for suffix in COMPRESSORS if archive.name.endswith(suffix)), None)
    if kind is None:
        raise AdaclipError(f"cannot write {archive}: known are {', '.join(COMPRESSORS)}")
    with write_whole(archive) as part, part.open("wb") as raw, COMPRESSORS[kind](raw) as stream:
        (_zip if kind == ".zip" else _tar)(stream, root, sorted(names))
    return archive


def _zip(stream: IO[bytes], root: Path, names: list[str]) -> None:
    with zipfile.ZipFile(stream, "w") as out:
        for name in names:
            entry = zipfile.ZipInfo(name, TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = 0o100644 << 16
            out.writestr(entry, (root / name).read_bytes())


def _tar(stream: IO[bytes], root: Path, names: list[str]) -> None:
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as out:
        for name in names:
            entry = out.gettarinfo(root / name, name)
            entry.mtime, entry.mode = SECONDS, 0o644
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            with (root / name).open("rb") as content:
                out.addfile(entry, content)
