"""Images and masks as tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import adaclip
from adaclip.data.preprocessing import MEAN, STD


def test_a_plain_colour_is_scaled_and_normalised():
    image = adaclip.preprocess(Image.new("RGB", (31, 17), (255, 0, 51)), 28)
    assert image.shape == (3, 28, 28)
    assert image.dtype == torch.float32
    for channel, value in enumerate((1.0, 0.0, 0.2)):
        torch.testing.assert_close(image[channel], torch.full((28, 28), (value - MEAN[channel]) / STD[channel]))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK", "LA"])
def test_every_mode_becomes_rgb(mode):
    image = Image.new("RGB", (20, 20), (200, 200, 200)).convert(mode)
    assert adaclip.preprocess(image, 14).shape == (3, 14, 14)


def test_aspect_is_not_kept():
    pixels = np.zeros((10, 40, 3), np.uint8)
    pixels[:, 20:] = 255
    image = adaclip.preprocess(Image.fromarray(pixels), 16)
    assert (image[0, :, 4] < 0).all()
    assert (image[0, :, 12] > 0).all()


@pytest.mark.parametrize("value", [1, 128, 255])
def test_any_value_but_zero_is_abnormal(value):
    pixels = np.zeros((20, 30), np.uint8)
    pixels[5:15, :15] = value
    mask = adaclip.preprocess_mask(Image.fromarray(pixels), 20)
    assert mask.dtype == torch.bool
    expected = torch.zeros(20, 20, dtype=torch.bool)
    expected[5:15, :10] = True
    assert torch.equal(mask, expected)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I", "I;16"])
def test_masks_of_every_mode(mode):
    pixels = np.zeros((8, 8), np.uint8)
    pixels[2:6, 2:6] = 255
    image = Image.fromarray(pixels)
    image = Image.fromarray(pixels.astype(np.uint16)) if mode == "I;16" else image.convert(mode)
    assert image.mode == mode
    assert torch.equal(adaclip.preprocess_mask(image, 8), torch.from_numpy(pixels > 0))


def test_a_palette_mask_whose_background_is_not_the_first_colour():
    """A palette's index is no value: index 1 may be black."""
    image = Image.new("P", (8, 8), 1)
    image.putpalette([255, 255, 255, 0, 0, 0])
    image.paste(0, (2, 2, 6, 6))
    mask = adaclip.preprocess_mask(image, 8)
    assert int(mask.sum()) == 16
    assert bool(mask[3, 3])
