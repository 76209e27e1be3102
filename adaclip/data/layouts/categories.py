"""What the categories of a tree of folders are called: after their folders, after the registry, or after the set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from adaclip.data.layouts.common import known_category, only_category
from adaclip.data.layouts.kinds import plain
from adaclip.data.layouts.leaves import Leaf
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError

Found = tuple[dict[tuple[str, ...], str], list[str]]


def named_categories(found: Mapping[tuple[str, ...], Leaf], root: Path, dataset: Dataset, layout: str) -> Found:
    """Names of the categories that are read, by the folders that lead to them; notes on those that are not.

    Args:
        found: one folder of images for each.
        root: the folder that was given.
        dataset: the registry entry.
        layout: a layout with splits names its category by the folder around them; the others have one category,
            which is the set's, unless several folders are found.

    Raises:
        AdaclipError: two folders would be one category, or one lies within another, or the registry has none of them.
    """
    if len(found) == 1:
        (path,) = found
        return {path: _only_name(path, root, dataset, layout)}, []
    if len(dataset.categories) == 1:
        return _named_like_the_set(found, dataset)
    names: dict[tuple[str, ...], str] = {}
    taken: dict[str, Leaf] = {}
    for path, leaf in found.items():
        inner = next((other for other in found if other != path and other[: len(path)] == path), None)
        if inner is not None:
            raise AdaclipError(
                f"data set '{dataset.id}': {found[inner].path} lies within the folder of {leaf.path}: give one of "
                "them, or put each category into a folder of its own"
            )
        name = known_category(path[-1], dataset, leaf.path)
        if name.casefold() in taken:
            raise AdaclipError(
                f"data set '{dataset.id}': {taken[name.casefold()].path} and {leaf.path} would both be of the category "
                f"'{name}': rename one of the folders"
            )
        taken[name.casefold()] = leaf
        names[path] = name
    return names, []


def _only_name(path: tuple[str, ...], root: Path, dataset: Dataset, layout: str) -> str:
    if layout != "mvtec" or (not path and len(dataset.categories) == 1):
        return only_category(dataset)
    if not path and not dataset.categories:
        return dataset.id
    # mvtec_grid is the category grid of mvtec.
    name = (path[-1] if path else root.name).removeprefix(f"{dataset.id}_")
    if not path and name not in dataset.categories:
        raise AdaclipError(
            f"data set '{dataset.id}': {root} is one category, but '{name}' is none of "
            f"{', '.join(dataset.categories)}: give one category under 'categories', or rename the folder"
        )
    return known_category(name, dataset, root.joinpath(*path))


def _named_like_the_set(found: Mapping[tuple[str, ...], Leaf], dataset: Dataset) -> Found:
    """Of several sets in one archive the one whose path names the set: CVC-ColonDB names colondb."""
    named = [path for path in found if plain(dataset.id) in plain("".join(path))]
    if len(named) != 1 and dataset.unused == "allow":
        # An archive that is known to hold its images more than once, as ClinicDB's PNG and TIF.
        named = sorted(named or found, key=lambda path: (len(path), path))[:1]
    if len(named) != 1:
        raise AdaclipError(
            f"data set '{dataset.id}': several folders fit, but the set has one category: "
            f"{', '.join(sorted(leaf.name for leaf in found.values())[:8])}: give the folder of one of them, or list "
            "the 'categories'"
        )
    others = sorted("/".join(path) or "the folder itself" for path in found if path not in named)
    return {named[0]: only_category(dataset)}, [f"other folders of the same layout are left out: {', '.join(others)}"]
