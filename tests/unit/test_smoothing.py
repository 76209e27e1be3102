"""Smoothing on the device against SciPy's filter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from adaclip.methods.smoothing import Smoother


@pytest.mark.parametrize(("side", "sigma"), [(56, 4.0), (20, 4.0), (8, 4.0), (33, 1.5)])
def test_is_scipys_gaussian_filter(side, sigma):
    maps = torch.rand(3, side, side, generator=torch.Generator().manual_seed(0))
    for got, plain in zip(Smoother(side, sigma)(maps), maps.numpy(), strict=True):
        np.testing.assert_allclose(got.numpy(), gaussian_filter(plain.astype(np.float64), sigma), atol=1e-6)


def test_zero_leaves_maps_alone():
    maps = torch.rand(2, 8, 8)
    assert torch.equal(Smoother(8, 0)(maps), maps)
