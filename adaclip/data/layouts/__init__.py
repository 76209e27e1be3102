"""Raw layouts: how the originals lie on disk. One small module for each, recognised by content."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adaclip.data.decode import SUFFIXES, UNREAD
from adaclip.data.layouts import colondb, dagm, folders, headct, ksdd, listing, meta, mvtec, pairs, table, visa
from adaclip.data.layouts.common import Item, Layout, Reading, check_names, subfolders
from adaclip.data.options import Options, options_of
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError

#: In the order in which they are tried: the more specific first.
LAYOUTS: dict[str, Layout] = {
    "csv": table,
    "meta": meta,
    "visa": visa,
    "ksdd": ksdd,
    "dagm": dagm,
    "headct": headct,
    "mvtec": mvtec,
    "colondb": colondb,
    "pairs": pairs,
    "folders": folders,
}
#: Archives like to wrap their content in folders: so many are looked into.
DEPTH = 3


class UnknownLayout(AdaclipError):
    """No layout fits what is there."""


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


def recognise(root: Path, dataset: Dataset) -> tuple[str, Path]:
    """Find the layout of an original and the folder where it begins.

    Args:
        root: folder that the user or the archive gave; the layout may begin up to three folders below.
        dataset: its registry entry, whose `layout` is obeyed unless it is auto.

    Returns:
        The layout's name and its top folder; of several folders at one depth the one whose path names the set, else
        the first.

    Raises:
        UnknownLayout: no layout fits; what is there is named.
        AdaclipError: a listing with a fault, or several.
    """
    if not root.is_dir():
        raise AdaclipError(f"data set '{dataset.id}': no such folder: {root}")
    levels = list(_levels(root))
    ours = [folder for level in levels for folder in level if _names(folder.relative_to(root), dataset)]
    listed = listing.find(levels, dataset, ours)
    if listed is not None:
        return listed
    names = [name for name in LAYOUTS if name not in listing.LAYOUTS] if dataset.layout == "auto" else [dataset.layout]
    for name in names:
        for level in levels:
            fitting = [folder for folder in level if LAYOUTS[name].recognise(folder)]
            if fitting:
                named = [folder for folder in fitting if _names(folder.relative_to(root), dataset)]
                return name, (named or fitting)[0]
    seen = ", ".join(sorted(entry.name for entry in root.iterdir())[:8]) or "nothing"
    wanted = "a known layout" if dataset.layout == "auto" else f"the layout '{dataset.layout}'"
    raise UnknownLayout(
        f"data set '{dataset.id}': {root} is not in {wanted} (it holds {seen}): expected the published folders, "
        "MVTec folders (test, ground_truth), two folders such as good and bad, folders of images and masks, meta.json "
        "or manifest.csv"
    )


def read_original(root: Path, dataset: Dataset) -> Original:
    """Recognise an original and list its images.

    Raises:
        AdaclipError: no layout fits, no image is there, or images and masks do not pair.
        UsageError: an option that the layout does not have.
    """
    return read_recognised(root, *recognise(root, dataset), dataset)


def read_recognised(root: Path, name: str, top: Path, dataset: Dataset) -> Original:
    """List the images of an original, given what `recognise` found; the same errors."""
    layout = LAYOUTS[name]
    options = options_of(dataset, layout.OPTIONS, name)
    reading = layout.read(top, dataset, options)
    if not reading.items:
        raise AdaclipError(f"data set '{dataset.id}': no image in {root} (layout {name})")
    for item in reading.items:
        check_names(item, root)
    items = sorted(reading.items, key=lambda item: (item.category, item.split, str(item.image), item.name))
    notes = [*reading.notes, *listing.unread(_levels(root), root, top, name), *_unused(top, items)]
    where = f" in {top.relative_to(root).as_posix()}" if top != root else ""
    shown = Reading(_with_own_names(items, top), notes, reading.test)
    return Original(name, top, layout.TITLE + where, options, layout.OPTIONS, shown)


def _levels(root: Path) -> Iterator[list[Path]]:
    level = [root]
    for _ in range(DEPTH + 1):
        yield level
        level = [below for folder in level for below in subfolders(folder)]


def _names(path: Path, dataset: Dataset) -> bool:
    """Whether a path names a set, however it is written: CVC-ColonDB names colondb."""
    return _plain(dataset.id) in _plain(path.as_posix())


def _plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


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


def _unused(top: Path, items: Sequence[Item]) -> list[str]:
    """Say so when images lie there that are not part of what was read."""
    used = {str(path) for item in items for path in (item.image, item.mask) if path is not None}
    left = []
    for folder, below, files in os.walk(top):
        # Archives of some systems hold a hidden shadow of every file.
        below[:] = [name for name in below if not name.startswith((".", "__MACOSX"))]
        paths = [os.path.join(folder, name) for name in files if not name.startswith(".")]  # noqa: PTH118
        left += [path for path in paths if path not in used and Path(path).suffix.lower() in SUFFIXES | UNREAD]
    if not left:
        return []
    return [f"{len(left)} image files are not part of the set, such as {Path(min(left)).relative_to(top).as_posix()}"]
