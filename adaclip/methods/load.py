"""Making a method by its id."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from adaclip.clip.architectures import check_backbone
from adaclip.clip.load import make_backbone
from adaclip.clip.settings import BackboneSettings, Preset
from adaclip.errors import UsageError
from adaclip.methods.base import Method
from adaclip.methods.card import Card
from adaclip.methods.registry import find_card, method_class
from adaclip.system.annotated import read


def load_method(
    id: str,
    model: str | Path | None = None,
    pretrained: str | Path | None = None,
    image_size: int | None = None,
    preset: Preset = "reference",
    seed: int = 0,
    device: str | torch.device = "cpu",
    **settings: Any,
) -> Method:
    """Make a method with its backbone.

    Args:
        id: of the method, or `module:Name`.
        model: of the backbone, as for `load_backbone`; None for what its authors ran, weights included.
        pretrained: weights of `model`, as for `load_backbone`; None for random ones.
        image_size: side of the input in pixels; None for what its authors ran.
        preset: `reference` computes as the method's own code does, `corrected` with the activation that the weights
            were trained with and an antialiased bicubic resize.
        seed: of random weights, and of the method's initial parameters.
        device: where to put it.
        settings: of the method itself.

    Returns:
        The method, in evaluation mode.

    Raises:
        UsageError: an unknown method, a setting that is none of its, or a backbone that cannot be.
        AdaclipError: the weights cannot be downloaded or do not fit.

    Example:
        >>> method = load_method("adaclip", "tiny", image_size=56)  # the paper's: load_method("adaclip")
        >>> method.predict(torch.zeros(2, 3, 56, 56), ["bottle", "screw"]).anomaly_map.shape
        torch.Size([2, 56, 56])
    """
    card = find_card(id)
    size = card.backbone.image_size if image_size is None else image_size
    if model is None:
        if pretrained is not None:
            raise UsageError(f"weights '{pretrained}' without a model: say which model they are for")
        chosen = dataclasses.replace(card.backbone, image_size=size)
    else:
        weights = str(pretrained) if pretrained is not None else None
        chosen = BackboneSettings(str(model), weights, size, seed=seed)
    return make_method(card, resolved(card, chosen, preset), settings, seed=seed, device=device)


def resolved(card: Card, backbone: BackboneSettings, preset: Preset) -> BackboneSettings:
    """A backbone as a method computes with it: what is left open is the preset's.

    Raises:
        UsageError: an unknown preset, or a backbone that cannot be.
    """
    return card.numerics(preset).of(backbone, check_backbone(backbone).image_size)


def make_method(
    card: Card,
    backbone: BackboneSettings,
    settings: Any = None,
    *,
    seed: int | None = None,
    device: str | torch.device = "cpu",
) -> Method:
    """A method on a backbone.

    Args:
        card: of the method.
        backbone: with activation and resize (see `resolved`).
        settings: an object of `card.settings`, or a mapping that is checked against it; None for the defaults.
        seed: of its initial parameters; None leaves PyTorch's generator as it is.
        device: where to put it.

    Raises:
        UsageError: a control, which is no model, or settings that do not fit.
        AdaclipError: the weights cannot be downloaded or do not fit.
    """
    if not card.model:
        raise UsageError(f"method {card.id} is a control: it has no model")
    if not isinstance(settings, card.settings):
        settings = read(card.settings, settings or {}, f"settings of method {card.id}")
    card.check(check_backbone(backbone), settings)
    frozen = make_backbone(backbone, device)
    values = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        method: Method = method_class(card)(frozen, **values)
    return method.eval()
