"""Images that lie in an original and are no part of what was read: named, and refused when they are many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

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
    top: Path,
    unknown: Sequence[str] = (),
) -> list[str]:
    """Say by folder which images below the root are not part of the set.

    Args:
        folders: all that lies below the root.
        reading: what was read.
        dataset: the registry entry, whose `unused: allow` turns the error into the note.
        root: the folder that was given.
        layout: name of the layout, for the error.
        top: where it begins; below it a listing says which images belong to the set.
        unknown: kinds of images that nobody can call normal or anomalous, for the error.

    Raises:
        AdaclipError: they are more than a tenth of all image files, and no listing says which belong to the set; or they
            are masks, and a listing has anomalous images, but none for them.
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
        depth = top.relative_to(root).parts
        unused = sum(count for parts, count in left.items() if parts[: len(depth)] != depth)
    if unused > SHARE * total:
        names = ", ".join(unknown[:LISTED])
        hint = f"say what they are in its entry, such as anomalous: [{names}]" if unknown else "give the folder that is meant"
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


def _by_folder(left: Counter[tuple[str, ...]]) -> str:
    named = [f"{count} in {'/'.join(parts) or 'the folder itself'}" for parts, count in left.most_common(LISTED)]
    more = len(left) - len(named)
    return ", ".join([*named, *([f"{more} more folders"] if more else [])])


def archive_notes(folders: Iterable[Folder]) -> list[str]:
    """Say which archives lie beside what was read, and were not opened."""
    names = [
        "/".join((*folder.parts, name))
        for folder in folders
        for name in folder.others
        if name.lower().endswith(ARCHIVES)
    ]
    return [f"not opened: {', '.join(names[:LISTED])}{' and others' if len(names) > LISTED else ''}"] if names else []
