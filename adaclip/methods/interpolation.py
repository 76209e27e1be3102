"""Bilinear interpolation as a product with one matrix from each side.

Its gradient is a product too, so that it is the same from run to run on a GPU, where PyTorch's own adds in whatever
order its threads come.
"""

from __future__ import annotations

import torch
from torch import Tensor


def axis_matrix(grid: int, size: int, align_corners: bool = True) -> Tensor:
    """What takes `grid` values along one axis to `size` pixels.

    Pixels lie where `torch.nn.functional.interpolate` puts them, in single precision: with exact positions, logits of
    +-30 would give probabilities that differ by 9e-5 from PyTorch's at 518 pixels.

    Args:
        grid: patches along one side, g.
        size: pixels along one side, S.
        align_corners: first and last value on the centres of the first and last pixel; otherwise outer edges meet.

    Returns:
        (S, g), float32.
    """
    pixels = torch.arange(size)
    if align_corners:
        position = pixels.float() * (torch.tensor(float(grid - 1)) / max(size - 1, 1))
    else:
        # One rounding for product and difference, as in compiled code.
        step = (torch.tensor(float(grid)) / size).double()
        position = ((pixels.double() + 0.5) * step - 0.5).float().clamp(min=0)
    left = position.floor().clamp(max=grid - 1).long()  # (S,)
    share = (position - left).clamp(0, 1)  # of the value to the right
    matrix = torch.zeros(size, grid)
    matrix[pixels, left] = 1 - share
    matrix[pixels, (left + 1).clamp(max=grid - 1)] += share
    return matrix


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
