"""Folders that hold images, and what their paths say of them: split, category, kind, or that they are masks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from adaclip.data.layouts.kinds import plain, sounds_normal
from adaclip.data.layouts.roles import Role, partners_of, role_of, roles_of
from adaclip.data.layouts.walking import Folder
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError

#: What the names of masks put before the image's.
BEGINNINGS = ("ground_truth_", "groundtruth_", "segmentation_", "label_", "mask_", "seg_", "gt_")
#: What the names of masks add behind the image's.
ENDINGS = (
    "_ground_truth",
    "_groundtruth",
    "_segmentation",
    "_annotation",
    "_labels",
    "_label",
    "_masks",
    "_mask",
    "_seg",
    "_gt",
)


@dataclass(frozen=True)
class Leaf:
    """A folder that holds images or masks.

    Attributes:
        path: where it is.
        parts: its names from the root on.
        roles: what each of them says.
        files: its images, or its masks.
        masks: whether they are masks.
        split: train, test or val, or None.
        key: what images and their masks have in common: the plain names of all folders but those of splits and
            of images or masks.
        label: 0 normal, 1 anomalous, or None where only a mask can tell.
        kind: the word for what they show, or "".
        category: the names that lead to the category; () for the root's own.
        presumed: whether the kind is in no table and was taken for a defect because a normal kind stands beside it.
        known: whether it is known what they are; other images are no part of the set.
        depth: which of the names is the kind, or -1.
    """

    path: Path
    parts: tuple[str, ...]
    roles: tuple[Role, ...]
    files: tuple[Path, ...]
    masks: bool
    split: str | None
    key: tuple[str, ...]
    label: int | None = None
    kind: str = ""
    category: tuple[str, ...] = ()
    presumed: bool = False
    known: bool = False
    depth: int = -1

    @property
    def name(self) -> str:
        """The path below the root, for a person."""
        return "/".join(self.parts) or "the folder itself"


def leaves_of(folders: Sequence[Folder], dataset: Dataset) -> list[Leaf]:
    """All folders with images or masks; masks that lie beside their images in one folder make a leaf of their own.

    Raises:
        AdaclipError: a path contradicts itself.
    """
    holding = [folder for folder in folders if folder.images]
    paths = [folder.parts for folder in holding]
    around = _common(paths)
    # What all have in common tells nothing apart, also where it is a word for normal or anomalous images.
    kinds_inside = any(role_of(name, dataset).is_kind for parts in paths for name in parts[around:])
    partners = partners_of(paths, dataset)
    found: list[Leaf] = []
    for folder in holding:
        roles = roles_of(folder.parts, around, partners, dataset, kinds_inside)
        splits = {role.split for role in roles if role.split}
        if len(splits) > 1:
            raise AdaclipError(
                f"data set '{dataset.id}': {folder.path} is in the splits {' and '.join(sorted(splits))}"
            )
        doubtful = next((role.name for role in roles if role.doubtful), None)
        if doubtful is not None:
            if dataset.unused == "allow":
                continue
            raise AdaclipError(
                f"data set '{dataset.id}': does '{doubtful}' in {folder.path} hold masks, or images of a defect? "
                f"Rename it, or say anomalous: [{doubtful}] in the entry of the set"
            )
        masks = any(role.content == "masks" for role in roles)
        beside = set() if masks else _masks_among(folder.images)
        images = tuple(path for path in folder.images if path not in beside)
        key = tuple(plain(role.rest) for role in roles if role.rest)
        leaf = Leaf(folder.path, folder.parts, roles, images, masks, next(iter(splits), None), key)
        found.append(leaf)
        if beside:
            found.append(replace(leaf, files=tuple(sorted(beside)), masks=True))
    return found


def stem_of(mask: Path) -> str:
    """The stem of the image that a mask belongs to, by the mask's name."""
    stem = mask.stem
    level = stem.lower().replace("-", "_").replace(" ", "_").replace(".", "_")
    ending = next((ending for ending in ENDINGS if level.endswith(ending) and len(ending) < len(level)), "")
    if ending:
        return stem[: len(stem) - len(ending)]
    beginning = next((known for known in BEGINNINGS if level.startswith(known) and len(known) < len(level)), "")
    return stem[len(beginning) :]


def _masks_among(files: Iterable[Path]) -> set[Path]:
    """Masks that lie beside their image: `1_mask.png` beside `1.png`."""
    stems = {path.stem for path in files}
    return {path for path in files if (stem := stem_of(path)) != path.stem and stem in stems}


def _common(paths: Sequence[tuple[str, ...]]) -> int:
    """How many folders all paths begin with."""
    count = 0
    for names in zip(*paths, strict=False):
        if len(set(names)) > 1:
            break
        count += 1
    return count


def with_kinds(leaves: Sequence[Leaf], dataset: Dataset) -> list[Leaf]:
    """Find out for each folder of images its category, its kind and its label.

    A kind that is in no table is taken for a defect only where a normal kind stands beside it.

    Raises:
        AdaclipError: nobody can call a kind normal or anomalous, or names contradict one another.
    """
    images = [leaf for leaf in leaves if not leaf.masks]
    #: Folders in which a kind stands that is surely normal.
    beside_normal = {leaf.parts[:depth] for leaf in images for depth, role in enumerate(leaf.roles) if role.label == 0}
    found = [_with_kind(leaf, beside_normal, dataset) for leaf in images]
    found = [_as_in_test(leaf, found) for leaf in found]
    _check_known(found, dataset)
    _check_below_kinds(found, dataset)
    _check_normal(found, dataset)
    return found


def _with_kind(leaf: Leaf, beside_normal: set[tuple[str, ...]], dataset: Dataset) -> Leaf:
    fault = _contradiction(leaf, dataset)
    siblings = [depth for depth, role in enumerate(leaf.roles) if role.is_free and leaf.parts[:depth] in beside_normal]
    kinds = [depth for depth, role in enumerate(leaf.roles) if role.is_kind]
    depth = kinds[0] if kinds else siblings[0] if siblings else None
    inside = leaf.split and siblings and not any(role.split for role in leaf.roles[: siblings[0]])
    # A category called `clean` does not make its defects normal.
    deeper = bool(kinds) and leaf.roles[kinds[0]].label == 0 and any(sibling > kinds[0] for sibling in siblings)
    if not fault and siblings and (inside or deeper or (depth is not None and siblings[0] < depth)):
        fault = (
            f"'{leaf.parts[siblings[0]]}' stands beside a normal kind, but {leaf.path} has another meaning too: is it "
            "a kind or a category? Move or rename one of them"
        )
    if fault:
        if dataset.unused == "allow":
            return leaf
        raise AdaclipError(f"data set '{dataset.id}': {fault}")
    roles = leaf.roles
    if depth is None:
        first = next((depth for depth, role in enumerate(roles) if role.split or role.content), len(roles))
        free = tuple(role.rest for role in roles if role.rest)
        tidy = not any(role.is_free for role in roles[first:])
        return replace(leaf, category=free, known=tidy and first < len(roles))
    # `good/nut` and `bad/nut`: the entry says which folders below kinds are categories.
    inner = [role.name for role in roles[depth + 1 :] if _is_category(role, dataset)]
    below = [role.rest for role in roles[depth + 1 :] if role.rest and not _is_category(role, dataset)]
    kind, label = roles[depth].rest, roles[depth].label
    return replace(
        leaf,
        category=(*(role.rest for role in roles[:depth] if role.rest), *inner),
        kind=kind if label == 0 else "_".join([kind, *below]),
        # Without a split the folder beside two kinds may be anything: only masks tell that it is a defect.
        label=label if label is not None else 1 if leaf.split else None,
        presumed=label is None,
        known=label is not None or leaf.split is not None,
        depth=depth,
    )


def _is_category(role: Role, dataset: Dataset) -> bool:
    return role.is_free and plain(role.name) in {plain(name) for name in dataset.categories}


def _contradiction(leaf: Leaf, dataset: Dataset) -> str:
    """What in a path cannot be read surely, or ""."""
    unclear = next((role for role in leaf.roles if role.is_unclear), None)
    if unclear is not None:
        renamed = f"{unclear.rest}/{unclear.split}"
        return f"is '{unclear.name}' in {leaf.path} a split or a category? Rename it, such as {renamed}"
    if len({role.label for role in leaf.roles if role.is_kind}) > 1:
        return (
            f"{leaf.path} is below a normal and below an anomalous kind: move it, or say which of the names is "
            "'normal' or 'anomalous' in the entry of the set"
        )
    return ""


def _as_in_test(leaf: Leaf, leaves: Sequence[Leaf]) -> Leaf:
    """A kind of the training split that only the test split explains."""
    if leaf.kind or leaf.split == "test" or not leaf.split:
        return leaf
    same = next((other for other in leaves if other.key == leaf.key and other.split == "test" and other.kind), None)
    if same is None:
        return leaf
    return replace(
        leaf,
        category=same.category,
        kind=same.kind,
        label=same.label,
        presumed=same.presumed,
        known=same.known,
        depth=same.depth,
    )


def _check_known(leaves: Sequence[Leaf], dataset: Dataset) -> None:
    """Refuse kinds that nobody can call normal or anomalous."""
    hint = "say what they are in the entry of the set, such as"
    for leaf in leaves:
        free = [role.name for role in leaf.roles[max(leaf.depth, 0) :] if role.is_free]
        odd = next((name for name in free if sounds_normal(name)), None)
        if leaf.presumed and leaf.known and odd is not None:
            raise AdaclipError(
                f"data set '{dataset.id}': '{odd}' ({leaf.path}) looks as if it were no defect, but is no known word "
                f"for normal images: {hint} normal: [{odd}] or anomalous: [{odd}]"
            )
        depth = next(
            (depth for depth, role in enumerate(leaf.roles) if role.is_free and _below_split(leaf, depth)), None
        )
        if depth is not None and not leaf.kind and not leaf.known and not _contradiction(leaf, dataset):
            top = leaf.parts[:depth]
            kinds = sorted({other.parts[depth] for other in leaves if other.parts[:depth] == top != other.parts})
            like = next((kind for kind in kinds if sounds_normal(kind)), None)
            raise AdaclipError(
                f"data set '{dataset.id}': {'/'.join(top) or leaf.path} has no kind that is surely normal (kinds: "
                f"{', '.join(kinds)}): say in the entry of the set which are, such as normal: [{like or 'NAME'}], or "
                f"which are anomalous, such as anomalous: [{', '.join(kind for kind in kinds if kind != like)}]"
            )


def _check_normal(leaves: Sequence[Leaf], dataset: Dataset) -> None:
    """Refuse a test split of kinds of which none is normal, unless the entry says that all are to be anomalous."""
    said = {plain(name) for name in dataset.anomalous}
    splits: dict[tuple[str, ...], list[Leaf]] = {}
    for leaf in leaves:
        if leaf.split == "test" and leaf.kind and leaf.label is not None:
            splits.setdefault(leaf.category, []).append(leaf)
    for category, kinds in splits.items():
        unsaid = sorted({leaf.parts[leaf.depth] for leaf in kinds if plain(leaf.parts[leaf.depth]) not in said})
        if unsaid and all(leaf.label == 1 for leaf in kinds):
            raise AdaclipError(
                f"data set '{dataset.id}': the test split{' of ' + '/'.join(category) if category else ''} has no "
                f"normal kind (kinds: {', '.join(unsaid)}): say which is normal in the entry of the set, such as "
                f"normal: [NAME], or that all are anomalous: [{', '.join(unsaid)}]"
            )


def _below_split(leaf: Leaf, depth: int) -> bool:
    return any(role.split for role in leaf.roles[:depth])


def _check_below_kinds(leaves: Sequence[Leaf], dataset: Dataset) -> None:
    """Refuse folders below kinds that contradict the kind, or look like categories."""
    below: dict[tuple[object, ...], set[int | None]] = {}
    for leaf in leaves:
        if not leaf.kind or not leaf.known:
            continue
        for role in leaf.roles[leaf.depth + 1 :]:
            if not role.is_free or _is_category(role, dataset):
                continue
            if leaf.label and sounds_normal(role.name):
                raise AdaclipError(
                    f"data set '{dataset.id}': '{role.name}' ({leaf.path}) looks as if it were normal, but lies below "
                    "an anomalous kind: move it"
                )
            labels = below.setdefault((leaf.category, leaf.split, plain(role.name)), set())
            labels.add(leaf.label)
            if len(labels) > 1:
                raise AdaclipError(
                    f"data set '{dataset.id}': '{role.name}' lies below a normal and below an anomalous kind: if it is "
                    "a category, list it under 'categories', or put the kinds into it; if not, take the images out of "
                    f"it ({leaf.path})"
                )
