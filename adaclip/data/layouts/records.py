"""From the records of a listing to images: every value is understood or refused, with the line that it stands in."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from typing import Literal

from adaclip.data.layouts import kinds
from adaclip.data.layouts.common import Item, Reading, known_category, named_file, only_category
from adaclip.data.listed import Record
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError
from adaclip.system.wording import counted, noun

SPLITS = ("train", "test")
#: In the place of a mask: the image is anomalous, and nobody has drawn where.
NO_MASK = frozenset({"none", "-"})


def label_of(word: str) -> int | None:
    """0 for a word that means normal, 1 for anomalous, None for another."""
    return {"0": 0, "1": 1}[word] if word in ("0", "1") else kinds.label_of(word)


def reading_of(records: Sequence[Record], top: Path, dataset: Dataset) -> Reading:
    """The images that records list.

    Args:
        records: of one listing, or of several that list different images.
        top: the folder that their paths start from.
        dataset: the registry entry.

    Raises:
        AdaclipError: a value that is not known, a file that is not there, an image that is listed twice in different
            ways, or a label that contradicts the mask; the line is named.
    """
    notes = []
    listed = [record for record in records if record.image]
    # Sets without a split for training have such entries there; no verb uses that split.
    empty = [record for record in records if not record.image]
    for record in empty:
        if _split(record) != "train":
            raise AdaclipError(f"{record.where} has no 'img_path' or 'image': an image of the test split needs one")
    if empty:
        notes.append(
            f"{counted(len(empty), 'placeholder')} without an image {noun(len(empty), 'is', 'are')} "
            "left out of the train split, which is not used"
        )
    # Two names for the only category there is cannot mean two things.
    only = len({record.category for record in listed}) == 1 and len(dataset.categories) == 1
    items = _once([_item(record, top, dataset, only) for record in listed])
    if len(items) < len(listed):
        twice = len(listed) - len(items)
        notes.append(
            f"{counted(twice, 'image is', 'images are')} listed twice in the same way "
            f"and {noun(twice, 'counts', 'count')} once"
        )
    _check_masks(items, {record.where for record in listed if record.mask.lower() in NO_MASK})
    return Reading(items, [*notes, *_odd_kinds(items)])


def _item(record: Record, top: Path, dataset: Dataset, only: bool) -> Item:
    image = _file(record.image, top, record.where)
    unknown = record.mask.lower() in NO_MASK
    mask = _file(record.mask, top, record.where) if record.mask and not unknown else None
    if mask == image:
        raise AdaclipError(f"{record.where}: the mask is the image itself")
    label = int(mask is not None or unknown) if record.label is None else label_of(record.label)
    if label is None:
        raise AdaclipError(
            f"{record.where}: label is {record.label!r}, not 0 (normal) or 1 (anomalous), "
            "nor a word for it such as good and bad, normal and anomaly, ok and ng"
        )
    named = record.category and not only
    category = known_category(record.category, dataset, record.where) if named else only_category(dataset)
    defect = record.defect or ("anomalous" if label else "good")
    return Item(category, _split(record), image, mask, label, defect, where=record.where)


def _split(record: Record) -> str:
    split = record.split.lower() or "test"
    if split not in SPLITS:
        raise AdaclipError(f"{record.where}: split is {record.split!r}, not train or test")
    return split


def _file(name: str, top: Path, where: str) -> Path:
    """The file that a listing names; its letters may be composed in another way than the disk's."""
    if PureWindowsPath(name).drive:
        raise AdaclipError(f"{where}: {name} leads out of {top}: give a path below it")
    forms: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
    for form in forms:
        other = unicodedata.normalize(form, name)
        if other != name and not (top / name).is_file() and (top / other.replace("\\", "/")).is_file():
            name = other
    return named_file(top, name, where)


def _once(items: Sequence[Item]) -> list[Item]:
    """The items without those that say the same of one image once more."""
    found: dict[tuple[str, Path], Item] = {}
    labels: dict[Path, Item] = {}
    for item in items:
        for first, facts in ((labels.get(item.image), _LABEL), (found.get((item.split, item.image)), _FACTS)):
            if first is None:
                continue
            differing = [name for name in facts if getattr(first, name) != getattr(item, name)]
            if differing:
                values = [
                    f"{first.where} ({getattr(first, differing[0])})",
                    f"{item.where} ({getattr(item, differing[0])})",
                ]
                raise AdaclipError(
                    f"{item.image} is listed with two {_MANY[differing[0]]}: {' and '.join(values)}: keep the right one"
                )
        labels.setdefault(item.image, item)
        found.setdefault((item.split, item.image), item)
    return list(found.values())


#: What two entries of one image must agree on: in two splits, and in one split.
_LABEL = ("label", "mask")
_FACTS = (*_LABEL, "category", "defect")
_MANY = {"label": "labels", "mask": "masks", "category": "categories", "defect": "defects"}


def _check_masks(items: Sequence[Item], unknown: set[str]) -> None:
    """Refuse a mask of two images, and an anomalous image without one where others have theirs.

    Whether a normal image's mask is empty is checked with the pixels.

    Args:
        items: the images.
        unknown: lines that say that there is no mask.
    """
    owners: dict[Path, Item] = {}
    for item in items:
        first = owners.setdefault(item.mask, item) if item.mask is not None else item
        if first.image != item.image:
            raise AdaclipError(f"{first.where} and {item.where} name one mask for two images: {item.mask}")
    masked = {item.category for item in items if item.mask is not None and item.label}
    for item in items:
        if item.label and item.mask is None and item.category in masked and item.where not in unknown:
            raise AdaclipError(
                f"{item.where}: no mask for the anomalous image {item.image}, but others of {item.category} have one: "
                "name it, or write none in its place if nobody has drawn it"
            )
        if not item.label and item.where in unknown:
            raise AdaclipError(f"{item.where}: mask 'none' is for anomalous images: leave it empty")


def _odd_kinds(items: Sequence[Item]) -> list[str]:
    """Say so when the kind of an image reads like the other label; the label counts."""
    odd = [item for item in items if label_of(item.defect) == 1 - item.label]
    if not odd:
        return []
    first = odd[0]
    label = ("normal", "anomalous")[first.label]
    return [
        f"{counted(len(odd), 'image is', 'images are')} of a kind that contradicts "
        f"{noun(len(odd), 'its', 'their')} label, "
        f"which counts: {first.where} says {label}, but '{first.defect}'"
    ]
