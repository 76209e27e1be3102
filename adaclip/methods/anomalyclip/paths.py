"""The second path through the vision tower: what the paper calls diagonally prominent attention maps (DPAM)."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor

from adaclip.clip.attention import value_attention
from adaclip.clip.backbone import Backbone, Edit


def two_paths(
    backbone: Backbone, images: Tensor, dpam_blocks: int, read: Collection[int]
) -> tuple[dict[int, Tensor], Tensor]:
    """CLIP's own path, and beside it one that adds up V-V attention and has no MLP (paper, section 3.3).

    The second path starts as the input of the first of the last `dpam_blocks` blocks. In each of them it gains the V-V
    attention of the tokens that come in on CLIP's own path, which knows nothing of it.

    Args:
        backbone: a frozen CLIP.
        images: (batch, 3, S, S), preprocessed.
        dpam_blocks: number of last blocks with V-V attention, 0 for none.
        read: blocks, counted from 1.

    Returns:
        The second path's tokens (batch, 1 + L, W) after each block that is read (CLIP's own before it begins), and
        CLIP's own after the last block.

    Raises:
        UsageError: images of another shape.
    """
    first = backbone.architecture.vision_blocks - dpam_blocks + 1
    found: dict[int, Tensor] = {}
    beside: Tensor | None = None

    def attended(number: int) -> Edit:
        block = backbone.vision_block(number)

        def edit(x: Tensor) -> Tensor:
            nonlocal beside
            gained = block.ls_1(value_attention(block, block.ln_1(x)))
            beside = gained + (x if beside is None else beside)
            if number in read:
                found[number] = beside
            return x

        return edit

    kept, last = backbone.walk(
        backbone.embed(images),
        read=[number for number in read if number < first],
        before={number: attended(number) for number in range(first, max(read) + 1)},
    )
    return kept | found, last
