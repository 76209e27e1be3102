"""Trees of any kind, with what lies about in real folders."""

from __future__ import annotations

from pathlib import PurePosixPath

from hypothesis import strategies as st

from tests.property.drawn import SPARE, Draw, Tree
from tests.property.folders import (
    domains,
    kind_first,
    kinds,
    mixed,
    mvtec,
    nested,
    one_folder,
    pairs,
    public,
    splits_first,
)
from tests.property.listings import listing


@st.composite
def trees(draw: Draw) -> Tree:
    """A tree of any kind."""
    common = (mvtec, mvtec, kinds, kinds, pairs, pairs, listing, listing)
    kind = draw(st.sampled_from((*common, splits_first, nested, public, mixed, domains, one_folder, kind_first)))
    tree: Tree = kind(draw)
    _disturb(draw, tree)
    wrap = "/".join(draw(st.sampled_from(((), (), ("dataset",), ("own_v1.2", "Data set"), ("a", "b", "c")))))
    return _below(wrap, tree) if wrap else tree


def _disturb(draw: Draw, tree: Tree) -> None:
    """Add what lies about in real folders."""
    some = sorted(tree.images)
    for noise in draw(
        st.lists(st.sampled_from(("shadow", "store", "thumbs", "macosx", "readme", "spare", "unread")), max_size=3)
    ):
        beside = PurePosixPath(draw(st.sampled_from(some)))
        if noise == "shadow":
            tree.texts[str(beside.with_name(f"._{beside.name}"))] = b"\0\5\26\7 Mac OS X"
        elif noise == "store":
            tree.texts[str(beside.with_name(".DS_Store"))] = b"\0\0\0\1Bud1"
        elif noise == "thumbs":
            tree.texts[str(beside.with_name("Thumbs.db"))] = b"\xd0\xcf\x11\xe0"
        elif noise == "macosx":
            tree.texts[f"__MACOSX/{beside.parent}/._{beside.name}"] = b"\0\5\26\7 Mac OS X"
        elif noise == "readme":
            tree.texts["README.txt"] = b"Photos of last year."
        elif noise == "unread":
            # A picture in a format that is not read must not be lost without a word.
            path = str(beside.with_name("IMG_9.HEIC"))
            tree.texts[path] = b"\0\0\0\x18ftypheic"
            tree.spare.append(path)
            tree.promised = False
        elif not tree.spare:
            path = f"{draw(st.sampled_from(SPARE))}/{draw(st.sampled_from(('x.png', '000.png')))}"
            tree.images[path] = len(tree.images)
            tree.spare.append(path)
            tree.promised = False


def _below(folder: str, tree: Tree) -> Tree:
    return Tree(
        {f"{folder}/{path}": number for path, number in tree.images.items()},
        {f"{folder}/{path}": number for path, number in tree.masks.items()},
        {f"{folder}/{path}": text for path, text in tree.texts.items()},
        tree.test,
        tree.train,
        [f"{folder}/{path}" for path in tree.spare],
        tree.must_refuse,
        tree.promised,
    )
