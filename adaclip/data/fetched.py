"""What lies in the place of a set's original: the user's own files, or what was fetched."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from adaclip.data.registry import Dataset
from adaclip.system.digests import folder_digest
from adaclip.system.files import remove, write_json

#: Beside the archives that were fetched: which they are, and what they were.
NOTE = ".fetched.json"
#: Lies in every simulated original, and beside its archives: their names are those of the real ones.
DRAWN_NOTE = "SIMULATED.txt"
#: The source of what was fetched from such a folder.
DRAWN = "drawn"
#: What `state` says of an original that was fetched.
FETCHED = "fetched"
_PARTS = (".part", ".part.json")


@dataclass(frozen=True)
class Archive:
    """A fetched file.

    Attributes:
        name: in the folder of the original.
        sha256: hexadecimal checksum.
        size: in bytes.
        url: where it came from.
    """

    name: str
    sha256: str
    size: int
    url: str


def read_note(folder: Path) -> list[Archive]:
    """The archives that were fetched into a folder; empty when none were."""
    return _read(folder / NOTE)


def is_drawn(folder: Path) -> bool:
    """Whether the archives that were fetched into a folder are simulated ones."""
    try:
        return bool(json.loads((folder / NOTE).read_text(encoding="utf-8"))["source"] == DRAWN)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def holds_drawings(*places: Path) -> bool:
    """Whether what lies in one of these folders was drawn: fetched from a drawn mirror, or with the note of a drawing.

    The note travels in every drawn archive, so that a drawing is known wherever it was copied to.
    """
    return any(is_drawn(place) or next(place.rglob(DRAWN_NOTE), None) is not None for place in places if place.is_dir())


def drop_void_receipt(receipt: Path, folder: Path) -> None:
    """Remove the receipt of a fetch when an archive that it lists is no longer in `folder`.

    Snakemake makes a file that is missing only when something that needs it has to be made: a set that is prepared
    stays so, and one that has to be prepared again is fetched again. So it is with weights that were evaluated.
    """
    archives = _read(receipt)
    if receipt.is_file() and not (archives and all((folder / archive.name).is_file() for archive in archives)):
        with contextlib.suppress(OSError):
            remove(receipt)


def _read(path: Path) -> list[Archive]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["files"]
        return [Archive(**entry) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def write_note(path: Path, id: str, kind: str, archives: list[Archive], what: str = "set") -> None:
    """Say what was fetched; equal archives give equal bytes.

    Args:
        path: the file to write.
        id: of the data set, or of the released weights.
        kind: of the source.
        archives: what is there now.
        what: `set`, or `weights`.

    Raises:
        AdaclipError: it cannot be written.
    """
    write_json(path, {what: id, "source": kind, "files": [vars(archive) for archive in archives]})


def own_files(dataset: Dataset, folder: Path) -> list[Path]:
    """What the user put into the folder of an original, but for archives that have the names of the set's sources.

    Hidden files and unfinished downloads do not count.
    """
    if not folder.is_dir():
        return [folder] if folder.exists() else []
    sources = {file.name for source in dataset.sources for file in source.files}
    return sorted(
        entry
        for entry in folder.iterdir()
        if not entry.name.startswith(".") and not entry.name.endswith(_PARTS) and entry.name not in sources
    )


def source_files(dataset: Dataset, folder: Path) -> list[Path]:
    """What is in the folder of an original that has the name of a source's archive, whole or in part."""
    sources = dict.fromkeys(file.name for source in dataset.sources for file in source.files)
    return [path for name in sources for path in (folder / name, folder / f"{name}.part") if path.is_file()]


def digest_of(dataset: Dataset, raw: Path) -> str | None:
    """What tells an original from a later one.

    Returns:
        A digest of names, sizes and times of the user's own original; `FETCHED` for one that is fetched, whose note
        says the rest; None when there is neither.
    """
    if dataset.raw is not None or own_files(dataset, raw):
        return folder_digest(raw)
    return FETCHED if raw.exists() else None


def state(dataset: Dataset, raw: Path, manifest: Path) -> str:
    """What a prepared set depends on outside the workflow, as one word.

    Returns:
        What `digest_of` says; where the original is no longer here, what was recorded when the set was prepared; for a
        set that is neither here nor prepared `FETCHED` when it can be fetched, else "missing".
    """
    found = digest_of(dataset, raw)
    if found is None or (found == FETCHED and not read_note(raw)):
        try:
            recorded = json.loads(manifest.with_name("prepared.json").read_text(encoding="utf-8"))["raw_digest"]
            found = str(recorded)
        except (OSError, ValueError, KeyError, TypeError):
            found = FETCHED if dataset.sources and dataset.raw is None else "missing"
    return found


def fetched_archives(folder: Path) -> list[Path]:
    """The archives that were fetched into a folder, when all are still there and nothing unpacked was put there."""
    archives = [folder / archive.name for archive in read_note(folder)]
    unpacked = any(entry.is_dir() for entry in folder.iterdir() if not entry.name.startswith("."))
    return archives if archives and not unpacked and all(path.is_file() for path in archives) else []
