"""Raw layouts: how the originals lie on disk. One small module for each, recognised by content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from adaclip.data.layouts import colondb, folders, headct, mvtec, pairs
from adaclip.data.layouts.common import Item, Layout, subfolders
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError

#: In the order in which they are tried: the more specific first.
LAYOUTS: dict[str, Layout] = {
    "mvtec": mvtec,
    "headct": headct,
    "folders": folders,
    "pairs": pairs,
    "colondb": colondb,
}
#: Archives like to wrap their content in folders: so many are looked into.
DEPTH = 2


def recognise(root: Path, dataset: Dataset) -> tuple[str, Path]:
    """Find the layout of an original and the folder where it begins.

    Args:
        root: folder that the user or the archive gave; the layout may begin up to two folders below.
        dataset: its registry entry, whose `layout` is obeyed unless it is auto.

    Returns:
        The layout's name and its top folder.

    Raises:
        AdaclipError: no layout fits; what is there is named.
    """
    if not root.is_dir():
        raise AdaclipError(f"data set '{dataset.id}': no such folder: {root}")
    names = list(LAYOUTS) if dataset.layout == "auto" else [dataset.layout]
    for folder in _candidates(root, DEPTH):
        for name in names:
            if LAYOUTS[name].recognise(folder):
                return name, folder
    seen = ", ".join(sorted(entry.name for entry in root.iterdir())[:8]) or "nothing"
    wanted = "a known layout" if dataset.layout == "auto" else f"the layout '{dataset.layout}'"
    raise AdaclipError(
        f"data set '{dataset.id}': {root} is not in {wanted} (it holds {seen}): expected MVTec folders "
        "(test, ground_truth), two folders such as good and bad, or pairs of image and mask folders"
    )


def read_items(root: Path, dataset: Dataset) -> tuple[str, list[Item]]:
    """The images of an original in sorted order, and the name of its layout.

    Raises:
        AdaclipError: no layout fits, no image is there, or images and masks do not pair.
    """
    name, top = recognise(root, dataset)
    items = sorted(LAYOUTS[name].items(top, dataset), key=lambda item: (item.category, item.split, str(item.image)))
    if not items:
        raise AdaclipError(f"data set '{dataset.id}': no image in {root} (layout {name})")
    return name, items


def _candidates(root: Path, depth: int) -> Iterator[Path]:
    level = [root]
    for _ in range(depth + 1):
        yield from level
        level = [below for folder in level for below in subfolders(folder)]
