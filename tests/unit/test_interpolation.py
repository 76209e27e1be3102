"""Interpolation by matrices: the numbers of PyTorch's, and a gradient of its own."""

from __future__ import annotations

import pytest
import torch

from adaclip.methods.interpolation import axis_matrix, enlarge


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize(("grid", "size"), [(1, 8), (5, 5), (7, 56), (8, 112), (37, 518), (16, 224), (15, 6)])
def test_it_is_the_interpolation_of_torch(grid, size, aligned):
    square = 30 * torch.randn(2, 3, grid, grid, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.interpolate(square, size=(size, size), mode="bilinear", align_corners=aligned)
    found = enlarge(square, axis_matrix(grid, size, aligned))
    assert found.shape == (2, 3, size, size)
    torch.testing.assert_close(found.sigmoid(), expected.sigmoid(), rtol=0, atol=2e-6)
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-5)


def test_autocast_does_not_round_it():
    square = torch.randn(1, 7, 7, generator=torch.Generator().manual_seed(0))
    matrix = axis_matrix(7, 56)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = enlarge(square, matrix)
        assert enlarge(square.bfloat16(), matrix).dtype == torch.float32
    torch.testing.assert_close(found, enlarge(square, matrix), rtol=0, atol=0)
