"""Making a backbone: open_clip's factory, with the activation and the resize that the method wants."""

from __future__ import annotations

import hashlib
import logging
import pickle
import tempfile
import warnings
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.pretrained import get_pretrained_cfg

from adaclip.clip.architectures import check_backbone, config_file
from adaclip.clip.backbone import Backbone
from adaclip.clip.settings import (
    ACTIVATIONS,
    CORRECTED,
    PLAIN,
    POSITIONS,
    Activation,
    BackboneSettings,
    Positions,
    Preset,
)
from adaclip.errors import AdaclipError, UsageError
from adaclip.system.foreign import kind_of_checkpoint


def load_backbone(
    model: str | Path,
    pretrained: str | Path | None = None,
    image_size: int = 518,
    preset: Preset = "reference",
    seed: int = 0,
    device: str | torch.device = "cpu",
    activation: Activation | None = None,
    positions: Positions | None = None,
) -> Backbone:
    """Make a frozen CLIP for images of `image_size`.

    Args:
        model: an open_clip model name, `tiny` or `tiny14` (for tests and demo), or the path of a `*.json` model config.
        pretrained: an open_clip tag (`openai`), the path of a weight file, or None for random weights.
        image_size: side of the input in pixels, a multiple of the patch size.
        preset: what is not said otherwise. `reference` computes as AdaCLIP's published code does: plain GELU whatever
            the weights were trained with, positional embedding resized without antialiasing. `corrected` takes the
            activation of the tag (for a local file or random weights, the one that the model config names) and
            antialiases. Other methods have references of their own: `adaclip.load_method` knows them.
        seed: of the random weights.
        device: where to put it.
        activation: `gelu`, `quick_gelu` or `as_trained`, instead of the preset's.
        positions: `bicubic`, `bicubic_antialias` or `bilinear`, instead of the preset's.

    Returns:
        The backbone, in evaluation mode, without gradients.

    Raises:
        UsageError: unknown model, tag, preset or device, or an unsupported architecture or size.
        AdaclipError: the weights cannot be downloaded or do not fit.

    Example:
        >>> backbone = load_backbone("tiny", image_size=56)  # the paper's: load_backbone("ViT-L-14-336", "openai")
        >>> backbone.encode_image(torch.zeros(1, 3, 56, 56)).shape
        torch.Size([1, 64])
    """
    if preset not in ("reference", "corrected"):
        raise UsageError(f"unknown preset '{preset}': use reference or corrected")
    weights = str(pretrained) if pretrained is not None else None
    settings = BackboneSettings(str(model), weights, image_size, activation, positions, seed)
    # The reference of AdaCLIP is what `make_backbone` takes where nothing is said.
    return make_backbone(CORRECTED.of(settings) if preset == "corrected" else settings, device)


def make_backbone(settings: BackboneSettings, device: str | torch.device = "cpu") -> Backbone:
    """`load_backbone` from a settings object; what it leaves open is plain GELU, bicubic without antialiasing."""
    for name, value, known in (
        ("activation", settings.activation, ACTIVATIONS),
        ("positions", settings.positions, POSITIONS),
    ):
        if value is not None and value not in known:
            raise UsageError(f"unknown {name} '{value}': use {', '.join(known)}")
    settings = PLAIN.of(settings)
    check_backbone(settings)
    name = _model_name(settings.model)
    quick_gelu = settings.activation == "quick_gelu" or (
        settings.activation == "as_trained" and _trained_with_quick_gelu(name, settings.pretrained)
    )
    # open_clip warns on the root logger about random weights, and about the activation that the preset chose.
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="QuickGELU mismatch")
            torch.manual_seed(settings.seed)
            clip = open_clip.create_model(name, pretrained=settings.pretrained, quick_gelu=quick_gelu)
    except Exception as error:  # a damaged weight file or a wrong config makes open_clip raise whatever comes first
        reason = _what_else(settings.pretrained) or reason_of(error)
        weights = f" with weights '{settings.pretrained}'" if settings.pretrained else ""
        raise AdaclipError(f"cannot make backbone {settings.model}{weights}: {reason}") from error
    finally:
        logging.disable(previous)
    backbone = Backbone(clip, settings)
    try:
        return backbone.to(device)
    except (RuntimeError, AssertionError) as error:  # how torch says that it has no such device
        raise UsageError(f"cannot use device '{device}': {reason_of(error)}") from error


def _what_else(pretrained: str | None) -> str:
    """What a file of weights is that is no such file, or ""; a download that failed is a web page."""
    if pretrained is None or not Path(pretrained).is_file():
        return ""
    try:
        kind_of_checkpoint(Path(pretrained))
    except AdaclipError as error:
        return "" if "TorchScript" in str(error) else str(error).replace("is not a checkpoint", "holds no weights")
    return ""


def reason_of(error: Exception) -> str:
    """One line on why weights could not be read; an unpickler's own words mostly say nothing, or to trust the file."""
    if isinstance(error, (pickle.UnpicklingError, LookupError, EOFError, StopIteration)):
        return "the file is damaged, or holds something other than tensors by name"
    return " ".join(str(error).split())[:300] or type(error).__name__


def _model_name(model: str) -> str:
    """The name under which open_clip knows the model; a config file is registered first."""
    if not model.endswith(".json") and model in open_clip.list_models():
        return model
    path = config_file(model)
    content = path.read_bytes()
    # A name of its own, so that a file called like a built-in model does not replace that one.
    name = f"{path.stem}-{hashlib.sha256(content).hexdigest()[:12]}"
    if name not in open_clip.list_models():
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / f"{name}.json"
            copy.write_bytes(content)
            open_clip.add_model_config(copy)
    return name


def _trained_with_quick_gelu(name: str, pretrained: str | None) -> bool:
    if pretrained is not None:
        tag: dict[str, Any] = get_pretrained_cfg(name, pretrained)
        if tag:
            return bool(tag.get("quick_gelu", False))
    config = open_clip.get_model_config(name) or {}
    return bool(config.get("quick_gelu", False))
