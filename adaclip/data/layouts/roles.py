"""What a folder's name says: a split, images or masks, normal or anomalous images, or nothing that is known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from adaclip.data.layouts.kinds import label_of, plain, words
from adaclip.data.registry import Dataset

_SPLITS = {
    "train": frozenset("train training trainval trainset".split()),
    "test": frozenset("test testing testset".split()),
    "val": frozenset("val valid validation valset".split()),
}
_IMAGES = re.compile(r"(jpeg|png)?images?|imgs?|originals?|data|frames?|photos?|pictures?|pics?")
_JOINED = re.compile(
    r"(training|train|testing|test|validation|val)"
    r"(images?|imgs?|data|set|masks?|labels?|gt|good|ok|normal|bad|ng|ko|abnormal|anomal(?:y|ies|ous)|defects?|\d+)"
)
_MASKS = re.compile(r"masks?|groundtruths?|gts?|truths?|labels?|segmentations?|segs?|annotations?|annots?")
#: Words that say nothing beside one that does: `training_set`, `test_public` (MVTec AD 2, whose private part has no
#: labels).
_FILLING = frozenset("set split part the of public private mixed".split())


@dataclass(frozen=True)
class Role:
    """What one folder's name says.

    Attributes:
        name: as it stands.
        split: train, test or val, or None.
        content: `images`, `masks`, or "" when the name says neither.
        label: 0 normal, 1 anomalous, or None.
        rest: the words that say nothing known, joined; "" when there are none. Two folders of images and masks with
            the same rest belong together.
        doubtful: whether it may be a defect or masks, as `missing_label` below a split.
    """

    name: str
    split: str | None = None
    content: str = ""
    label: int | None = None
    rest: str = ""
    doubtful: bool = False

    @property
    def is_kind(self) -> bool:
        """Whether the name says what is normal or anomalous."""
        return self.label is not None

    @property
    def is_free(self) -> bool:
        """Whether it says nothing that is known: a category, a defect, or a folder around all."""
        return not (self.is_kind or self.split or self.content)

    @property
    def is_unclear(self) -> bool:
        """Whether it speaks of a split and of something else, as `bottle_train` does."""
        return self.split is not None and bool(self.rest) and not (self.content or self.is_kind)


def _parted(word: str) -> list[str]:
    """`traindata` and `test1` are two words."""
    match = _JOINED.fullmatch(word)
    return [match[1], match[2]] if match else [word]


def role_of(name: str, dataset: Dataset) -> Role:
    """What a folder's name says by itself."""
    label = label_of(name, dataset)
    if label is not None:
        return Role(name, label=label, rest=name)
    split, content, rest = None, "", []
    for word in (part for whole in words(name) for part in _parted(whole)):
        of = next((known for known, called in _SPLITS.items() if word in called), None)
        if of is not None and split in (None, of):
            split = of
        elif _MASKS.fullmatch(word):
            content = "masks"
        elif _IMAGES.fullmatch(word):
            content = content or "images"
        elif word not in _FILLING:
            rest.append(word)
    if not split and not content:
        return Role(name, rest=name)
    # `test_good` and `defect_masks` say two things at once. `no_data` does not.
    joined = "_".join(rest)
    label = label_of(joined, dataset) if joined not in ("no", "yes") else None
    return Role(name, split, content, label, joined)


def roles_of(
    parts: Sequence[str], around: int, partners: set[tuple[str, ...]], dataset: Dataset, kinds_inside: bool
) -> tuple[Role, ...]:
    """What the folders of a path say together.

    Args:
        parts: names from the root on.
        around: how many of them all images have: what they say of images and masks tells nothing apart.
        partners: see `partners_of`; elsewhere `original_bolts` is a name as any other.
        dataset: the registry entry.
        kinds_inside: whether some images lie in a kind below what all have.
    """
    found: list[Role] = []
    for depth, name in enumerate(parts):
        role = role_of(name, dataset)
        if role.is_kind and not role.split and kinds_inside and depth < around:
            found.append(Role(name, rest=name))
            continue
        below_split = any(above.split for above in found)
        in_masks = any(above.content == "masks" for above in found)
        partner = bool(role.rest) and (*parts[:depth], plain(role.rest)) in partners
        # `anomaly_mask` beside `img`, or below a kind, holds that kind's masks.
        for_sure = any(above.is_kind for above in found) or (*parts[:depth], "") in partners
        if role.content == "masks" and role.rest and not (in_masks or partner) and for_sure:
            role = replace(role, rest="", label=None)
        elif role.content == "masks" and role.rest and below_split and not (partner or in_masks):
            role = replace(role, doubtful=True)
        elif role.content and not role.is_kind:
            if depth < around and not role.split:
                role = Role(name, rest=name)
            elif role.rest and not partner:
                # Masks are not to be lost for a word too many; in a tree of masks the word is a kind.
                keep = role.content == "masks" and not in_masks
                role = replace(role, rest="") if keep else Role(name, rest=name)
        elif role.is_unclear and depth < around:
            role = Role(name, rest=name)
        found.append(role)
    return tuple(found)


def partners_of(paths: Iterable[Sequence[str]], dataset: Dataset) -> set[tuple[str, ...]]:
    """Where folders stand side by side that belong together by the rest of their names.

    Such as `setA_images` and `setA_masks`, or `bad` and `bad_masks`.

    Returns:
        The names of the parent folders, and behind them the plain rest.
    """
    contents: dict[tuple[str, ...], set[str]] = {}
    for parent, name in {(tuple(parts[:depth]), parts[depth]) for parts in paths for depth in range(len(parts))}:
        role = role_of(name, dataset)
        rest, content = (role.rest, role.content) if role.content and not role.is_kind else (name, "images")
        contents.setdefault((*parent, plain(rest)), set()).add(content)
        if role.content == "masks" and role.rest:
            # It belongs to plain `images` beside it, whatever else its name says.
            contents.setdefault((*parent, ""), set()).add("masks")
    return {where for where, there in contents.items() if len(there) == 2}
