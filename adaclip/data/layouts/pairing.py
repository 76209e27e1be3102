"""Which mask belongs to which image, in trees of folders: every mask finds its image, or is refused and named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from adaclip.data.layouts.leaves import Leaf, stem_of
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError


def partners_of_masks(images: Sequence[Leaf], masks: Leaf) -> list[Leaf]:
    """The folders of images that a folder of masks can belong to.

    Those of the same names, besides the splits' and the words for images and masks; else those whose names go on
    where the masks' end: `masks` beside `normal` and `abnormal`.
    """
    fitting = [leaf for leaf in images if masks.split is None or leaf.split == masks.split]
    equal = [leaf for leaf in fitting if leaf.key == masks.key]
    return equal or [leaf for leaf in fitting if leaf.key[: len(masks.key)] == masks.key and leaf.kind]


def pair_all(images: Sequence[Leaf], masks: Sequence[Leaf], dataset: Dataset) -> dict[Path, Path]:
    """Pair the masks with images by name; the suffix may differ, and a mask's name may end in `_mask` or the like.

    Position in a sorted listing is no pairing: one missing file would shift all that follow.

    Args:
        images: folders of images.
        masks: folders of masks.
        dataset: the registry entry.

    Returns:
        The mask of each image that has one.

    Raises:
        AdaclipError: a mask without an image, or two of one that claim the same other.
    """
    found: dict[Path, Path] = {}
    for leaf in masks:
        partners = partners_of_masks(images, leaf)
        if not partners:
            raise AdaclipError(
                f"data set '{dataset.id}': masks without images: {leaf.path}: none is called as they are"
            )
        tiers = _tiers(partners)
        for mask in leaf.files:
            image = _image_of(mask, tiers, leaf, dataset)
            if image in found:
                raise AdaclipError(
                    f"data set '{dataset.id}' {leaf.name}: two masks for one image: {found[image].name} and "
                    f"{mask.name if found[image].parent == mask.parent else mask}"
                )
            found[image] = mask
    return found


def _tiers(partners: Sequence[Leaf]) -> list[dict[str, list[Path]]]:
    """Images by stem, first where a mask is to be expected: of the test split, and not normal."""
    order: dict[tuple[bool, bool], dict[str, list[Path]]] = {}
    for leaf in partners:
        tier = order.setdefault((leaf.label == 0, leaf.split == "train"), {})
        for image in leaf.files:
            tier.setdefault(image.stem, []).append(image)
    return [order[place] for place in sorted(order)]


def _image_of(mask: Path, tiers: Sequence[Mapping[str, list[Path]]], leaf: Leaf, dataset: Dataset) -> Path:
    for tier in tiers:
        for stem in dict.fromkeys((mask.stem, stem_of(mask))):
            images = tier.get(stem, [])
            if len(images) > 1:
                first, second = images[:2]
                names = (first.name, second.name) if first.parent == second.parent else (str(first), str(second))
                raise AdaclipError(
                    f"data set '{dataset.id}' {leaf.name}: {names[0]} and {names[1]} claim the same mask {mask.name}"
                )
            if images:
                return images[0]
    raise AdaclipError(f"data set '{dataset.id}': mask without an image: {mask}")


def check_complete(leaves: Sequence[Leaf], masks: Mapping[Path, Path], dataset: Dataset) -> None:
    """Refuse a category and split where some anomalous images have a mask and others have none.

    Raises:
        AdaclipError: see above; the first image without a mask is named.
    """
    masked = {
        (leaf.category, leaf.split) for leaf in leaves if leaf.label != 0 for image in leaf.files if image in masks
    }
    for leaf in leaves:
        bare = next((image for image in leaf.files if image not in masks), None)
        if bare is not None and (leaf.label is None or (leaf.label and (leaf.category, leaf.split) in masked)):
            raise AdaclipError(
                f"data set '{dataset.id}' {leaf.name}: no mask for image {bare}: other images have one, and nothing "
                "says that this one is normal"
            )
