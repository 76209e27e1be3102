"""Words of counts, so that one thing is never called many."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    Args:
        number: how many.
        one: the noun in the singular.
        many: in the plural; default with an s.

    Example:
        >>> counted(1, "image"), counted(2, "image"), counted(1200, "category", "categories")
        ('1 image', '2 images', '1,200 categories')
    """
    return f"{number:,} {noun(number, one, many)}"


def noun(number: int, one: str, many: str = "") -> str:
    """The noun alone."""
    return one if number == 1 else many or f"{one}s"
