"""Masks at the size at which they are needed, without PyTorch."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

#: How a mask comes to another size: `bilinear` and `nearest` give 0 or 1, `grey` anything between.
MaskReading = Literal["bilinear", "nearest", "grey"]
_RESAMPLING: dict[MaskReading, Image.Resampling] = {
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
    "grey": Image.Resampling.BICUBIC,
}


def mask_array(mask: Image.Image, image_size: int) -> npt.NDArray[np.bool_]:
    """Non-zero is abnormal; resize bilinearly, threshold at one half. So every figure's masks are read.

    Args:
        mask: of any size and mode.
        image_size: side S of the result in pixels.

    Returns:
        (S, S), bool.
    """
    return resized(mask_picture(mask), image_size) > 0


def mask_picture(mask: Image.Image, reading: MaskReading = "bilinear") -> Image.Image:
    """A mask at its own size as its reading wants it before it is resized: mode L, up to 255.

    `grey` keeps the stored values. Masks without a value in the brighter half hold numbers of defects (VisA's do), no
    grey: there, as for the other readings, what is not zero becomes 255.

    Args:
        mask: of any size and mode.
        reading: how it will be resized.
    """
    # An alpha channel says nothing about anomalies, and neither does an index into a palette: its colour does.
    indirect = mask.mode == "P" or "A" in mask.getbands()
    values: npt.NDArray[Any] = np.asarray(mask.convert("RGB") if indirect else mask)
    if values.ndim == 3:
        values = values.max(axis=-1)
    if reading == "grey" and values.dtype == np.uint8 and values.max(initial=0) > 127:
        return Image.fromarray(values)
    return Image.fromarray((values != 0).astype(np.uint8) * 255)


def resized(picture: Image.Image, size: int, reading: MaskReading = "bilinear") -> npt.NDArray[np.float32]:
    """A mask from `mask_picture` at another size.

    Args:
        picture: mode L.
        size: side S of the result in pixels.
        reading: the same as for `mask_picture`.

    Returns:
        (S, S), in 0..1; 0 or 1 unless `reading` is `grey`.
    """
    values = np.asarray(picture.resize((size, size), _RESAMPLING[reading]))
    if reading == "grey":
        return values.astype(np.float32) / np.float32(255)
    return (values > 127).astype(np.float32)
