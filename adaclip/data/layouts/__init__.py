"""Raw layouts: how the originals lie on disk, recognised by content.

Layouts with files or names of their own have a small module each; trees of folders that say what they hold are
understood together, in `tree.py`.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adaclip.data.layouts import colondb, dagm, headct, ksdd, listing, meta, table, visa
from adaclip.data.layouts.common import Item, Layout, Reading, check_names, subfolders
from adaclip.data.layouts.kinds import plain
from adaclip.data.layouts.tree import TITLES, Tree, read_tree, recognise_tree
from adaclip.data.layouts.unused import archive_notes, other_notes, unread_reason, unused_notes
from adaclip.data.layouts.walking import Folder, folders_below
from adaclip.data.reading_options import Options, options_of
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError, UsageError

#: In the order in which they are tried: the more specific first. The trees come before colondb.
LAYOUTS: dict[str, Layout] = {
    "csv": table,
    "meta": meta,
    "visa": visa,
    "ksdd": ksdd,
    "dagm": dagm,
    "headct": headct,
}
AFTER_TREES: dict[str, Layout] = {"colondb": colondb}
#: Archives like to wrap their content in folders: so many are looked into.
DEPTH = 3


class UnknownLayoutError(AdaclipError):
    """No layout fits; what is packed may hold one."""


@dataclass(frozen=True)
class Recognised:
    """What was recognised.

    Attributes:
        layout: its name.
        top: the folder where it begins.
        folders: all folders below the one that was given.
        tree: what was understood, for the layouts of `tree.py`.
    """

    layout: str
    top: Path
    folders: Sequence[Folder]
    tree: Tree | None = None


@dataclass(frozen=True)
class Original:
    """An original whose layout is known.

    Attributes:
        layout: its name.
        top: the folder where it begins.
        recognised: what was recognised and where, for a person.
        options: how it is read.
        layout_options: names of the options that the layout has besides those that all have.
        reading: its images, sorted, every one with a name that is its own in the prepared set's folder.
    """

    layout: str
    top: Path
    recognised: str
    options: Options
    layout_options: tuple[str, ...]
    reading: Reading


def recognise(root: Path, dataset: Dataset) -> Recognised:
    """Find the layout of an original and the folder where it begins.

    Args:
        root: folder that the user or the archive gave; a layout with files of its own may begin up to three folders
            below, a tree of folders anywhere.
        dataset: its registry entry, whose `layout` is obeyed unless it is auto.

    Raises:
        UnknownLayoutError: no layout fits; what is there is named.
        AdaclipError: a listing with a fault, several folders that fit, or names that nobody can read surely.
        UsageError: the entry says what is normal where folders do not decide it, or of folders that are not there.
    """
    if not root.is_dir():
        raise AdaclipError(f"data set '{dataset.id}': no such folder: {root}")
    folders = folders_below(root)
    levels = list(_levels(root))
    ours = [folder for level in levels for folder in level if _names(folder.relative_to(root), dataset)]
    listed = listing.find(levels, dataset, ours)
    if listed is not None:
        return Recognised(*listed, folders)
    for layouts in (LAYOUTS, TITLES, AFTER_TREES):
        names = [
            name
            for name in layouts
            if dataset.layout == name or (dataset.layout == "auto" and name not in listing.LAYOUTS)
        ]
        if layouts is TITLES:
            tree = _tree(root, folders, dataset) if names else None
            if tree is not None and tree.layout in names:
                return Recognised(tree.layout, tree.top, folders, tree)
            continue
        for name in names:
            top = _top_of(name, levels, root, dataset)
            if top is not None:
                return Recognised(name, top, folders)
    seen = ", ".join(sorted(entry.name for entry in root.iterdir())[:8]) or "nothing"
    wanted = "a known layout" if dataset.layout == "auto" else f"the layout '{dataset.layout}'"
    raise UnknownLayoutError(
        f"data set '{dataset.id}': {root} is not in {wanted} (it holds {seen}): expected the published folders, "
        "MVTec folders (test, ground_truth), two folders such as good and bad, folders of images and masks, meta.json "
        f"or manifest.csv{unread_reason(folders)}"
    )


def read_original(root: Path, dataset: Dataset) -> Original:
    """Recognise an original and list its images.

    Raises:
        AdaclipError: no layout fits, no image is there, images and masks do not pair, or many images are in no layout.
        UsageError: an option that the layout does not have.
    """
    return read_recognised(root, recognise(root, dataset), dataset)


def read_recognised(root: Path, found: Recognised, dataset: Dataset) -> Original:
    """List the images of an original, given what `recognise` found; the same errors."""
    name, top = found.layout, found.top
    if found.tree is not None:
        title = TITLES[name]
        layout_options: tuple[str, ...] = ()
        options = options_of(dataset, layout_options, name)
        reading = read_tree(found.tree, dataset, options)
    else:
        layout = (LAYOUTS | AFTER_TREES)[name]
        title, layout_options = layout.TITLE, layout.OPTIONS
        options = options_of(dataset, layout_options, name)
        if dataset.normal or dataset.anomalous:
            raise UsageError(
                f"data set '{dataset.id}': 'normal' and 'anomalous' change nothing in the layout '{name}', where no "
                "folder's name is what decides"
            )
        reading = layout.read(top, dataset, options)
    if not reading.items:
        raise AdaclipError(f"data set '{dataset.id}': no image in {root} (layout {name})")
    for item in reading.items:
        check_names(item, root)
    items = sorted(reading.items, key=lambda item: (item.category, item.split, str(item.image), item.name))
    items = _with_own_names(items, top)
    unknown = found.tree.unknown if found.tree is not None else ()
    notes = [
        *reading.notes,
        *listing.unread(_levels(root), root, top, name),
        *unused_notes(found.folders, reading, dataset, root, name, unknown),
        *other_notes(found.folders, [suffix for suffixes in listing.LAYOUTS.values() for suffix in suffixes]),
        *archive_notes(found.folders, reading, dataset),
    ]
    where = f" in {top.relative_to(root).as_posix()}" if top != root else ""
    # What is left out may have names that no file in UTF-8 holds.
    notes = [note.encode("utf-8", "backslashreplace").decode() for note in notes]
    shown = dataclasses.replace(reading, items=items, notes=notes)
    return Original(name, top, title + where, options, layout_options, shown)


def _tree(root: Path, folders: Sequence[Folder], dataset: Dataset) -> Tree | None:
    """What is understood of a tree; a refusal says too which pictures are not read, since they may be its cause."""
    try:
        return recognise_tree(root, folders, dataset)
    except AdaclipError as error:
        reason = unread_reason(folders)
        if not reason:
            raise
        raise type(error)(f"{error}{reason}") from error


def _top_of(name: str, levels: Sequence[Sequence[Path]], root: Path, dataset: Dataset) -> Path | None:
    """The folder where a layout with files of its own begins; of several the one whose path names the set."""
    layout = (LAYOUTS | AFTER_TREES)[name]
    for level in levels:
        fitting = [folder for folder in level if layout.recognise(folder)]
        if len(fitting) < 2:
            if fitting:
                return fitting[0]
            continue
        named = [folder for folder in fitting if _names(folder.relative_to(root), dataset)]
        if len(named) != 1:
            several = ", ".join(folder.relative_to(root).as_posix() for folder in fitting[:8])
            raise AdaclipError(
                f"data set '{dataset.id}': several folders of {root} are of the layout {name}: {several}: give one of "
                "them, or make a set of each"
            )
        return named[0]
    return None


def _names(path: Path, dataset: Dataset) -> bool:
    """Whether a path names a set, however it is written: CVC-ColonDB names colondb."""
    return plain(dataset.id) in plain(path.as_posix())


def _levels(root: Path) -> Iterator[list[Path]]:
    level = [root]
    for _ in range(DEPTH + 1):
        yield level
        level = [below for folder in level for below in subfolders(folder)]


def _with_own_names(items: Sequence[Item], top: Path) -> list[Item]:
    """Give images of equal names that go into one folder a name made of their path."""

    def place(item: Item) -> tuple[str, str, str, str]:
        return item.category, item.split, item.defect, item.name or item.image.name

    def longer(item: Item) -> Item:
        return dataclasses.replace(item, name="_".join(item.image.relative_to(top).parts))

    count = Counter(map(place, items))
    named = [longer(item) if count[place(item)] > 1 else item for item in items]
    twice = next((where for where, times in Counter(map(place, named)).items() if times > 1), None)
    if twice is not None:
        raise AdaclipError(f"two images of {top} would both be called {'/'.join(twice)}, or one is listed twice")
    return named
