"""What a person should look at in a prepared set: counts that differ, images that occur twice, doubtful files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from adaclip.data.manifest import ManifestRow
from adaclip.data.place_images import Placed
from adaclip.data.registry import Dataset

#: 16-bit grey images with lower values only look black: the file probably holds 12 bits or fewer.
DARK = 4096
#: Masks that grow by more than this from one mask rule to the other are worth a word.
GROWTH = 1.1

KINDS = ("normal", "anomalous")
Counts = dict[str, dict[str, int]]


def count(rows: Sequence[ManifestRow]) -> Counts:
    """Normal and anomalous images by split."""
    found: Counts = {}
    for row in rows:
        found.setdefault(row.split, dict.fromkeys(KINDS, 0))[KINDS[row.label]] += 1
    return found


def count_by_category(rows: Sequence[ManifestRow]) -> dict[str, Counts]:
    """The same for each category."""
    parts: defaultdict[str, list[ManifestRow]] = defaultdict(list)
    for row in rows:
        parts[row.category].append(row)
    return {category: count(parts[category]) for category in sorted(parts)}


def duplicate_groups(rows: Sequence[ManifestRow]) -> list[list[str]]:
    """Groups of images whose files are equal."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        groups[row.sha256].append(row.image)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)


def warnings_of(
    dataset: Dataset,
    placed: Sequence[Placed],
    duplicates: Sequence[Sequence[str]],
    expected: Mapping[str, int] | None = None,
) -> list[str]:
    """All that a person should look at; one sentence each, without a full stop.

    Args:
        dataset: the registry entry with the expected counts.
        placed: the images.
        duplicates: see `duplicate_groups`.
        expected: counts of the test split where an option changes the published ones, else None.
    """
    rows = [image.row for image in placed]
    found = _missing_categories(dataset, rows)
    found += _counts(dataset, rows, expected)
    found += _duplicates(rows, duplicates)
    found += _without_mask(rows)
    found += _dark(placed)
    found += _like_masks(placed)
    found += _inverted(placed)
    return [f"{dataset.id}: {text}" for text in found]


def notes_of(placed: Sequence[Placed]) -> list[str]:
    """What is worth knowing of the files, without being a fault."""
    growths = [image.growth for image in placed if image.growth is not None]
    masks = sum(bool(image.row.mask) for image in placed)
    found = []
    if growths:
        much = sum(growth > GROWTH for growth in growths)
        found.append(
            f"{len(growths)} of {masks} masks are not binary; in {much} of them the rule nonzero marks over "
            f"{round(100 * (GROWTH - 1))} % more than the rule half"
        )
    wide = sum(image.highest is not None for image in placed)
    if wide:
        found.append(f"{wide} 16-bit grey images were scaled from 0..65535 to 8 bits")
    grey = sum(image.reference_grey for image in placed)
    if grey:
        found.append(f"{grey} colour TIFFs were read as the grey of their first channel, as the reference does")
    return found


def _missing_categories(dataset: Dataset, rows: Sequence[ManifestRow]) -> list[str]:
    present = {row.category for row in rows}
    missing = [category for category in dataset.categories if category not in present]
    return [f"no images of the categories {', '.join(missing)}"] if missing else []


def _counts(dataset: Dataset, rows: Sequence[ManifestRow], expected: Mapping[str, int] | None) -> list[str]:
    empty: dict[str, int] = dict.fromkeys(KINDS, 0)
    if expected is None and dataset.test_by_category:
        here = count_by_category(rows)
        stated = [
            _differs(here[category].get("test", empty)[kind], f"{kind} test images of {category}", published)
            for category, numbers in dataset.test_by_category.items()
            if category in here
            for kind, published in numbers.items()
            if here[category].get("test", empty)[kind] != published
        ]
        return [*stated, *_counts_in_some_order(dataset, here)]
    totals = count(rows).get("test", empty)
    return [
        _differs(totals[kind], f"{kind} test images", published)
        for kind, published in (dataset.test if expected is None else expected).items()
        if totals[kind] != published
    ]


def _counts_in_some_order(dataset: Dataset, here: Mapping[str, Counts]) -> list[str]:
    """Categories whose counts are none of those that are left, each of which is one category's."""
    left = list(dataset.test_in_some_order)
    odd = []
    for category in dataset.categories if left else ():
        if category not in here or category in dataset.test_by_category:
            continue
        found = here[category].get("test", dict.fromkeys(KINDS, 0))
        counts = (found["normal"], found["anomalous"])
        if counts in left:
            left.remove(counts)
        else:
            odd.append((category, counts))
    expected = " or ".join(f"{normal} + {anomalous}" for normal, anomalous in dict.fromkeys(left))
    return [
        f"{normal} + {anomalous} test images of {category} (normal + anomalous), the published set has {expected} of it"
        for category, (normal, anomalous) in odd
    ]


def _differs(here: int, what: str, published: int) -> str:
    return f"{here} {what}, the published set has {published}"


def _duplicates(rows: Sequence[ManifestRow], groups: Sequence[Sequence[str]]) -> list[str]:
    if not groups:
        return []
    labels = {row.image: row.label for row in rows}
    differing = sum(len({labels[image] for image in group}) > 1 for group in groups)
    text = f"{len(groups)} group{'s' if len(groups) > 1 else ''} of identical image files (listed in prepared.json)"
    return [text + (f", {differing} of them with different labels" if differing else "")]


def _without_mask(rows: Sequence[ManifestRow]) -> list[str]:
    kinds = Counter(bool(row.mask) for row in rows if row.label)
    if not kinds[True] or not kinds[False]:
        return []
    return [f"{kinds[False]} of {kinds.total()} anomalous images have no mask: pixel figures leave them out"]


def _dark(placed: Sequence[Placed]) -> list[str]:
    dark = [image for image in placed if image.highest is not None and image.highest < DARK]
    if not dark:
        return []
    return [
        f"{len(dark)} 16-bit images use values below {DARK} only and come out nearly black: scale them to the full 16 "
        f"bits, such as {dark[0].row.image}"
    ]


def _like_masks(placed: Sequence[Placed]) -> list[str]:
    """Masks under a name that nothing here knows pass for images."""
    alike = [image for image in placed if image.like_a_mask]
    if not alike or len(alike) == len(placed):
        return []
    return [
        f"{len(alike)} of {len(placed)} images are black and one other grey only, as masks are, such as "
        f"{alike[0].row.image}: if they are masks, put them into a folder called masks"
    ]


def _inverted(placed: Sequence[Placed]) -> list[str]:
    """Masks that are black where the defect is mark all but it."""
    masks = [image for image in placed if image.marked is not None]
    large = [image for image in masks if image.marked is not None and image.marked > 0.5]
    if 2 * len(large) <= len(masks):
        return []
    return [
        f"{len(large)} of {len(masks)} masks mark more than half of their image, such as {large[0].row.mask}: "
        "if they are black where the defect is, invert them"
    ]
