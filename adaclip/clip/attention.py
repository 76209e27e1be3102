"""Attention other than CLIP's own, with the weights of a block."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor


def value_attention(block: Any, tokens: Tensor) -> Tensor:
    """V-V attention: the values of a block take the place of its queries and keys.

    softmax(V V^T / sqrt(head width)) V for each head, between the block's own in- and out-projection with their biases.
    A token then looks at those whose values are like its own, which keeps patches local (Li et al., CLIP Surgery,
    arXiv:2304.05653).

    Args:
        block: of a tower, as `Backbone.vision_block` gives it.
        tokens: (batch, tokens, width), normalised by the block's `ln_1`.

    Returns:
        (batch, tokens, width), what is added to the residual stream.
    """
    attention = block.attn
    batch, count, width = tokens.shape
    bias = attention.in_proj_bias
    values = F.linear(tokens, attention.in_proj_weight[2 * width :], None if bias is None else bias[2 * width :])
    heads = values.view(batch, count, attention.num_heads, -1).transpose(1, 2)  # (batch, heads, tokens, head width)
    mixed = F.scaled_dot_product_attention(heads, heads, heads)
    joined: Tensor = attention.out_proj(mixed.transpose(1, 2).reshape(batch, count, width))
    return joined
