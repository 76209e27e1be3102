"""Whether the stages of a method can be trained by the one loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from adaclip.errors import AdaclipError
from adaclip.methods.base import Method
from adaclip.methods.stages import Shown, Stage


def check_training(network: Method, images: Tensor, names: list[str]) -> None:
    """Take one step of each stage, and look at batches of one and of images without masks.

    Args:
        network: trained in place.
        images: two, (2, 3, S, S): the first is shown as normal, the second as anomalous.
        names: a class name for each.

    Raises:
        AdaclipError: saying what a stage does that the loop cannot use.
    """
    training = network.card.training
    assert training is not None
    backbone = {name: value.clone() for name, value in network.backbone.state_dict().items()}
    with torch.no_grad():
        frozen = {name: value.clone() for name, value in network.frozen(images).items()}
    network.train()
    stages = network.stages(training())
    if not stages:
        raise AdaclipError("stages gives none")
    for number, stage in enumerate(stages, start=1):
        _check_stage(network, stage, images, names, stage.name or f"stage {number}")
    for name, value in network.backbone.state_dict().items():
        if not torch.equal(value, backbone[name]):
            raise AdaclipError(f"a step changes {name} of the backbone")
    if any(value.grad is not None for value in network.backbone.parameters()):
        raise AdaclipError("a step leaves gradients in the backbone, which is frozen")
    with torch.no_grad():
        after = network.frozen(images)
    for name, value in frozen.items():
        if not torch.equal(value, after[name]):
            raise AdaclipError(f"a step changes '{name}' of frozen, which the loop keeps from epoch to epoch")
    # Images without masks leave nothing to the pixels; the loop still wants a number with a gradient.
    skipping = dataclasses.replace(training(), unmasked="skip")
    for stage in network.stages(skipping):
        _backward(stage, _shown(network, images, names, [1], masked=False), "unmasked: skip, no mask in the batch")


def _check_stage(network: Method, stage: Stage, images: Tensor, names: list[str], title: str) -> None:
    if stage.epochs < 1 or stage.batch_size < 1:
        raise AdaclipError(f"{title}: {stage.epochs} epochs of batches of {stage.batch_size}: both are at least 1")
    entries = list(stage.parameters)
    learned = list(_tensors(entries))
    own = {id(value) for value in network.parameters()}
    if not learned:
        raise AdaclipError(f"{title}: no parameters to learn")
    if any(id(value) not in own for value in learned):
        raise AdaclipError(f"{title}: it learns what is no parameter of the model, and would not be saved")
    if list(stage.parameters) == []:
        raise AdaclipError(f"{title}: parameters are gone when they are read twice: give a list")
    optimiser = stage.optimiser(entries)
    schedule = stage.schedule(optimiser, 4) if stage.schedule is not None else None
    _check_view(stage, images, title)
    # As after an epoch with a selection set: what was kept while predicting must not stand in a gradient's way.
    network.eval()
    with torch.inference_mode():
        network.predict(images, names)
    network.train()
    for step, chosen in enumerate(([0, 1], [0], [1])):
        optimiser.zero_grad(set_to_none=True)
        _backward(stage, _shown(network, images, names, chosen, step=step), f"{title}, {len(chosen)} in the batch")
        gradients = [value.grad for value in learned if value.grad is not None]
        if not all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
            raise AdaclipError(f"{title}: a gradient is not finite")
        if step == 0 and not any(bool((gradient != 0).any()) for gradient in gradients):
            raise AdaclipError(f"{title}: no parameter gets a gradient")
        optimiser.step()
        if schedule is not None:
            schedule.step()


def _tensors(entries: Iterable[nn.Parameter | Mapping[str, Any]]) -> Iterable[nn.Parameter]:
    for entry in entries:
        yield from entry["params"] if isinstance(entry, Mapping) else (entry,)


def _shown(
    network: Method, images: Tensor, names: list[str], chosen: list[int], step: int = 0, masked: bool = True
) -> Shown:
    """A batch of these images as the loop shows it."""
    size = images.shape[-1]
    masks = torch.zeros(len(images), size, size)
    masks[1, size // 4 : size // 2, size // 4 : size // 2] = float(masked)
    labels = torch.tensor([0.0, 1.0])
    has_pixels = torch.tensor([True, masked])
    with torch.no_grad():
        frozen = network.frozen(images[chosen])
    return Shown(
        images[chosen],
        masks[chosen],
        labels[chosen],
        has_pixels[chosen],
        [names[i] for i in chosen],
        frozen,
        step,
        4,
        torch.Generator().manual_seed(step),
    )


def _backward(stage: Stage, shown: Shown, title: str) -> None:
    parts = stage.loss(shown)
    if not isinstance(parts, Mapping) or not parts:
        raise AdaclipError(f"{title}: the loss is no dict of named parts")
    for name, value in parts.items():
        if not isinstance(value, Tensor) or value.ndim != 0:
            raise AdaclipError(f"{title}: part '{name}' of the loss is no scalar tensor")
        if not bool(torch.isfinite(value)):
            raise AdaclipError(f"{title}: part '{name}' of the loss is {float(value)}")
    total = torch.stack([value.float() for value in parts.values()]).sum()
    if not total.requires_grad:
        raise AdaclipError(f"{title}: the loss has no gradient")
    total.backward()  # type: ignore[no-untyped-call]


def _check_view(stage: Stage, images: Tensor, title: str) -> None:
    """An augmentation gives an image and a mask of the same sizes, the same for the same draw."""
    augment = stage.view.augment
    if augment is None:
        return
    mask = torch.zeros(images.shape[-2:])
    found = [augment(images[1].clone(), mask.clone(), np.random.default_rng([0, 1, 2])) for _ in range(2)]
    for image, changed in found:
        if image.shape != images[1].shape or changed.shape != mask.shape:
            raise AdaclipError(f"{title}: augment changes the shape of an image or a mask")
    if not torch.equal(found[0][0], found[1][0]) or not torch.equal(found[0][1], found[1][1]):
        raise AdaclipError(f"{title}: augment draws from elsewhere than the generator that it is given")
