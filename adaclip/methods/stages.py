"""Training as a method describes it: stages for the one loop in `adaclip/runs/train.py`, which owns the rest.

The loop owns order, seeds, batches, precision, history, selection and files. A stage says what is learned, how a batch
is shown, and what its loss is; most methods have one stage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

#: Values of frozen features by name, each with a leading batch axis.
Frozen = dict[str, Tensor]


@dataclass(frozen=True)
class View:
    """How a stage wants the auxiliary images.

    Attributes:
        mask: how a mask comes to the input's size: `bilinear` and `nearest` give 0 or 1 (non-zero is abnormal first),
            `grey` keeps the stored values, resized bicubically, in 0..1.
        mosaic_probability: chance that a sample is a 2 x 2 mosaic of images of its category.
        mosaic_sets: sets to which that applies.
        mosaic: `contains` puts the drawn image among three others; `replaces` draws all four, a defect's folder first;
            `anomalous` draws four anomalous ones.
        augment: applied to an image (3, S, S), preprocessed, and its mask (S, S), with a generator of the sample's own;
            None for nothing. What it changes has no stored features.
    """

    mask: Literal["bilinear", "nearest", "grey"] = "bilinear"
    mosaic_probability: float = 0.0
    mosaic_sets: tuple[str, ...] = ()
    mosaic: Literal["contains", "replaces", "anomalous"] = "contains"
    augment: Callable[[Tensor, Tensor, Any], tuple[Tensor, Tensor]] | None = None


@dataclass(frozen=True)
class Shown:
    """One batch of a training, on the method's device.

    Attributes:
        images: (batch, 3, S, S), preprocessed.
        masks: (batch, S, S).
        labels: (batch,), 0 or 1, float.
        has_pixels: (batch,) bool, False where an anomalous image has no mask.
        class_names: for each image.
        frozen: of `Method.frozen`; what is stored is not computed again.
        step: number of the batch in this stage, from 0.
        steps: batches of the whole stage.
        generator: on the CPU, seeded with the run; for what a loss draws.
    """

    images: Tensor
    masks: Tensor
    labels: Tensor
    has_pixels: Tensor
    class_names: list[str]
    frozen: Frozen
    step: int = 0
    steps: int = 1
    generator: torch.Generator | None = None


@dataclass(frozen=True)
class Stage:
    """A part of a training with an optimiser of its own.

    Attributes:
        name: for the progress bar and the history; "" where there is only one.
        epochs: passes over the auxiliary data.
        batch_size: images of a step; the last batch may be smaller.
        parameters: what is learned: tensors, or groups as `torch.optim` takes them.
        optimiser: makes the optimiser of these parameters.
        loss: parts of the loss of a batch by name, weights included; their sum is minimised. Called under the
            precision's autocast; a part that needs fp32 leaves it.
        schedule: makes a scheduler that is stepped after every batch, given the number of batches in all.
        view: how images are shown.
        patience: epochs without a better value on the selection set after which the stage ends, its best parameters
            restored; None to run to the end.
    """

    epochs: int
    batch_size: int
    parameters: Iterable[nn.Parameter | Mapping[str, Any]]
    optimiser: Callable[[Iterable[Any]], torch.optim.Optimizer]
    loss: Callable[[Shown], dict[str, Tensor]]
    schedule: Callable[[torch.optim.Optimizer, int], torch.optim.lr_scheduler.LRScheduler] | None = None
    view: View = field(default_factory=View)
    patience: int | None = None
    name: str = ""
