"""Bilinear interpolation with aligned corners as a product with one matrix from each side.

Its gradient is a product too, so that it is the same from run to run on a GPU, where PyTorch's own adds in whatever
order its threads come.
"""

from __future__ import annotations

import torch
from torch import Tensor


def axis_matrix(grid: int, size: int) -> Tensor:
    """What takes `grid` values along one axis to `size` pixels, first and last on first and last: (size, grid)."""
    position = torch.linspace(0, grid - 1, size, dtype=torch.float64)
    distance = (position[:, None] - torch.arange(grid, dtype=torch.float64)).abs()
    return (1 - distance).clamp(min=0).float()


def enlarge(square: Tensor, matrix: Tensor) -> Tensor:
    """Interpolate along both axes, in fp32.

    Args:
        square: (..., g, g).
        matrix: (S, g), of `axis_matrix`.

    Returns:
        (..., S, S), float32.
    """
    # Under autocast the products would be rounded to 8 bits of mantissa or 11, and the ranking of pixels with them.
    with torch.autocast(square.device.type, enabled=False):
        return matrix @ square.float() @ matrix.T
