"""Learnable prompts (paper, section 3.2).

Module names follow the released checkpoints, so that state-dict keys agree with them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class StaticPrompts(nn.Module):
    """One learnable prompt (length, width) for each level, the same for every image."""

    def __init__(self, depth: int, length: int, width: int) -> None:
        super().__init__()
        self.static_prompts = nn.ParameterList(nn.Parameter(torch.randn(length, width) * 0.02) for _ in range(depth))


class DynamicPrompts(nn.Module):
    """One linear layer for each prompt token, from the frozen image embedding."""

    def __init__(self, length: int, embed_dim: int, width: int) -> None:
        super().__init__()
        self.head = nn.ModuleList(nn.Linear(embed_dim, width) for _ in range(length))

    def forward(self, embedding: Tensor) -> Tensor:
        """(batch, E) -> (batch, length, width)."""
        return torch.stack([layer(embedding) for layer in self.head], dim=1)


class Projections(nn.Module):
    """Linear layers side by side: one for each feature block, or one for the image embedding."""

    def __init__(self, count: int, width_in: int, width_out: int) -> None:
        super().__init__()
        self.head = nn.ModuleList(nn.Linear(width_in, width_out) for _ in range(count))

    def forward(self, tokens: Sequence[Tensor]) -> list[Tensor]:
        """The i-th layer on the i-th tensor, L2-normalised: (..., width_in) -> (..., width_out)."""
        return [nn.functional.normalize(layer(x), dim=-1) for layer, x in zip(self.head, tokens, strict=True)]


def combine(static: StaticPrompts | None, dynamic: Tensor | None, depth: int) -> list[Tensor]:
    """The prompts of every level.

    Args:
        static: static prompts or None.
        dynamic: (batch, length, width) or None; the same for every level.
        depth: number of levels J.

    Returns:
        J tensors (batch or 1, length, width): the sum of what there is; an empty list when there is neither.
    """
    if static is None and dynamic is None:
        return []
    levels = []
    for level in range(depth):
        prompt = static.static_prompts[level][None] if static is not None else None
        if dynamic is not None:
            prompt = dynamic if prompt is None else dynamic + prompt
        assert prompt is not None
        levels.append(prompt)
    return levels
