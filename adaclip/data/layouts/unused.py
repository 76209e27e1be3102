"""Images that lie in an original and are no part of what was read: named, and refused when they are many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from adaclip.data.decode import SUFFIXES
from adaclip.data.layouts.common import Reading
from adaclip.data.layouts.roles import role_of
from adaclip.data.layouts.walking import Folder
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError

#: More than this share of all image files unused is an error. A cover picture or a few samples stay below it; a folder
#: that was not understood does not.
SHARE = 0.1
#: Layouts whose list says which images the set has.
LISTINGS = frozenset({"csv", "meta"})
#: Names of files that hold arrays of numbers, images and masks among them.
ARRAYS = frozenset({".npy", ".npz", ".mat", ".h5", ".hdf5"})
#: Files beside images that a layout or a list reads, or that systems leave.
_KNOWN_FILES = frozenset({"labels.txt", "1cls.csv", "simulated.txt", "desktop.ini"})
#: What is unpacked where no layout is found.
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".7z")
#: So many folders are listed.
LISTED = 8


def unused_notes(
    folders: Sequence[Folder],
    reading: Reading,
    dataset: Dataset,
    root: Path,
    layout: str,
    unknown: Sequence[str] = (),
) -> list[str]:
    """Say by folder which images below the root are not part of the set.

    Args:
        folders: all that lies below the root.
        reading: what was read.
        dataset: the registry entry, whose `unused: allow` turns the error into the note.
        root: the folder that was given.
        layout: name of the layout, for the error.
        unknown: kinds of images that nobody can call normal or anomalous, for the error.

    Raises:
        AdaclipError: they are more than a tenth of all image files; or they are masks, and a listing has anomalous
            images, but none for them.
    """
    used = {path for item in reading.items for path in (item.image, item.mask) if path is not None}
    used |= set(reading.left_out)
    files = {folder.parts: (*folder.images, *folder.unread) for folder in folders}
    left = Counter({parts: sum(path not in used for path in paths) for parts, paths in files.items()})
    unused, total = left.total(), sum(map(len, files.values()))
    if not unused:
        return []
    text = f"{unused} of {total} image files are not part of the set: {_by_folder(+left)}"
    if dataset.unused == "allow":
        return [text]
    if layout in LISTINGS:
        _check_masks(left, reading, dataset, root)
    # What its owners list of a published set is the set, whatever they packed beside it.
    published = dataset.built_in and layout == "meta"
    if unused > SHARE * total and not published:
        names = ", ".join(unknown[:LISTED])
        hint = "name them in the list too" if layout in LISTINGS else "give the folder that is meant"
        hint = f"say what they are in its entry, such as anomalous: [{names}]" if unknown else hint
        raise AdaclipError(
            f"data set '{dataset.id}': {root}: read as layout {layout}, {text}: {hint}, move them away, or say "
            "unused: allow there"
        )
    return [text]


def _check_masks(left: Mapping[tuple[str, ...], int], reading: Reading, dataset: Dataset, root: Path) -> None:
    """Refuse a listing that leaves all masks out, though they lie there."""
    if any(item.mask is not None for item in reading.items) or not any(item.label for item in reading.items):
        return
    for parts, count in left.items():
        if count and any(role_of(name, dataset).content == "masks" for name in parts):
            raise AdaclipError(
                f"data set '{dataset.id}': the listing names no mask for its anomalous images, but {count} lie in "
                f"{root.joinpath(*parts)}: name them there, or say unused: allow in the entry of the set"
            )


def other_notes(folders: Iterable[Folder], listings: Iterable[str]) -> list[str]:
    """Say which files beside images are of no use, by folder and suffix.

    Args:
        folders: all that lies below the root.
        listings: suffixes of files that are told elsewhere.
    """
    left: Counter[str] = Counter()
    for folder in folders:
        stems = {path.stem for path in folder.images}
        for name in folder.others if folder.images or folder.unread else ():
            suffix = Path(name).suffix.lower()
            # One that is called as an image is no listing, but says something of that image: outlines of defects, say.
            told = suffix in listings and Path(name).stem not in stems
            if name.lower() not in _KNOWN_FILES and not told and not name.lower().endswith(ARCHIVES):
                left[f"{suffix or 'files without a suffix'} in {'/'.join(folder.parts) or 'the folder itself'}"] += 1
    named = [f"{count} {what}" for what, count in sorted(left.items())[:LISTED]]
    more = [f"{len(left) - LISTED} more kinds"] if len(left) > LISTED else []
    return [f"beside images lie files that are no images: {', '.join([*named, *more])}"] if left else []


def unread_reason(folders: Iterable[Folder]) -> str:
    """What to say of pictures and arrays that are not read, where something is refused: they may be why; or ""."""
    names = [
        "/".join((*folder.parts, name))
        for folder in folders
        for name in (*(path.name for path in folder.unread), *folder.others)
        if folder.path / name in folder.unread or Path(name).suffix.lower() in ARRAYS
    ]
    if not names:
        return ""
    return (
        f"; {len(names)} pictures are not read for their suffix, such as {names[0]} (read are "
        f"{' '.join(sorted(SUFFIXES))}): save them as PNG, or give them the suffix of what they are"
    )


def _by_folder(left: Counter[tuple[str, ...]]) -> str:
    named = [f"{count} in {'/'.join(parts) or 'the folder itself'}" for parts, count in left.most_common(LISTED)]
    more = len(left) - len(named)
    return ", ".join([*named, *([f"{more} more folders"] if more else [])])


def archive_notes(folders: Iterable[Folder], reading: Reading, dataset: Dataset) -> list[str]:
    """Say which archives lie beside what was read, and were not opened.

    Raises:
        AdaclipError: one of them is called as masks are, and no mask was read.
    """
    found = [(folder, name) for folder in folders for name in folder.others if name.lower().endswith(ARCHIVES)]
    masks = [folder.path / name for folder, name in found if role_of(name.split(".")[0], dataset).content == "masks"]
    if masks and dataset.unused != "allow" and not any(item.mask for item in reading.items):
        raise AdaclipError(
            f"data set '{dataset.id}': {masks[0]} is called as masks are, but archives within an original are not "
            "opened: unpack it, or say unused: allow in its entry"
        )
    names = ["/".join((*folder.parts, name)) for folder, name in found]
    return [f"not opened: {', '.join(names[:LISTED])}{' and others' if len(names) > LISTED else ''}"] if names else []
