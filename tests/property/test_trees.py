"""Two thousand drawn folder trees: each is read exactly as it is, or refused in one line; none is silently wrong."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image

from adaclip.data.prepare import Prepared, prepare
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError
from tests.property.drawn import Tree, Truth
from tests.property.trees import trees

TREES = 2000
POOL = 100
#: Of the trees that can be read at least so many must be: a reader that refuses everything is never wrong.
READ = 0.5


class Pool:
    """Pictures and masks no two of which are equal, written once and linked into every tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for number in range(POOL):
            colours = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(colours).save(folder / f"image{number}.png")
            marked = np.zeros((8, 8), np.uint8)
            marked[3:5, 3:5] = 255
            marked[0, :] = [255 * (number >> bit & 1) for bit in range(8)]
            Image.fromarray(marked).save(folder / f"mask{number}.png")
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "mask-1.png")
        self.number = {self._digest(path): int(path.stem.lstrip("imagesk")) for path in folder.glob("*.png")}

    @staticmethod
    def _digest(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def number_of(self, path: Path) -> int:
        """Which picture or mask a file is; -2 for one that is none of them."""
        return self.number.get(self._digest(path), -2)

    def write(self, tree: Tree, top: Path) -> None:
        """Lay a tree out on disk."""
        for kind, files in (("image", tree.images), ("mask", tree.masks)):
            for path, number in files.items():
                target = top / path
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(self.folder / f"{kind}{number}.png", target)
        for path, text in tree.texts.items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).write_bytes(text)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where the system has one: thousands of small files wait for a disk that others use."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


def fault_of(tree: Tree, made: Prepared, out: Path, pool: Pool) -> str:
    """What is wrong with a prepared set, or "" when it is what the tree says."""
    found: dict[str, dict[int, Truth]] = {"test": {}, "train": {}}
    for row in made.rows:
        mask = pool.number_of(out / row.mask) if row.mask else None
        found[row.split][pool.number_of(out / row.image)] = Truth(row.category, row.label, mask)
    if tree.must_refuse:
        return "it cannot be read surely, but was"
    if found["test"].keys() != tree.test.keys():
        return f"its test images are {sorted(tree.test)}, not {sorted(found['test'])}"
    # What training images are is not asked of a set whose test split is all that is used.
    for number, right in {**tree.test, **{n: t for n, t in tree.train.items() if n in found["train"]}}.items():
        there = found["test"].get(number) or found["train"][number]
        if (there.label, there.mask) != (right.label, right.mask):
            return f"image {number} has label {right.label} and mask {right.mask}, not {there.label} and {there.mask}"
    pairs = {(tree.test[number].category, there.category) for number, there in found["test"].items()}
    named = {right for right, _ in pairs}
    if len(pairs) != len(named) or len({there for _, there in pairs}) != len(named):
        return f"its categories are {sorted(named)}, but they are mixed: {sorted(pairs)}"
    if len(named) > 1 and any(right not in there for right, there in pairs):
        return f"its categories have other names: {sorted(pairs)}"
    said = " ".join((*made.notes, *made.warnings))
    unsaid = [path for path in tree.spare if Path(path).parent.name not in said]
    return f"{unsaid[0]} is not used, without a word" if unsaid else ""


def outcome(tree: Tree, top: Path, pool: Pool) -> tuple[str, str]:
    """`read`, `refused` or `wrong` for a tree, and why."""
    raw, out = top / "raw", top / "set"
    try:
        pool.write(tree, raw)
        try:
            made = prepare(Dataset("own", "Own"), raw, out, jobs=1)
        except AdaclipError as error:
            text = str(error)
            if "\n" in text or not text:
                return "wrong", f"refused in more than one line: {text}"
            return (
                ("wrong", f"refused, but promised: {text}")
                if tree.promised and not tree.must_refuse
                else (
                    "refused",
                    text,
                )
            )
        fault = fault_of(tree, made, out, pool)
        return ("wrong", f"{fault} (recognised: {made.recognised})") if fault else ("read", "")
    finally:
        shutil.rmtree(raw, ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)


def small() -> Tree:
    """A tree that is read: a normal image, and an anomalous one with its mask."""
    tree = Tree()
    tree.add("test/good/0.png", "test", "", 0)
    tree.add("test/hole/0.png", "test", "", 1, "ground_truth/hole/0_mask.png")
    return tree


def test_what_is_wrong_is_seen(folder: Path) -> None:
    (folder / "pool").mkdir()
    pool = Pool(folder / "pool")
    assert outcome(small(), folder / "tree", pool) == ("read", "")
    for number, untrue in (
        (0, Truth("", 1, None)),
        (1, Truth("", 0, None)),
        (1, Truth("", 1, None)),
        (2, Truth("", 0, None)),
    ):
        tree = small()
        tree.test[number] = untrue
        assert outcome(tree, folder / "tree", pool)[0] == "wrong", untrue
    tree = small()
    tree.must_refuse = True
    assert outcome(tree, folder / "tree", pool)[0] == "wrong"
    refused = small()
    refused.masks["ground_truth/hole/7_mask.png"] = 7
    assert outcome(refused, folder / "tree", pool)[0] == "wrong", "it is promised that this is read"
    refused.promised = False
    assert outcome(refused, folder / "tree", pool)[0] == "refused"


def test_every_tree_is_read_as_it_is_or_refused(folder: Path) -> None:
    (folder / "pool").mkdir()
    pool = Pool(folder / "pool")
    count: Counter[str] = Counter()

    @settings(
        max_examples=TREES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(trees())
    def look(tree: Tree) -> None:
        result, why = outcome(tree, folder / "tree", pool)
        assert result != "wrong", f"{why}\n{tree}"
        count["unreadable" if tree.must_refuse else result] += 1

    look()
    assert count.total() >= 0.9 * TREES
    assert count["read"] / (count["read"] + count["refused"]) > READ, count
