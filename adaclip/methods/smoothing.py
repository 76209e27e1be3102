"""Anomaly maps at the size at which they are judged, and their Gaussian smoothing, on whatever device they are."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter1d
from torch import Tensor


def resize_maps(maps: Tensor, size: int) -> Tensor:
    """Maps at another size: bilinear with half-pixel centres, antialiased where it shrinks, in fp32.

    Args:
        maps: (batch, S, S).
        size: side of the result in pixels.

    Returns:
        (batch, size, size), float32; the same tensor when it has that size.

    Example:
        >>> resize_maps(torch.eye(2)[None], 4)[0, 0]
        tensor([1.0000, 0.7500, 0.2500, 0.0000])
    """
    side = maps.shape[-1]
    if side == size:
        return maps
    with torch.autocast(maps.device.type, enabled=False):
        resized = F.interpolate(
            maps[:, None].float(), (size, size), mode="bilinear", align_corners=False, antialias=size < side
        )
    return resized[:, 0]


class Smoother:
    """Smooths square maps as `scipy.ndimage.gaussian_filter` does with its defaults.

    The filter is linear and separable, so it is a product with one matrix from each side: the matrix is SciPy's own
    answer to unit vectors, borders included.

    Args:
        size: side S of the maps in pixels.
        sigma: standard deviation in pixels; 0 leaves maps alone.
        device: where the maps are.

    Example:
        >>> Smoother(8, 4.0)(torch.ones(1, 8, 8)).mean().round(decimals=4)
        tensor(1.)
    """

    def __init__(self, size: int, sigma: float, device: torch.device | str = "cpu") -> None:
        self.matrix: Tensor | None = None
        if sigma > 0:
            matrix = gaussian_filter1d(np.eye(size), sigma, axis=0)
            self.matrix = torch.from_numpy(matrix).float().to(device)

    def __call__(self, maps: Tensor) -> Tensor:
        """(batch, S, S) -> (batch, S, S), float32."""
        return maps if self.matrix is None else self.matrix @ maps @ self.matrix.T
