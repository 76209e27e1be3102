"""What a user or a download put down as an original: a folder, an archive, or a folder of archives."""

from __future__ import annotations

import re
from pathlib import Path

from adaclip.data.fetched import fetched_archives
from adaclip.data.layouts import Original, UnknownLayoutError, read_recognised, recognise
from adaclip.data.layouts.common import images_in
from adaclip.data.layouts.unused import ARCHIVES
from adaclip.data.registry import Dataset
from adaclip.data.unpack import Limits, unpack
from adaclip.errors import AdaclipError

#: An archive may hold archives, and those again.
ROUNDS = 2


def open_original(raw: Path, dataset: Dataset, work: Path, limits: Limits | None = None) -> Original:
    """Unpack what is packed, and list the images.

    Args:
        raw: folder or archive. A folder that archives were fetched into, or whose layout is not recognised, may hold
            archives, which are unpacked side by side.
        dataset: the registry entry.
        work: an empty folder for what is unpacked, on the file system of the prepared set.
        limits: what one archive may unpack to.

    Raises:
        AdaclipError: no layout fits, an archive is damaged, or images and masks do not pair.
    """
    if raw.is_file() and not raw.name.lower().endswith(ARCHIVES) and raw.suffix.lower() in (".csv", ".json"):
        raise AdaclipError(
            f"{raw} is a list of images: give the folder that holds it (the list as manifest.csv or meta.json)"
        )
    folder = raw
    waiting = [raw] if raw.is_file() else fetched_archives(raw)
    for number in range(ROUNDS + 1):
        if waiting:
            folder = _unpack_all(waiting, work / f"unpacked{number}", limits)
        try:
            found = recognise(folder, dataset)
        except UnknownLayoutError:
            waiting = _archives(folder)
            if not waiting or number == ROUNDS:
                raise
        else:
            return read_recognised(folder, found, dataset)
    raise AssertionError("the last round raises or returns")


def as_given(text: str, raw: Path, work: Path) -> str:
    """A text in which what was unpacked into `work`, soon to be gone, goes by the name of what it was unpacked from."""
    # A function, since a path may hold backslashes.
    return re.sub(rf"{re.escape(str(work))}/unpacked\d+(-\d+)?", lambda _: str(raw), text)


def _archives(folder: Path) -> list[Path]:
    """Archive files in a folder or one level below."""
    return sorted(
        path
        for pattern in ("*", "*/*")
        for path in folder.glob(pattern)
        if path.name.lower().endswith(ARCHIVES) and not path.name.startswith(".") and path.is_file()
    )


def _unpack_all(archives: list[Path], folder: Path, limits: Limits | None) -> Path:
    """Unpack archives into one folder, as if each had been unpacked there by hand."""
    folder.mkdir(parents=True)
    for number, archive in enumerate(archives):
        alone = folder.with_name(f"{folder.name}-{number}")
        unpack(archive, alone, limits)
        # Images at the top of an archive would mix with those of the next one.
        name = archive.name.split(".")[0] if len(archives) > 1 and images_in(alone) else ""
        _merge(alone, folder / name, archive)
    return folder


def _merge(source: Path, target: Path, archive: Path) -> None:
    if not target.exists():
        source.rename(target)
        return
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if entry.is_dir() and place.is_dir():
            _merge(entry, place, archive)
        elif place.exists():
            raise AdaclipError(f"{archive} holds {entry.name}, and so does another archive beside it: keep one of them")
        else:
            entry.rename(place)
