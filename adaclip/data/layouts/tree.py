"""Trees of folders whose names say what they hold: splits, categories, normal and anomalous kinds, images and masks.

Three layouts are of this sort, and told apart by what their names say:

- mvtec: splits and kinds, `<category>/{train,test}/<kind>` and `<category>/ground_truth/<kind>` (MVTec AD, MPDD, BTAD,
  DTD-Synthetic), in any order and with masks in any of the usual places;
- folders: kinds without splits, `no` and `yes`, `good` and `bad`, masks or not (BrainMRI, Br35H);
- pairs: images beside masks, and nothing but the masks says what is anomalous (ISIC, CVC-ClinicDB, TN3K).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from adaclip.data.decode import like_a_mask, open_image, open_mask
from adaclip.data.layouts.categories import named_categories
from adaclip.data.layouts.common import Item, Reading
from adaclip.data.layouts.kinds import check_said, sounds_normal
from adaclip.data.layouts.leaves import Leaf, leaves_of, stem_of, with_kinds
from adaclip.data.layouts.pairing import check_complete, pair_all, partners_of_masks
from adaclip.data.layouts.roles import role_of
from adaclip.data.layouts.walking import Folder
from adaclip.data.reading_options import Options
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError

TITLES = {
    "mvtec": "MVTec folders (<category>/test/<kind>, <category>/ground_truth/<kind>)",
    "folders": "folders of normal and of anomalous images (such as no and yes, good and bad)",
    "pairs": "a folder of images beside a folder of masks",
}


@dataclass(frozen=True)
class Tree:
    """A tree that was understood.

    Attributes:
        layout: mvtec, folders or pairs.
        top: the folder that holds the categories, or the only one.
        images: the folders of images that are read.
        masks: the folders of masks that belong to them.
        names: the category's name for each `Leaf.category`.
        notes: what was decided.
        unknown: kinds beside a normal one that are not read, since nobody can say what they show.
    """

    layout: str
    top: Path
    images: tuple[Leaf, ...]
    masks: tuple[Leaf, ...]
    names: dict[tuple[str, ...], str]
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def recognise_tree(root: Path, folders: Sequence[Folder], dataset: Dataset) -> Tree | None:
    """Understand the names of all folders below the root; None when they say nothing.

    Args:
        root: the folder that was given.
        folders: all below it, see `folders_below`.
        dataset: the registry entry.

    Raises:
        AdaclipError: the names speak of images, but cannot be read surely.
        UsageError: the entry speaks of kinds that are not there.
    """
    leaves = leaves_of(folders, dataset)
    if not any(leaf.parts or leaf.masks for leaf in leaves):
        return None
    check_said(dataset, {name for folder in folders for name in folder.parts})
    all_masks = [leaf for leaf in leaves if leaf.masks]
    everything = with_kinds(leaves, dataset)
    images = [leaf for leaf in everything if _is_read(leaf, all_masks, everything)]
    unknown = sorted({leaf.kind for leaf in everything if leaf.kind and leaf not in images})
    images = [replace(leaf, label=1, known=True) if leaf.kind and leaf.label is None else leaf for leaf in images]
    kinds = {leaf.label for leaf in images if leaf.kind and not leaf.split}
    if kinds and kinds != {0, 1} and not any(leaf.split for leaf in images):
        # A single folder `good` is no layout.
        return None
    if not images:
        return None
    names, notes = named_categories({leaf.category: leaf for leaf in images}, root, dataset, _layout_of(images[0]))
    left = [leaf for leaf in images if leaf.category not in names]
    images = [leaf for leaf in images if leaf.category in names]
    masks = [leaf for leaf in all_masks if not _only_of(leaf, left, images)]
    if dataset.unused == "allow":
        masks = [leaf for leaf in masks if partners_of_masks(images, leaf)]
    layout = _only_layout(images, dataset)
    _check_apart(images, dataset)
    _check_mask_folders(folders, dataset)
    return Tree(layout, _top_of(root, images, layout), tuple(images), tuple(masks), names, tuple(notes), tuple(unknown))


def _is_read(leaf: Leaf, masks: Sequence[Leaf], images: Sequence[Leaf]) -> bool:
    """Whether a label is known, or masks tell it: of a folder of their own, or of each image and no other."""
    if leaf.known and leaf.kind:
        return True
    if not leaf.kind and len(images) == 1 and any(mask.path == leaf.path for mask in masks):
        # One folder of images and their masks, whatever it is called.
        return True
    if not (leaf.known or leaf.kind) or (leaf.kind and sounds_normal(leaf.kind)):
        return False
    fitting = [mask for mask in masks if mask.split in (None, leaf.split)]
    if any(mask.key == leaf.key for mask in fitting):
        return True
    if not leaf.kind:
        return False
    stems = {stem_of(path) for mask in fitting if leaf.key[: len(mask.key)] == mask.key for path in mask.files}
    place = (leaf.category, leaf.split)
    others = {
        path.stem
        for other in images
        if other is not leaf and (other.category, other.split) == place
        for path in other.files
    }
    return all(path.stem in stems - others for path in leaf.files)


def _only_of(masks: Leaf, left: Sequence[Leaf], images: Sequence[Leaf]) -> bool:
    return bool(partners_of_masks(left, masks)) and not partners_of_masks(images, masks)


def _layout_of(leaf: Leaf) -> str:
    if not leaf.kind:
        return "pairs"
    return "mvtec" if leaf.split else "folders"


def _only_layout(images: Sequence[Leaf], dataset: Dataset) -> str:
    layouts: dict[tuple[str, bool], Leaf] = {}
    for leaf in images:
        layouts.setdefault((_layout_of(leaf), leaf.split is not None), leaf)
    if len(layouts) > 1:
        first, second = list(layouts.items())[:2]
        raise AdaclipError(
            f"data set '{dataset.id}': two layouts in one folder: {first[1].path} is of the layout "
            f"{first[0][0]}, {second[1].path} of {second[0][0]}, or only one of them has splits: give one of them, or "
            "sets of their own"
        )
    return next(iter(layouts))[0]


def _check_apart(images: Sequence[Leaf], dataset: Dataset) -> None:
    """Refuse `frames/good` beside `photos/good`: two categories, or one?"""
    places: dict[tuple[object, ...], Leaf] = {}
    for leaf in images:
        first = places.setdefault((leaf.key, leaf.split), leaf)
        words = [[role.name for role in other.roles if role.content and not role.rest] for other in (first, leaf)]
        if words[0] != words[1]:
            raise AdaclipError(
                f"data set '{dataset.id}': {first.path} and {leaf.path} say the same of their images: are they two "
                "categories? Rename the folders that are called after images or data"
            )


def _shared(tops: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The folders with which every path begins."""
    alike = takewhile(lambda names: len(set(names)) == 1, zip(*tops, strict=False))
    return tuple(names[0] for names in alike)


def _top_of(root: Path, images: Sequence[Leaf], layout: str) -> Path:
    """The folder that holds the categories' folders, or the only category's own where it has no name."""
    tops = []
    for leaf in images:
        depth = next((depth for depth, role in enumerate(leaf.roles) if not role.is_free or depth == leaf.depth), 0)
        tops.append(leaf.parts[:depth])
    several = len({leaf.category for leaf in images}) > 1 or layout == "mvtec"
    shared = _shared(tops)
    if several and shared in tops:
        shared = shared[:-1]
    return root.joinpath(*shared)


def _check_mask_folders(folders: Sequence[Folder], dataset: Dataset) -> None:
    """Refuse masks in files that nothing here reads: they would be dropped."""
    if dataset.unused == "allow":
        return
    holding = {folder.parts[:depth] for folder in folders if folder.images for depth in range(len(folder.parts) + 1)}
    for folder in folders:
        files = (*(path.name for path in folder.unread), *folder.others)
        # Also masks by kind: ground_truth/bent/000.npy.
        named = any(
            role.content == "masks" and not role.rest for role in (role_of(name, dataset) for name in folder.parts)
        )
        if named and files and folder.parts not in holding:
            raise AdaclipError(
                f"data set '{dataset.id}': {folder.path} should hold masks, but holds no image that is read (such as "
                f"{files[0]}): convert them to PNG, or say unused: allow in the entry of the set"
            )


def read_tree(tree: Tree, dataset: Dataset, options: Options) -> Reading:
    """The images of a tree, each with its mask where there is one.

    Images for validation are left out, unless there is no test split: then they are it.

    Raises:
        AdaclipError: images and masks do not pair.
    """
    _check_no_masks_among(tree, dataset)
    masks = pair_all(tree.images, tree.masks, dataset)
    check_complete(tree.images, masks, dataset)
    if "mask" in dataset.labels:
        _check_masks_are_there(tree, masks, dataset)
    notes = list(tree.notes)
    splits = {leaf.split for leaf in tree.images}
    left_out: list[Path] = []
    items = []
    for leaf in tree.images:
        split = leaf.split or "test"
        if split == "val" and "test" in splits:
            left_out += [path for image in leaf.files for path in (image, masks.get(image)) if path is not None]
            continue
        category = tree.names[leaf.category]
        for image in leaf.files:
            mask = masks.get(image)
            label = leaf.label if leaf.label is not None else _label_by_mask(image, mask, dataset, options)
            kind = leaf.kind or ("anomalous" if label else "good")
            items.append(Item(category, "test" if split == "val" else split, image, mask, label, kind))
    if "val" in splits:
        folders = ", ".join(sorted({leaf.name for leaf in tree.images if leaf.split == "val"}))
        said = "for validation and are left out" if left_out else "for validation; without a test split they are it"
        notes.append(f"images of {folders} are {said}")
    if tree.layout == "pairs":
        for content, leaves in (("images", tree.images), ("masks", tree.masks)):
            names = sorted({leaf.name for leaf in leaves if leaf.split != "val" or not left_out})
            notes.append(f"{content} of {', '.join(names[:8])}{' and others' if len(names) > 8 else ''}")
    return Reading(items, notes, left_out=left_out)


def _check_no_masks_among(tree: Tree, dataset: Dataset) -> None:
    """Refuse `1.png` beside `1.jpg` that looks like its mask: only the suffix tells them apart."""
    for leaf in tree.images:
        stems: dict[str, Path] = {}
        for path in leaf.files:
            first = stems.setdefault(path.stem, path)
            if first is not path and like_a_mask(open_image(first)) != like_a_mask(open_image(path)):
                raise AdaclipError(
                    f"data set '{dataset.id}': one of {first} and {path.name} looks like the mask of the other: put "
                    "masks into a folder of their own, or call them by the image's name with _mask behind it"
                )


def _label_by_mask(image: Path, mask: Path | None, dataset: Dataset, options: Options) -> int:
    """What only a mask says: an empty one means a normal image."""
    assert mask is not None
    # Where no normal image is expected an empty mask is a fault, which is found with the pixels.
    if dataset.test.get("normal") == 0:
        return 1
    highest = int(open_mask(mask).getextrema()[1])  # type: ignore[arg-type]
    if 0 < highest <= options.threshold:
        raise AdaclipError(
            f"data set '{dataset.id}': mask {mask} has values up to {highest} only, which the option mask_rule: "
            f"{options.mask_rule} takes for empty: is {image} normal or anomalous?"
        )
    return int(highest > 0)


def _check_masks_are_there(tree: Tree, masks: dict[Path, Path], dataset: Dataset) -> None:
    with_masks = {leaf.category for leaf in tree.images if any(image in masks for image in leaf.files)}
    for leaf in tree.images:
        if leaf.label != 0 and leaf.split != "train" and leaf.category not in with_masks:
            raise AdaclipError(
                f"data set '{dataset.id}': {leaf.path} has no ground_truth folder or other masks, but the set should "
                "have masks"
            )
