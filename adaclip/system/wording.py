"""Words of counts, so that one thing is never called many, and of failures of code that is not ours."""

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


def reason_of(error: BaseException) -> str:
    """What went wrong in code of others, in one line: the kind of the exception, and its words."""
    words = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
