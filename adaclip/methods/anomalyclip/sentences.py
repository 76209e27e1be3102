"""What AnomalyCLIP asks of an image, in words: the same two sentences for every object (paper, section 3.2)."""

from __future__ import annotations

#: Holds the place of a learned word; it is one token.
PLACEHOLDER = "X"
#: What follows the learned words, for the normal and the abnormal state.
OBJECTS = ("object.", "damaged object.")
#: Tokens of the longer sentence besides the learned words: beginning, "damaged", "object", full stop, end.
OTHER_TOKENS = 5


def sentences(length: int) -> list[str]:
    """The normal and the abnormal sentence with places for learned words.

    Args:
        length: learned words of each.

    Example:
        >>> sentences(3)
        ['X X X object.', 'X X X damaged object.']
    """
    return [" ".join([PLACEHOLDER] * length + [words]) for words in OBJECTS]
