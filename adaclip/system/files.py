"""Files that are either whole or absent, and digests of their content, checked when they are read again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adaclip.errors import AdaclipError
from adaclip.system import records
from adaclip.system.processes import is_alive


@contextlib.contextmanager
def write_whole(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path`; rename it onto `path` when the block ends well, remove it when it does not.

    The temporary name keeps the suffix of `path`, for writers that choose a format by it. What a killed process left
    of the same file is removed first. In a results folder the content's SHA-256 is recorded (`adaclip.system.records`).

    Raises:
        AdaclipError: the folder cannot be written, or the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_part_prefix(path), suffix=path.suffix)
        os.close(handle)
        # mkstemp makes 0600; give the permissions that an ordinary open() would have given.
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
    except OSError as error:
        raise AdaclipError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        yield Path(name)
        # Without a record in between: a process that is killed here must not leave one of another content.
        records.forget(path)
        digest = sha256_of(name) if records.root_of(path) else ""
        os.replace(name, path)
        records.remember(path, digest)
    except OSError as error:
        raise AdaclipError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def check_writable(*paths: str | Path) -> None:
    """Raise before long work what would otherwise be found out after it: that its result cannot be written.

    Args:
        paths: files that will be written; nothing is made.

    Raises:
        AdaclipError: naming the first of them that cannot be.
    """
    for path in map(Path, paths):
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        if path.is_dir():
            raise AdaclipError(f"cannot write {path}: it is a folder")
        if not folder.is_dir():
            raise AdaclipError(f"cannot write {path}: {folder} is not a folder")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise AdaclipError(f"cannot write {path}: the folder {folder} is not writable")


@contextlib.contextmanager
def work_folder(out: str | Path) -> Iterator[Path]:
    """Yield a new folder beside the folder `out`, to be filled and renamed; what is left of it is removed at the end.

    Raises:
        AdaclipError: it cannot be made.
    """
    out = Path(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(out)
        work = Path(tempfile.mkdtemp(dir=out.parent, prefix=_part_prefix(out), suffix=out.suffix))
    except OSError as error:
        raise AdaclipError(f"cannot write {out}: {error.strerror or error}") from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def remove_leftovers(path: str | Path) -> None:
    """Remove what killed processes of this machine left of `write_whole` and `work_folder` on `path`."""
    path = Path(path)
    start = _part_prefix(path, pid="")
    for entry in path.parent.iterdir():
        pid = entry.name.removeprefix(start).partition("-")[0]
        ours = entry.name.startswith(start) and entry.name.endswith(path.suffix) and pid.isdigit()
        if ours and not is_alive(int(pid)):
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def _part_prefix(path: Path, pid: str | None = None) -> str:
    """How temporary neighbours of a file or folder begin: hidden, and naming the process that writes them."""
    return f".{path.stem}.{platform.node()}." + (f"{os.getpid()}-" if pid is None else pid)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all; file names in it that are none come with backslashes."""
    with write_whole(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as JSON in full precision (NaN is refused: use None)."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_checked(path: str | Path) -> bytes:
    """The bytes of a file, checked against what was recorded when it was written, if anything was.

    Raises:
        AdaclipError: missing, unreadable, or not what was written.
    """
    try:
        return records.check_content(path, Path(path).read_bytes())
    except FileNotFoundError:
        raise AdaclipError(f"no such file: {path}") from None
    except OSError as error:
        raise AdaclipError(f"cannot read {path}: {error.strerror or error}") from error


def remove(path: str | Path) -> None:
    """Remove a file of ours, and what was recorded of it; nothing when it is not there."""
    records.forget(path)
    Path(path).unlink(missing_ok=True)


def read_json(path: str | Path) -> Any:
    """Read a JSON file, checked as by `read_checked`.

    Raises:
        AdaclipError: missing, unreadable, not JSON, or not what was written.
    """
    content = read_checked(path)
    try:
        return json.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise AdaclipError(f"cannot read {path} as JSON: {error}") from error


def sha256_of(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
