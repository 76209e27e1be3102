"""What the text prompts call the images of a set: the registry's words, or what folders and ids are called."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from adaclip.data.manifest import known_facts
from adaclip.data.registry import Dataset


def unstated_words(dataset: Dataset, found: Iterable[str]) -> list[str]:
    """A note about categories whose words nobody stated: the prompts take their names, or the set's id.

    Args:
        dataset: the registry entry.
        found: categories of the prepared set.
    """
    bare = [name for name in dict.fromkeys(found) if name not in dataset.categories]
    if not bare:
        return []
    if bare == [dataset.id]:
        return [
            f"the text prompts call the images '{dataset.id}', the id of the set, since nobody states other words: "
            f"give them as `categories`, such as {{{dataset.id}: metal nut}}"
        ]
    return [
        f"the text prompts use the names of the categories as they are found ({', '.join(bare[:8])}"
        f"{', ...' if len(bare) > 8 else ''}): where other words are better, give them as `categories`, such as "
        f"{{{bare[0]}: metal nut}}"
    ]


def words_of(dataset: Dataset, data: str | Path) -> dict[str, str]:
    """Words by category: as its prepared set has them where there is one, else as the registry has; may be empty."""
    return dict(dataset.categories) or dict(known_facts(data, dataset.id).get("prompts") or {})


def words_line(dataset: Dataset, data: str | Path) -> str:
    """What the text prompts call the images of a set, for a person.

    Example:
        >>> words_line(Dataset("nuts", "Nuts", categories={"m5": "metal nut", "bolt": "bolt"}), "data")
        'nuts: m5 is called "metal nut", bolt'
        >>> words_line(Dataset("nuts", "Nuts"), "data")
        'nuts: what its folders are called, or "nuts" where it has no categories: state `categories` to choose'
    """
    words = words_of(dataset, data)
    if not words:
        return (
            f'{dataset.id}: what its folders are called, or "{dataset.id}" where it has no categories: '
            "state `categories` to choose"
        )
    shown = ", ".join(name if name == text else f'{name} is called "{text}"' for name, text in words.items())
    unstated = "" if dataset.categories else " (as its folders or its id have it: state `categories` to choose)"
    return f"{dataset.id}: {shown}{unstated}"
