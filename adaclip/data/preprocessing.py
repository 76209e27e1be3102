"""Images and masks as the model wants them."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from adaclip.data.masks import mask_array

#: CLIP's mean and standard deviation of each colour.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def preprocess(image: Image.Image, image_size: int) -> Tensor:
    """Resize (bicubic, antialiased, aspect not kept), scale to [0, 1], normalise by CLIP's mean and deviation.

    Args:
        image: of any size and mode; converted to RGB.
        image_size: side S of the result in pixels.

    Returns:
        (3, S, S), float32.

    Example:
        >>> preprocess(Image.new("L", (30, 20)), 14).shape
        torch.Size([3, 14, 14])
    """
    resized = image.convert("RGB").resize((image_size, image_size), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1).float().div_(255)
    return (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def preprocess_mask(mask: Image.Image, image_size: int) -> Tensor:
    """Non-zero is abnormal; resize bilinearly, threshold at one half.

    Args:
        mask: of any size and mode.
        image_size: side S of the result in pixels.

    Returns:
        (S, S), bool.

    Example:
        >>> mask = Image.new("L", (30, 20))
        >>> mask.paste(255, (0, 0, 15, 20))  # the left half
        >>> preprocess_mask(mask, 14).sum()
        tensor(98)
    """
    return torch.from_numpy(mask_array(mask, image_size))
