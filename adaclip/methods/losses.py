"""Losses that methods share: focal and Dice on anomaly maps; AdaCLIP's own adds focal on image scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

SMOOTH = 1e-5
GAMMA = 2.0
DiceOver = Literal["rows", "image"]


def focal_loss(probability: Tensor, target: Tensor) -> Tensor:
    """Focal loss of two-class probabilities, no class weights.

    Args:
        probability: P(abnormal) of any shape.
        target: 0 or 1, same shape.

    Returns:
        The mean over all elements.

    Example:
        >>> round(float(focal_loss(torch.tensor([0.5]), torch.tensor([1.0]))), 4)
        0.1733
    """
    # The one-hot target clamped to [s, 1 - s] gives the other class a share s.
    abnormal = target.to(probability.dtype).clamp(SMOOTH, 1 - SMOOTH)
    normal = (1 - target.to(probability.dtype)).clamp(SMOOTH, 1 - SMOOTH)
    correct = abnormal * probability + normal * (1 - probability) + SMOOTH
    return ((1 - correct).pow(GAMMA) * -correct.log()).mean()


def dice_loss(probability: Tensor, target: Tensor, over: DiceOver = "rows") -> Tensor:
    """1 - Dice coefficient with smoothing 1, averaged over rows or images.

    The reference means one coefficient for each image, but at its batch size 1 it drops the batch axis of the mask,
    and every row of pixels becomes a sample of its own. Its published weights were trained so, hence `rows` is the
    default, at any batch size; `image` is what the paper's text says.

    Args:
        probability: (batch, S, S).
        target: (batch, S, S), 0 or 1.
        over: what one coefficient covers.
    """
    p = probability.flatten(0, 1) if over == "rows" else probability.flatten(1)
    t = target.to(p.dtype).reshape(p.shape)
    dice = (2 * (p * t).sum(dim=1) + 1) / (p.sum(dim=1) + t.sum(dim=1) + 1)
    return 1 - dice.mean()


@dataclass(frozen=True)
class Loss:
    """The parts of the loss; `total` is what is minimised."""

    image: Tensor
    focal: Tensor
    dice: Tensor

    @property
    def total(self) -> Tensor:
        """The unweighted sum."""
        return self.image + self.focal + self.dice


def training_loss(
    score: Tensor,
    maps: Sequence[Tensor],
    labels: Tensor,
    masks: Tensor,
    with_pixels: Tensor | None = None,
    dice_over: DiceOver = "rows",
) -> Loss:
    """AdaCLIP's loss of a batch (its paper, equation 5).

    Args:
        score: image-level P(abnormal), (batch,).
        maps: for each feature block P(abnormal), (batch, S, S).
        labels: (batch,), 0 or 1.
        masks: (batch, S, S), 0 or 1.
        with_pixels: (batch,) bool, the samples that count in the pixel losses; None for all.
        dice_over: see `dice_loss`.
    """
    focal, dice = pixel_losses(maps, masks, with_pixels, dice_over)
    return Loss(focal_loss(score, labels), focal, dice)


def pixel_losses(
    maps: Sequence[Tensor], masks: Tensor, with_pixels: Tensor | None = None, dice_over: DiceOver = "rows"
) -> tuple[Tensor, Tensor]:
    """Focal loss, and Dice losses of both states, summed over the feature blocks; 0 where no sample counts.

    Args:
        maps: for each feature block P(abnormal), (batch, S, S).
        masks: (batch, S, S), 0 or 1.
        with_pixels: (batch,) bool, the samples that count; None for all.
        dice_over: see `dice_loss`.
    """
    if with_pixels is not None:
        masks = masks[with_pixels]
        maps = [block[with_pixels] for block in maps]
    if not len(masks):
        return torch.zeros((), device=masks.device), torch.zeros((), device=masks.device)
    focal = torch.stack([focal_loss(block, masks) for block in maps]).sum()
    dice = [
        dice_loss(block, masks, dice_over) + dice_loss(1 - block, 1 - masks.to(block.dtype), dice_over)
        for block in maps
    ]
    return focal, torch.stack(dice).sum()
