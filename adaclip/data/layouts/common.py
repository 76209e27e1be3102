"""What the layouts share: items, folders, and pairing masks with images by name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

from adaclip.data.csvfile import read_sheet
from adaclip.data.decode import SUFFIXES
from adaclip.data.reading_options import Options
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError


@dataclass(frozen=True)
class Item:
    """One image of an original.

    Attributes:
        category: such as `bottle`.
        split: `train` or `test`.
        image: its file.
        mask: its mask's file, or None. A normal image may have one, which must be empty.
        label: 0 normal, 1 anomalous.
        defect: the raw folder's word for what it shows.
        box: the part of the image and mask that is meant (left, top, right, bottom), or None for the whole.
        name: file name in the prepared set, or "" for the image's own.
        where: the line of the listing that names it, or "" where folders do.
    """

    category: str
    split: str
    image: Path
    mask: Path | None
    label: int
    defect: str
    box: tuple[int, int, int, int] | None = None
    name: str = ""
    where: str = ""


@dataclass(frozen=True)
class Reading:
    """What a layout found.

    Attributes:
        items: in any order.
        notes: what was decided on the way, for a person; one sentence each, without a full stop.
        test: expected counts of the test split where an option changes the published ones, else None.
        left_out: images and masks that are known and left out on purpose, as the notes say.
    """

    items: Sequence[Item]
    notes: Sequence[str] = field(default_factory=list)
    test: Mapping[str, int] | None = None
    left_out: Sequence[Path] = field(default_factory=list)


class Layout(Protocol):
    """A raw layout."""

    @property
    def TITLE(self) -> str:  # noqa: N802
        """What it looks like, for a person."""

    @property
    def OPTIONS(self) -> tuple[str, ...]:  # noqa: N802
        """The options it obeys besides those that all do."""

    def recognise(self, folder: Path) -> bool:
        """Whether `folder` is the top of this layout."""

    def read(self, top: Path, dataset: Dataset, options: Options) -> Reading:
        """The images below `top`."""


def check_names(item: Item, root: Path) -> None:
    """Refuse names that are not in UTF-8: no manifest holds them, and read in a wrong encoding they are other words.

    Args:
        item: an image; the folder that was given may have any name.
        root: that folder.

    Raises:
        AdaclipError: the name of the image, of its mask, of a folder between, or of the folder that names a category.
    """
    paths = [str(path.relative_to(root)) for path in (item.image, item.mask) if path is not None]
    for name in (*paths, item.category, item.defect):
        # A listing in JSON may also hold half of a pair of escapes, such as \\ud83d, which no encoding has.
        if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
            raw = name.encode("utf-8", "backslashreplace" if item.where else "surrogateescape")
            raise AdaclipError(f"the name of {raw!r} in {root} is not in UTF-8: rename it (convmv does so for many)")


def is_hidden(name: str) -> bool:
    """Whether a file or folder is a system's own: hidden, a shadow of another file, or a store of thumbnails."""
    return name.startswith((".", "__MACOSX", "@eaDir", "$RECYCLE.BIN")) or name.casefold() in ("thumbs.db", "#recycle")


def subfolders(folder: Path) -> list[Path]:
    """Folders in a folder, sorted, without hidden ones and what archivers of some systems add."""
    with os.scandir(folder) as entries:
        # What scandir knows of an entry needs no further question to the file system: originals have many files.
        names = [entry.name for entry in entries if not is_hidden(entry.name) and entry.is_dir()]
    return [folder / name for name in sorted(names)]


def images_in(folder: Path) -> list[Path]:
    """Image files directly in a folder, sorted by name; links that lead nowhere are among them, to be named later."""
    with os.scandir(folder) as entries:
        names = [
            entry.name
            for entry in entries
            if os.path.splitext(entry.name)[1].lower() in SUFFIXES  # noqa: PTH122
            and not is_hidden(entry.name)
            and (entry.is_file() or entry.is_symlink())
        ]
    return [folder / name for name in sorted(names)]


def child(folder: Path, *names: str) -> Path | None:
    """The subfolder with one of these names, in small or capital letters; None when there is none."""
    wanted = {name.lower() for name in names}
    return next((below for below in subfolders(folder) if below.name.lower() in wanted), None)


def only_category(dataset: Dataset) -> str:
    """The category of a set whose layout has none: the registry's only one, or the set's id."""
    return next(iter(dataset.categories)) if len(dataset.categories) == 1 else dataset.id


def known_category(name: str, dataset: Dataset, where: Path | str) -> str:
    """A category's name as the registry spells it; as it stands when the registry lists none.

    Raises:
        AdaclipError: the registry lists others only.
    """
    if not dataset.categories or name in dataset.categories:
        return name
    for known in dataset.categories:
        if known.lower() == name.lower():
            return known
    raise AdaclipError(
        f"data set '{dataset.id}': unknown category '{name}' in {where} "
        f"(known: {', '.join(dataset.categories)}): rename it there, or add it under 'categories'"
    )


def read_table(path: Path) -> list[list[str]]:
    """The rows of a CSV file, the cells without blanks around them; an empty line is an empty row.

    Raises:
        AdaclipError: it is no CSV in UTF-8; see `adaclip.data.csvfile`.
    """
    return [cells for _, cells in read_sheet(path).rows]


def named_file(top: Path, name: str, where: str) -> Path:
    """A file that a table names, relative to `top` with "/".

    Raises:
        AdaclipError: there is no such file, or it lies outside `top`, where no change to it would be noticed.
    """
    relative = PurePosixPath(name.replace("\\", "/"))
    if relative.is_absolute() or ".." in relative.parts:
        raise AdaclipError(f"{where}: {name} leads out of {top}: give a path below it")
    path = top / relative
    if not path.is_file():
        raise AdaclipError(f"{where} names a file that is not there: {path}")
    return path


def pair(images: Iterable[Path], masks: Iterable[Path], endings: Iterable[str], where: str) -> dict[Path, Path]:
    """Pair masks with images by name: a mask's stem is the image's, perhaps with one of `endings`.

    Position in a sorted listing is no pairing: one missing file would shift all that follow. Suffixes may differ.

    Args:
        images: image files.
        masks: mask files.
        endings: such as `_mask`, in small letters; in file names their letters may be capitals.
        where: what to call the place in errors.

    Returns:
        The mask of each image.

    Raises:
        AdaclipError: an image without a mask, a mask without an image, or two that claim the same partner.
    """
    by_stem: dict[str, Path] = {}
    for mask in masks:
        stem = mask.stem
        for ending in endings:
            if stem.lower().endswith(ending):
                stem = stem[: -len(ending)]
                break
        if stem in by_stem:
            raise AdaclipError(f"{where}: two masks for one image: {by_stem[stem].name} and {mask.name}")
        by_stem[stem] = mask
    found: dict[Path, Path] = {}
    claimed: dict[str, Path] = {}
    for image in images:
        if image.stem in claimed:
            raise AdaclipError(f"{where}: {claimed[image.stem].name} and {image.name} claim the same mask")
        if image.stem not in by_stem:
            raise AdaclipError(f"{where}: no mask for image {image}")
        claimed[image.stem] = image
        found[image] = by_stem.pop(image.stem)
    if by_stem:
        raise AdaclipError(f"{where}: mask without an image: {next(iter(by_stem.values()))}")
    return found
