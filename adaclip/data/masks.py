"""Masks at the model's size, without PyTorch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image


def mask_array(mask: Image.Image, image_size: int) -> npt.NDArray[np.bool_]:
    """Non-zero is abnormal; resize bilinearly, threshold at one half.

    Args:
        mask: of any size and mode.
        image_size: side S of the result in pixels.

    Returns:
        (S, S), bool.
    """
    # An alpha channel says nothing about anomalies, and neither does an index into a palette: its colour does.
    indirect = mask.mode == "P" or "A" in mask.getbands()
    values = np.asarray(mask.convert("RGB") if indirect else mask)
    if values.ndim == 3:
        values = values.max(axis=-1)
    binary = Image.fromarray((values != 0).astype(np.uint8) * 255)
    resized = binary.resize((image_size, image_size), Image.Resampling.BILINEAR)
    return np.asarray(resized) > 127
