"""What every file of a folder of results or data was when it was written: one SHA-256 each, so that damage is found.

Such a folder that has a folder `sha256` gets a record for each file that `adaclip.system.files` renames into place: for
`runs/a/metrics.json` it is `sha256/runs/a/metrics.json.sha256`, with one line as `sha256sum` writes and checks it. One
file each, since many processes write at once, and since records have to travel, or be left out, with their files.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from adaclip.errors import AdaclipError

#: The folder of the records, and how their names end.
FOLDER, SUFFIX = "sha256", ".sha256"


def keep_records(root: str | Path) -> None:
    """Make a folder one whose files are recorded from now on.

    Raises:
        AdaclipError: it cannot be made.
    """
    try:
        (Path(root) / FOLDER).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AdaclipError(f"cannot write {root}: {error.strerror or error}") from error


def root_of(path: str | Path) -> Path | None:
    """The nearest folder above a file that keeps records; None when there is none, or the file is a record itself."""
    path = Path(os.path.abspath(path))  # noqa: PTH100  (`..` must go, links must stay)
    for parent in path.parents:
        if (parent / FOLDER).is_dir():
            folders = path.relative_to(parent).parts[:-1]
            # What is being made in a hidden folder has another place when it is whole.
            ours = not any(name.startswith(".") for name in folders) and folders[:1] != (FOLDER,)
            return parent if ours else None
    return None


def record_of(root: Path, path: str | Path) -> Path:
    """Where the record of a file below `root` stands."""
    relative = os.path.relpath(path, root)
    return root / FOLDER / f"{relative}{SUFFIX}"


def recorded(root: Path) -> Iterator[Path]:
    """Every file that has a record, whether it is there or not, in order."""
    top = root / FOLDER
    for record in sorted(top.rglob(f"*{SUFFIX}")):
        path = root / record.relative_to(top).with_name(record.name.removesuffix(SUFFIX))
        # A folder below may have begun to keep records of its own.
        if root_of(path) == Path(os.path.abspath(root)):  # noqa: PTH100
            yield path


def line_of(root: Path, path: str | Path, digest: str) -> str:
    """What the record of a file says: its digest and its place below `root`."""
    return f"{digest}  {Path(os.path.relpath(path, root)).as_posix()}\n"


def remember(path: str | Path, digest: str) -> None:
    """Record the SHA-256 of a file that has just been put into place; nothing where no records are kept.

    Raises:
        OSError: the record cannot be written.
    """
    root = root_of(path)
    if root is None:
        return
    record = record_of(root, path)
    record.parent.mkdir(parents=True, exist_ok=True)
    part = record.with_name(f"{record.name}.{os.getpid()}.part")
    part.write_text(line_of(root, path, digest), encoding="utf-8")
    part.replace(record)


def forget(path: str | Path) -> None:
    """Remove the record of a file: before another takes its place, so that a killed process leaves no wrong one."""
    root = root_of(path)
    if root is not None:
        with contextlib.suppress(OSError):
            record_of(root, path).unlink()


def fault_of(path: str | Path, digest: str) -> str:
    """What is wrong with a file whose content has this SHA-256: "" when it is as recorded, or nothing is recorded."""
    root = root_of(path)
    if root is None:
        return ""
    record = record_of(root, path)
    try:
        line = record.read_bytes()
    except OSError:
        return ""
    if line == line_of(root, path, digest).encode():
        return ""
    # Of two that differ, nobody can say which one is damaged.
    shown = record if Path(path).is_absolute() else os.path.relpath(record)
    return f"its content is not what was written, by the record {shown}"


def check_content(path: str | Path, content: bytes) -> bytes:
    """The bytes of a file, given back when they are what was recorded of it, or when nothing was.

    Raises:
        AdaclipError: they are not.
    """
    fault = fault_of(path, hashlib.sha256(content).hexdigest())
    if fault:
        root = root_of(path)
        where = os.path.relpath(root) if root is not None else "RESULTS"
        raise AdaclipError(
            f"{path} is damaged: {fault}: run adaclip verify {where} --remove, then snakemake, which makes it again"
        )
    return content
