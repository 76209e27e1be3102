"""Learned parameters on disk: safetensors with the config in the metadata, or the released `.pth` layout.

The released layout is a flat dict of tensors whose keys start with `clip_model.`, saved with `torch.save`. Which of the
two a file has is told by its content, whatever its suffix.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adaclip.clip.load import make_backbone, reason_of
from adaclip.clip.settings import BackboneSettings
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.adaclip.model import AdaCLIP
from adaclip.methods.adaclip.settings import AdaCLIPSettings
from adaclip.system.files import write_whole
from adaclip.system.foreign import damaged_member, kind_of_checkpoint, other_model
from adaclip.system.settings import as_dict, settings
from adaclip.system.tensors import read_tensors, write_tensors

#: Prefix of every key of the released layout.
PREFIX = "clip_model."
FORMAT = "adaclip-bench/2"
#: The first format had no digest of the content.
UNCHECKED_FORMAT = "adaclip-bench/1"


def save_checkpoint(model: AdaCLIP, path: str | Path, provenance: Mapping[str, Any] | None = None) -> None:
    """Write the learned parameters, in full precision.

    Args:
        model: the model.
        path: `*.safetensors` (ours), or `*.pth` (the released layout, without settings).
        provenance: further facts for the metadata, as JSON values (auxiliary sets, seed ...).

    Raises:
        UsageError: another suffix.
        AdaclipError: a parameter is not finite, or the file cannot be written.

    Example:
        >>> from adaclip.clip.load import load_backbone
        >>> model = AdaCLIP(load_backbone("tiny", image_size=56))
        >>> save_checkpoint(model, "mine.safetensors", {"seed": 0})
        >>> read_metadata("mine.safetensors")["provenance"]
        {'seed': 0}
    """
    path = Path(path)
    if path.suffix not in (".safetensors", ".pth"):
        raise UsageError(f"cannot save a checkpoint as {path}: end its name in .safetensors or .pth")
    state = {key: value.detach().float().cpu().contiguous() for key, value in model.state_dict().items()}
    broken = _not_finite(state)
    if broken is not None:
        raise AdaclipError(f"not saving {path}: parameter {broken} is not finite")
    if path.suffix == ".safetensors":
        metadata = {
            "format": FORMAT,
            "model": json.dumps(as_dict(model.settings)),
            "backbone": json.dumps(as_dict(model.backbone.settings)),
            "provenance": json.dumps(dict(provenance or {}), allow_nan=False),
        }
        write_tensors(path, state, metadata)
        return
    try:
        with write_whole(path) as part, part.open("wb") as stream:
            torch.save({PREFIX + key: value for key, value in state.items()}, stream)
    except RuntimeError as error:  # how torch says that the disk is full
        raise AdaclipError(f"cannot write {path}: {' '.join(str(error).split())[:200]}") from error


def load_checkpoint(model: AdaCLIP, path: str | Path) -> None:
    """Load learned parameters into a model of the same settings.

    Args:
        model: changed in place.
        path: a safetensors file of `save_checkpoint`, or a file in the released layout (`.pth`, `.pt` ...).

    Raises:
        AdaclipError: missing or damaged file, one that is no checkpoint (what it is instead is said), a parameter that
            is not finite, or parameters that do not fit the model: the first that differs is named with both shapes.

    Example:
        >>> from adaclip.clip.load import load_backbone
        >>> backbone = load_backbone("tiny", image_size=56)
        >>> save_checkpoint(AdaCLIP(backbone), "released.pth")
        >>> load_checkpoint(AdaCLIP(backbone), "released.pth")
    """
    state = _read_state(Path(path))
    own = model.state_dict()
    if own.keys().isdisjoint(state):
        raise AdaclipError(f"{path} is not a checkpoint of AdaCLIP: {other_model(state, PREFIX)}")
    for key in own:
        if key not in state:
            raise AdaclipError(f"{path} lacks the parameter {key}, which the model with {_describe(model)} has")
        if state[key].shape != own[key].shape:
            raise AdaclipError(
                f"{path}: parameter {key} has shape {tuple(state[key].shape)}, "
                f"the model's has {tuple(own[key].shape)}: "
                f"make the model with the checkpoint's backbone, prompt depth and prompt length"
            )
    extra = [key for key in state if key not in own]
    if extra:
        raise AdaclipError(f"{path} has the parameter {extra[0]}, which the model with {_describe(model)} lacks")
    broken = _not_finite(state)
    if broken is not None:
        raise AdaclipError(
            f"{path}: parameter {broken} is not finite (it holds NaN or infinity), so no score would mean anything: "
            "train it again, or get another copy of it"
        )
    model.load_state_dict(state)


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Settings and provenance of a checkpoint written by `save_checkpoint`.

    Returns:
        `model` and `backbone` as settings objects' dicts, `provenance` as it was given.

    Raises:
        AdaclipError: not such a file.
    """
    path = Path(path)
    if kind_of_checkpoint(path) != "safetensors":
        raise AdaclipError(f"{path} has no metadata: only a safetensors file of adaclip train has")
    _, metadata = _read_safetensors(path)
    if metadata.get("format") == UNCHECKED_FORMAT:
        print(f"note: {path} was written by an earlier version, without a digest to check it by", file=sys.stderr)
    elif metadata.get("format") != FORMAT:
        raise AdaclipError(f"{path} is not a checkpoint of this program (format {metadata.get('format')!r})")
    try:
        return {key: json.loads(metadata[key]) for key in ("model", "backbone", "provenance")}
    except (KeyError, ValueError) as error:
        raise AdaclipError(f"checkpoint {path} is damaged: its metadata lacks {error}") from error


def load_model(
    path: str | Path, device: str | torch.device = "cpu", backbone: BackboneSettings | None = None
) -> tuple[AdaCLIP, dict[str, Any]]:
    """A model as a checkpoint describes it, with its parameters.

    Args:
        path: a safetensors file of `save_checkpoint`, or a file in the released layout, whatever its suffix.
        device: where to put it.
        backbone: needed for the released layout, which does not name its own; its model has AdaCLIP's default settings.

    Returns:
        The model in evaluation mode, and the checkpoint's provenance (empty for the released layout).

    Raises:
        AdaclipError: missing or damaged file, one that is no checkpoint, or one that another version wrote.
        UsageError: the backbone is missing, or is another than the one that the checkpoint names.

    Example:
        >>> from adaclip.clip.load import load_backbone
        >>> save_checkpoint(AdaCLIP(load_backbone("tiny", image_size=56), clusters=8), "mine.safetensors")
        >>> model, provenance = load_model("mine.safetensors")
        >>> model.settings.clusters
        8
    """
    if kind_of_checkpoint(Path(path)) == "torch":
        if backbone is None:
            raise UsageError(
                f"{path} does not name its backbone: give --backbone (the paper's is ViT-L-14-336, openai, 518)"
            )
        model = AdaCLIP(make_backbone(backbone, device))
        load_checkpoint(model, path)
        return model.eval(), {}
    metadata = read_metadata(path)
    try:
        backbone_settings = settings(BackboneSettings, metadata["backbone"])
        model_settings = settings(AdaCLIPSettings, metadata["model"])
    except TypeError as error:
        raise AdaclipError(f"checkpoint {path} was written by another version of this program: {error}") from error
    if backbone is not None and backbone != backbone_settings:
        raise UsageError(
            f"{path} was trained on another backbone than the one given ({as_dict(backbone_settings)}): "
            "it names its own, so leave --backbone out"
        )
    model = AdaCLIP(make_backbone(backbone_settings, device), **as_dict(model_settings))
    load_checkpoint(model, path)
    return model.eval(), metadata["provenance"]


def _read_state(path: Path) -> dict[str, Tensor]:
    if kind_of_checkpoint(path) == "safetensors":
        return _read_safetensors(path)[0]
    damaged = damaged_member(path)
    if damaged:
        raise AdaclipError(f"checkpoint {path} is damaged: {damaged}: get another copy of it")
    try:
        with path.open("rb") as stream:  # given a name, torch would go by its suffix
            content = torch.load(stream, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can end in any exception
        raise AdaclipError(f"cannot read checkpoint {path}: {reason_of(error)}") from error
    if not isinstance(content, dict):
        raise AdaclipError(f"{path} is not in the released layout: it holds no tensors by name")
    names = [str(key) for key in content]
    if not names or not all(name.startswith(PREFIX) for name in names):
        raise AdaclipError(f"{path} is not in the released layout: {other_model(names, PREFIX)}")
    odd = next((key for key, value in content.items() if not isinstance(value, Tensor)), None)
    if odd is not None:
        raise AdaclipError(f"{path} is not in the released layout: its {odd} is no tensor")
    for key, value in content.items():
        if value.layout != torch.strided or not value.is_floating_point():
            kind = (
                "a sparse tensor" if value.layout != torch.strided else f"of {str(value.dtype).removeprefix('torch.')}"
            )
            raise AdaclipError(
                f"{path} is not in the released layout: its {key} is {kind}, not of floating-point numbers"
            )
    return {str(key).removeprefix(PREFIX): value for key, value in content.items()}


def _not_finite(state: Mapping[str, Tensor]) -> str | None:
    """The first parameter with a NaN or an infinity; None when all are numbers."""
    return next((key for key, value in state.items() if not bool(torch.isfinite(value).all())), None)


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Parameters and metadata; a file of ours is checked against the digest in it."""
    tensors, metadata, checked = read_tensors(path, "checkpoint", "train it again, or get another copy of it")
    if metadata.get("format") == FORMAT and not checked:
        raise AdaclipError(f"checkpoint {path} is damaged: it has no digest of its content: train it again")
    return tensors, metadata


def _describe(model: AdaCLIP) -> str:
    chosen = model.settings
    return f"prompt type {chosen.prompt_type} on branch {chosen.prompt_branch}"
