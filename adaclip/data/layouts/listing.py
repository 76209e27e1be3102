"""Files that list images: found by what they say, and read or refused, never passed over.

A CSV or JSON that names image files is a listing whatever it is called; one of a usual name is one even if it names
none. Where several lie in one folder, they must say the same or list different images.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from adaclip.data import csvlist, metajson
from adaclip.data.csvfile import read_sheet
from adaclip.data.decode import SUFFIXES, UNREAD
from adaclip.data.layouts.common import Item, Reading
from adaclip.data.layouts.records import reading_of
from adaclip.data.listed import Record, mentions_image, names_image
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError
from adaclip.system.wording import counted

#: The layouts that read listings, with the suffixes of their files.
LAYOUTS = {"csv": (".csv", ".tsv"), "meta": (".json", ".jsonl", ".ndjson")}
#: Names that the field gives to nothing else; a fault of theirs is one of every set.
OWN_NAMES = (csvlist.NAME, metajson.NAME)
#: Names, without suffix, of files that are meant to list images.
USUAL = re.compile(
    r"meta|meta[_-].*|.*[_-]meta|metadata|manifest|samples?|labels?|annotations?|listing|index|dataset|images", re.I
)
#: A list of one split: tables of numbers are called so too, so that text has to mention images as well.
_SPLIT = re.compile(r"train|test|val|validation", re.I)
#: Listings in formats that nothing here reads.
_OTHERS = (".xlsx", ".xls", ".ods", ".parquet", ".txt", ".yaml", ".yml")
#: Files of published layouts and of prepared sets, which read them themselves.
_READ_ELSEWHERE = frozenset({"1cls.csv", "prepared.json"})
_FOLDERS_READ_ELSEWHERE = frozenset({"split_csv"})
#: So many unread listings are named.
_SHOWN = 5
_HINT = "mend it, rename or remove it, or say which layout to read, such as layout: folders"


@dataclass(frozen=True)
class Listing:
    """A file that lists images, or ought to.

    Attributes:
        path: of the file.
        layout: the layout that reads it, or "" for none.
        fault: why it cannot be read, in a sentence that begins with its path; "" where nothing is wrong.
        meant: whether it is meant to list images; one that is not is only worth a note.
    """

    path: Path
    layout: str
    fault: str = ""
    meant: bool = True


def find(levels: Iterable[Sequence[Path]], dataset: Dataset, named: Sequence[Path]) -> tuple[str, Path] | None:
    """The layout and the folder of the listing that an original is read after; None if it has none.

    Args:
        levels: the folders of an original by depth.
        dataset: the registry entry; a layout that it names is the only one that is looked for.
        named: of these folders, those whose path names the set: they come first.

    Raises:
        AdaclipError: a listing that cannot be read, or several folders with one.
    """
    kinds = tuple(LAYOUTS) if dataset.layout == "auto" else (dataset.layout,)
    for level in levels:
        found = {folder: listings_in(folder, kinds) for folder in level}
        fitting = {folder: usable for folder, some in found.items() if (usable := [x for x in some if not x.fault])}
        chosen = [folder for folder in fitting if folder in named] or list(fitting)
        for folder, some in found.items():
            for listing in some:
                strict = listing.path.name.lower() in OWN_NAMES or not (dataset.built_in or folder in fitting)
                if listing.fault and listing.meant and strict and (not chosen or folder in chosen):
                    raise AdaclipError(f"{listing.fault}: {_HINT}")
        if len(chosen) > 1:
            paths = ", ".join(str(fitting[folder][0].path) for folder in chosen[:_SHOWN])
            raise AdaclipError(
                f"data set '{dataset.id}': {len(chosen)} folders have a listing each ({paths}"
                f"{', ...' if len(chosen) > _SHOWN else ''}): join them, or give one of the folders"
            )
        if chosen:
            return fitting[chosen[0]][0].layout, chosen[0]
    return None


def usable_in(folder: Path, kinds: Sequence[str]) -> list[Listing]:
    """The listings directly in a folder that can be read; CSV comes before JSON."""
    return [listing for listing in listings_in(folder, kinds) if not listing.fault]


def listings_in(folder: Path, kinds: Sequence[str] = tuple(LAYOUTS)) -> list[Listing]:
    """The files directly in a folder that list images, or ought to, by layout and name.

    Args:
        folder: where to look.
        kinds: the layouts whose files count.
    """
    if folder.name.lower() in _FOLDERS_READ_ELSEWHERE:
        return []
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_file())
    pictures = {Path(name).stem for name in names if Path(name).suffix.lower() in SUFFIXES | UNREAD}
    found = []
    for layout, suffixes in {kind: LAYOUTS[kind] for kind in kinds if kind in LAYOUTS}.items():
        for name in names:
            path = folder / name
            # Beside each image some programs lay a JSON of the same name, with outlines.
            if path.suffix.lower() in suffixes and name.lower() not in _READ_ELSEWHERE and path.stem not in pictures:
                found.append(_judge_csv(path) if layout == "csv" else _judge_json(path))
    if len(kinds) > 1:
        found += [listing for name in names if (listing := _judge_other(folder / name)) is not None]
    return found


def _judge_csv(path: Path) -> Listing:
    try:
        sheet = read_sheet(path)
        fault = csvlist.fault_of(sheet, path)
    except AdaclipError as error:
        return Listing(path, "csv", str(error), bool(USUAL.fullmatch(path.stem)) or _mentions_images(path))
    published = path.name.lower() == "labels.csv" and "id,hemorrhage" in [
        ",".join(cells).lower() for _, cells in sheet.rows[:1]
    ]
    meant = not published and (
        bool(USUAL.fullmatch(path.stem)) or any(mentions_image(cell) for _, cells in sheet.rows for cell in cells)
    )
    return Listing(path, "csv", f"{path} {fault}" if fault else "", meant)


def _judge_json(path: Path) -> Listing:
    try:
        value = metajson.load(path)
    except AdaclipError as error:
        return Listing(path, "meta", str(error), bool(USUAL.fullmatch(path.stem)) or _mentions_images(path))
    if metajson.shape_of(value):
        return Listing(path, "meta")
    fault = f"{path} is {metajson.described(value)}, not {{train, test: {{category: [images]}}}} or a list of records"
    return Listing(path, "meta", fault, any(map(names_image, metajson.texts_of(value))))


def _judge_other(path: Path) -> Listing | None:
    usual = USUAL.fullmatch(path.stem) or _SPLIT.fullmatch(path.stem)
    if path.suffix.lower() not in _OTHERS or not usual:
        return None
    if path.suffix.lower() in (".txt", ".yaml", ".yml") and not _mentions_images(path):
        return None
    return Listing(path, "", f"{path} is a listing in a format that is not read: save it as {csvlist.NAME}")


def _mentions_images(path: Path) -> bool:
    """Whether the name of an image stands in a file that nothing here can read."""
    try:
        return mentions_image(path.read_bytes().decode("latin-1"))
    except OSError:
        return False


def read(top: Path, dataset: Dataset) -> Reading:
    """The images that the listings of one folder list.

    Raises:
        AdaclipError: a fault of one of them, or two that contradict one another.
    """
    kinds = tuple(LAYOUTS) if dataset.layout == "auto" else (dataset.layout,)
    items: list[Item] = []
    notes: list[str] = []
    used: list[Path] = []
    for listing in usable_in(top, kinds):
        reading = _read_one(listing, top, dataset)
        if not used:
            items, notes = list(reading.items), list(reading.notes)
        elif {_facts(item) for item in items} == {_facts(item) for item in reading.items}:
            notes.append(f"{listing.path.name} lists the same images as {used[0].name}")
            continue
        else:
            _refuse_overlap(items, reading.items, used, listing.path)
            items += reading.items
            notes += reading.notes
        used.append(listing.path)
    if [path.name.lower() for path in used] not in [[name] for name in OWN_NAMES]:
        notes.insert(0, f"listed by {', '.join(path.name for path in used)}")
    return Reading(items, notes)


def _read_one(listing: Listing, top: Path, dataset: Dataset) -> Reading:
    records: list[Record]
    notes: list[str] = []
    if listing.layout == "csv":
        records = csvlist.read_records(listing.path)
    else:
        records, notes = metajson.read_records(listing.path)
    # train.csv and test.csv say with their names what no column says.
    words = re.split(r"[^a-z]+", listing.path.stem.lower())
    split = next((word for word in ("train", "test", "val", "valid", "validation") if word in words), "")
    records = [record if record.split else replace(record, split=split) for record in records]
    reading = reading_of(records, top, dataset)
    if not reading.items:
        raise AdaclipError(f"{listing.path} lists no image")
    return Reading(reading.items, [*notes, *reading.notes])


def _facts(item: Item) -> tuple[Path, str, int, Path | None, str]:
    return item.image, item.split, item.label, item.mask, item.category


def _refuse_overlap(items: Sequence[Item], others: Sequence[Item], used: Sequence[Path], path: Path) -> None:
    """Refuse two listings that share images and do not say the same."""
    known = {item.image: item for item in items}
    shared = [other for other in others if other.image in known]
    if not shared:
        return
    differing = [other for other in shared if _facts(other) != _facts(known[other.image])]
    why = (
        f"{known[differing[0].image].where} and {differing[0].where} contradict one another"
        if differing
        else f"only {len(shared)} of their {len(items)} and {len(others)} images are the same"
    )
    names = " and ".join(dict.fromkeys((used[-1].name, path.name)))
    raise AdaclipError(f"{path.parent} has two listings, {names}, and they differ: {why}: keep one of them")


def unread(levels: Iterable[Sequence[Path]], root: Path, top: Path, layout: str) -> Iterator[str]:
    """Notes on the listings of an original that were not read.

    Args:
        levels: its folders by depth.
        root: the folder that was given.
        top: where its layout begins.
        layout: the layout that was read.
    """
    left = []
    for folder in (folder for level in levels for folder in level):
        read_here = folder == top and layout in LAYOUTS
        left += [listing for listing in listings_in(folder) if listing.fault or not read_here]
    for listing in left[:_SHOWN]:
        fault = listing.fault.replace(f"cannot read {listing.path}", "").replace(str(listing.path), "").strip(" :")
        why = fault or f"the set is read after {layout}"
        yield f"{listing.path.relative_to(root).as_posix()} is not read: {why}"
    if len(left) > _SHOWN:
        yield f"{counted(len(left) - _SHOWN, 'more listing is', 'more listings are')} not read"
