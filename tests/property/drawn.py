"""What the drawn trees are made of: names that people give, images, masks, and what is true of them.

An image is one of a pool of tiny pictures no two of which are equal, so that it is known again in a prepared set by its
content, whatever it is called there. The same goes for masks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]

NORMAL = ("good", "ok", "normal", "OK", "Good", "GOOD", "healthy", "negative", "Normal")
#: Which of them the pages promise for two folders.
PROMISED = (("good", "bad"), ("ok", "ng"), ("no", "yes"), ("normal", "anomaly"))
#: Nobody can tell that these are normal.
OBSCURE = ("front", "reference", "typeA", "00", "product", "side view")
DEFECTS = ("scratch", "hole", "bent wire", "Bruch", "crack_large", "color", "no_cap", "Ü-Loch", "0", "poke")
BAD = ("bad", "ng", "defect", "anomaly", "abnormal", "Bad", "NG", "defective", "ko", "anomalous")
MASK_FOLDERS = ("ground_truth", "masks", "mask", "Ground_Truth", "gt", "groundtruth", "labels", "label", "GroundTruth")
IMAGE_FOLDERS = ("images", "image", "Images", "img", "imgs")
ENDINGS = ("", "_mask", "_gt", "_seg", "_label", "_Mask")
SUFFIXES = (".png", ".PNG", ".jpg", ".JPG", ".bmp")
CATEGORIES = ("bolt", "metal_nut", "Line1", "01", "screw M5", "Muttern-ä")
#: What else a person might call a second kind of normal images.
SECOND = ("ok", "normal", "ok_front", "good_2", "not defective")
FAULTS = (
    "file is missing",
    "two labels",
    "placeholder",
    "more keys",
    "unlisted",
    "cut",
    "no image column",
    "mask of a normal one",
    "another list",
)
SPARE = ("extra", "pred", "unlabelled", "old", "preview")


@dataclass(frozen=True)
class Truth:
    """What is true of one image: its category ("" where there is only one), label, and mask, by number in the pool."""

    category: str
    label: int
    mask: int | None


@dataclass
class Tree:
    """A tree.

    Attributes:
        images: number in the pool by path.
        masks: the same of masks; -1 is an empty one.
        texts: other files.
        test: what is true of the test images, by number.
        train: the same of training images.
        spare: images of which nothing is known.
        must_refuse: whether no reading of it can be right.
        promised: whether the pages promise that it is read.
    """

    images: dict[str, int] = field(default_factory=dict)
    masks: dict[str, int] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)
    test: dict[int, Truth] = field(default_factory=dict)
    train: dict[int, Truth] = field(default_factory=dict)
    spare: list[str] = field(default_factory=list)
    must_refuse: bool = False
    promised: bool = True

    def add(self, path: str, split: str, category: str, label: int, mask: str = "", empty: bool = False) -> None:
        """An image, and a mask of its own where a path for it is given."""
        number = len(self.images)
        if path in self.images or path in self.masks or mask in self.masks or mask in self.images:
            return
        self.images[path] = number
        if mask:
            self.masks[mask] = -1 if empty else number
        truth = Truth(category, label, number if mask and label else None)
        if split in ("test", "train"):
            (self.test if split == "test" else self.train)[number] = truth

    def __str__(self) -> str:
        lines = [f"{path}  (image {number})" for path, number in sorted(self.images.items())]
        lines += [f"{path}  ({'empty mask' if n < 0 else f'mask {n}'})" for path, n in sorted(self.masks.items())]
        lines += [f"{path}  {text[:600]!r}" for path, text in sorted(self.texts.items())]
        return "\n".join(
            [*lines, f"must refuse: {self.must_refuse}, promised: {self.promised}, spare: {self.spare}", str(self.test)]
        )


class Names:
    """File names as cameras and people give them; the numbers begin anew in every folder."""

    def __init__(self, draw: Draw) -> None:
        self.pattern = draw(st.sampled_from(("{:03}", "{}", "IMG {}", "img_{:04}", "a.b.{}", "Übung-{}", "{}_left")))
        self.suffix = draw(st.sampled_from(SUFFIXES))
        self.mask_suffix = draw(st.sampled_from((self.suffix, ".png")))
        self.ending = draw(st.sampled_from(ENDINGS))

    def image(self, index: int) -> str:
        return self.pattern.format(index) + self.suffix

    def mask(self, index: int) -> str:
        return self.pattern.format(index) + self.ending + self.mask_suffix


def categories_of(draw: Draw) -> list[str]:
    """Names of one to three categories, or nothing for a set without such folders."""
    count: int = draw(st.sampled_from((0, 0, 1, 2, 3)))
    return list(draw(st.permutations(CATEGORIES)))[:count] or [""]


def counts_of(draw: Draw) -> tuple[int, int]:
    return draw(st.integers(1, 3)), draw(st.integers(1, 2))
