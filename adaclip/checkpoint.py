"""Learned parameters on disk: safetensors with the config in the metadata, or the released `.pth` layout.

The released layout is a flat dict of tensors whose keys start with `clip_model.`, saved with `torch.save`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adaclip.backbone import make_backbone, reason_of
from adaclip.errors import AdaclipError, UsageError
from adaclip.files import write_whole
from adaclip.model import AdaCLIP
from adaclip.settings import BackboneSettings, ModelSettings, as_dict, settings
from adaclip.tensors import read_tensors, write_tensors

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
        >>> from adaclip.backbone import load_backbone
        >>> model = AdaCLIP(load_backbone("tiny", image_size=56))
        >>> save_checkpoint(model, "mine.safetensors", {"seed": 0})
        >>> read_metadata("mine.safetensors")["provenance"]
        {'seed': 0}
    """
    path = Path(path)
    if path.suffix not in (".safetensors", ".pth"):
        raise UsageError(f"cannot save a checkpoint as {path}: end its name in .safetensors or .pth")
    state = {key: value.detach().float().cpu().contiguous() for key, value in model.state_dict().items()}
    broken = [key for key, value in state.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise AdaclipError(f"not saving {path}: parameter {broken[0]} is not finite")
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
        path: `*.safetensors` from `save_checkpoint`, or a released `*.pth`.

    Raises:
        AdaclipError: missing or damaged file, or parameters that do not fit the model: the first one that differs is
            named with both shapes.

    Example:
        >>> from adaclip.backbone import load_backbone
        >>> backbone = load_backbone("tiny", image_size=56)
        >>> save_checkpoint(AdaCLIP(backbone), "released.pth")
        >>> load_checkpoint(AdaCLIP(backbone), "released.pth")
    """
    state = _read_state(Path(path))
    own = model.state_dict()
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
    model.load_state_dict(state)


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Settings and provenance of a checkpoint written by `save_checkpoint`.

    Returns:
        `model` and `backbone` as settings objects' dicts, `provenance` as it was given.

    Raises:
        AdaclipError: not such a file.
    """
    path = Path(path)
    _, metadata = _read_safetensors(path)
    if metadata.get("format") == UNCHECKED_FORMAT:
        print(f"note: {path} was written by an earlier version, without a digest to check it by", file=sys.stderr)
    elif metadata.get("format") != FORMAT:
        raise AdaclipError(f"{path} is not a checkpoint of this program (format {metadata.get('format')!r})")
    try:
        return {key: json.loads(metadata[key]) for key in ("model", "backbone", "provenance")}
    except (KeyError, ValueError) as error:
        raise AdaclipError(f"checkpoint {path} is damaged: its metadata lacks {error}") from error


def load_model(path: str | Path, device: str | torch.device = "cpu") -> tuple[AdaCLIP, dict[str, Any]]:
    """A model as a `.safetensors` checkpoint describes it, with its parameters.

    Returns:
        The model in evaluation mode, and the checkpoint's provenance.

    Raises:
        AdaclipError: missing or damaged file, or one that another version wrote.

    Example:
        >>> from adaclip.backbone import load_backbone
        >>> save_checkpoint(AdaCLIP(load_backbone("tiny", image_size=56), clusters=8), "mine.safetensors")
        >>> model, provenance = load_model("mine.safetensors")
        >>> model.settings.clusters
        8
    """
    metadata = read_metadata(path)
    try:
        backbone_settings = settings(BackboneSettings, metadata["backbone"])
        model_settings = settings(ModelSettings, metadata["model"])
    except TypeError as error:
        raise AdaclipError(f"checkpoint {path} was written by another version of this program: {error}") from error
    model = AdaCLIP(make_backbone(backbone_settings, device), **as_dict(model_settings))
    load_checkpoint(model, path)
    return model.eval(), metadata["provenance"]


def _read_state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise AdaclipError(f"no such checkpoint: {path}")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)[0]
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can end in any exception
        raise AdaclipError(f"cannot read checkpoint {path}: {reason_of(error)}") from error
    tensors = isinstance(content, dict) and all(isinstance(value, Tensor) for value in content.values())
    if not tensors or not all(str(key).startswith(PREFIX) for key in content):
        raise AdaclipError(
            f"{path} is not in the released layout: every key must be a tensor's, starting with {PREFIX}"
        )
    return {key.removeprefix(PREFIX): value for key, value in content.items()}


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Parameters and metadata; a file of ours is checked against the digest in it."""
    tensors, metadata, checked = read_tensors(path, "checkpoint", "train it again, or get another copy of it")
    if metadata.get("format") == FORMAT and not checked:
        raise AdaclipError(f"checkpoint {path} is damaged: it has no digest of its content: train it again")
    return tensors, metadata


def _describe(model: AdaCLIP) -> str:
    chosen = model.settings
    return f"prompt type {chosen.prompt_type} on branch {chosen.prompt_branch}"
