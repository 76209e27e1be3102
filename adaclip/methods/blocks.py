"""Which blocks of the vision tower a method reads."""

from __future__ import annotations

from adaclip.clip.architectures import Architecture
from adaclip.errors import UsageError

#: Most methods read the vision tower at four depths.
FEATURE_BLOCKS = 4


def quarters(architecture: Architecture) -> tuple[int, ...]:
    """The last block of each quarter of the vision tower, counted from 1: 6, 12, 18, 24 of 24.

    Raises:
        UsageError: a tower of fewer than four blocks.
    """
    step = architecture.vision_blocks // FEATURE_BLOCKS
    if step == 0:
        raise UsageError(
            f"{architecture.model} has {architecture.vision_blocks} vision blocks; "
            f"{FEATURE_BLOCKS} feature blocks need at least that many"
        )
    return tuple(step * (index + 1) for index in range(FEATURE_BLOCKS))


def check_quarters(architecture: Architecture, settings: object) -> None:
    """A card's `check` for a method that reads four blocks."""
    quarters(architecture)
