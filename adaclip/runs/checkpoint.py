"""Learned parameters on disk: safetensors with the settings in the metadata, or a method's released layout.

The released layout is what the authors' code saves with `torch.save`; the method itself reads and writes it. Which of
the two a file has is told by its content, whatever its suffix.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adaclip.clip.load import reason_of
from adaclip.clip.settings import BackboneSettings, Numerics
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.base import Method
from adaclip.methods.load import make_method, resolved
from adaclip.methods.registry import find_card, method_class
from adaclip.system.annotated import read
from adaclip.system.files import write_whole
from adaclip.system.foreign import damaged_member, kind_of_checkpoint, other_model
from adaclip.system.settings import as_dict
from adaclip.system.tensors import read_tensors, write_tensors

FORMAT = "adaclip-bench/3"
#: Written before there were other methods: the method is AdaCLIP, and the backbone names a preset of its.
ONE_METHOD = "adaclip-bench/2"
#: The first format had no digest of the content either.
UNCHECKED = "adaclip-bench/1"
#: What the presets of those formats stand for.
OLD_PRESETS = {
    "reference": Numerics("gelu", "bicubic"),
    "corrected": Numerics("as_trained", "bicubic_antialias"),
}


def save_checkpoint(
    model: Method, path: str | Path, provenance: Mapping[str, Any] | None = None, method: str | None = None
) -> None:
    """Write the learned parameters, in full precision.

    Args:
        model: the method.
        path: `*.safetensors` (ours), or `*.pth` (the released layout, without settings).
        provenance: further facts for the metadata, as JSON values (auxiliary sets, seed ...).
        method: how the method is found again, when that is not its id: `module:Name`.

    Raises:
        UsageError: another suffix.
        AdaclipError: a parameter is not finite, the method has no released layout, or the file cannot be written.

    Example:
        >>> from adaclip.methods.load import load_method
        >>> model = load_method("adaclip", "tiny", image_size=56)
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
            "method": method or model.card.id,
            "model": json.dumps(as_dict(model.settings)),
            "backbone": json.dumps(as_dict(model.backbone.settings)),
            "provenance": json.dumps(dict(provenance or {}), allow_nan=False),
        }
        write_tensors(path, state, metadata)
        return
    content = model.to_released(state)
    try:
        with write_whole(path) as part, part.open("wb") as stream:
            torch.save(content, stream)
    except RuntimeError as error:  # how torch says that the disk is full
        raise AdaclipError(f"cannot write {path}: {' '.join(str(error).split())[:200]}") from error


def load_checkpoint(model: Method, path: str | Path) -> None:
    """Load learned parameters into a method of the same settings.

    Args:
        model: changed in place.
        path: a safetensors file of `save_checkpoint`, or the authors' file (`.pth`, `.pt` ...), or the folder of their
            files where there are several.

    Raises:
        AdaclipError: missing or damaged file, one that is no checkpoint (what it is instead is said), another method's,
            a parameter that is not finite, or parameters that do not fit the model: the first that differs is named
            with both shapes.

    Example:
        >>> from adaclip.methods.load import load_method
        >>> model = load_method("adaclip", "tiny", image_size=56)
        >>> save_checkpoint(model, "released.pth")
        >>> load_checkpoint(model, "released.pth")
    """
    path = Path(path)
    if not path.is_dir() and kind_of_checkpoint(path) == "safetensors":
        tensors, metadata = _read_safetensors(path)
        method = metadata.get("method", "adaclip")
        if metadata.get("format") == FORMAT and find_card(method).model != model.card.model:
            raise AdaclipError(f"{path} is a checkpoint of method {method}, not of {model.card.id}")
        _load_state(model, tensors, path)
        if metadata.get("format") == FORMAT:
            _refuse_other_settings(model, metadata, path)
    else:
        _load_state(model, model.from_released(_unpickled(path), path), path)


def _refuse_other_settings(model: Method, metadata: Mapping[str, str], path: Path) -> None:
    """Refuse a model that would compute something else with these parameters than the one that learned them."""
    try:
        saved, backbone = (json.loads(metadata[key]) for key in ("model", "backbone"))
        pairs = {key: (saved[key], value) for key, value in as_dict(model.settings).items()}
        pairs["backbone"] = (Path(backbone["model"]).name, Path(model.backbone.settings.model).name)
    except (KeyError, ValueError, TypeError) as error:
        raise AdaclipError(f"checkpoint {path} is damaged: its metadata lacks {error}") from error
    for key, (theirs, ours) in pairs.items():
        if theirs != ours:
            raise AdaclipError(
                f"{path} was saved with {key} {theirs}, the model has {ours}: make the model with the checkpoint's "
                "settings (adaclip.load_model does)"
            )


def _load_state(model: Method, state: Mapping[str, Tensor], path: Path) -> None:
    own = model.state_dict()
    if own and own.keys().isdisjoint(state):
        raise AdaclipError(f"{path} is not a checkpoint of {model.card.title}: {other_model(state)}")
    for key in own:
        if key not in state:
            raise AdaclipError(f"{path} lacks the parameter {key}, which the model with {_describe(model)} has")
        if state[key].shape != own[key].shape:
            raise AdaclipError(
                f"{path}: parameter {key} has shape {tuple(state[key].shape)}, "
                f"the model's has {tuple(own[key].shape)}: "
                f"make the model with the checkpoint's backbone and settings ({', '.join(as_dict(model.settings))})"
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
        `method`, `model` and `backbone` as settings objects' dicts, `provenance` as it was given.

    Raises:
        AdaclipError: not such a file.
    """
    path = Path(path)
    if kind_of_checkpoint(path) != "safetensors":
        raise AdaclipError(f"{path} has no metadata: only a safetensors file of adaclip train has")
    _, metadata = _read_safetensors(path)
    known = metadata.get("format")
    if known == UNCHECKED:
        print(f"note: {path} was written by an earlier version, without a digest to check it by", file=sys.stderr)
    elif known not in (FORMAT, ONE_METHOD):
        raise AdaclipError(f"{path} is not a checkpoint of this program (format {known!r})")
    try:
        found: dict[str, Any] = {key: json.loads(metadata[key]) for key in ("model", "backbone", "provenance")}
        if known == FORMAT:
            return {"method": metadata["method"], **found}
        preset = OLD_PRESETS[found["backbone"].pop("preset")]
        backbone = {**found["backbone"], "activation": preset.activation, "positions": preset.positions}
        return {"method": "adaclip", **found, "backbone": backbone}
    except (KeyError, ValueError, AttributeError) as error:
        raise AdaclipError(f"checkpoint {path} is damaged: its metadata lacks {error}") from error


def load_model(
    path: str | Path,
    device: str | torch.device = "cpu",
    backbone: BackboneSettings | None = None,
    method: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> tuple[Method, dict[str, Any]]:
    """A method as a checkpoint describes it, with its parameters.

    Args:
        path: a safetensors file of `save_checkpoint`, or the authors' file, whatever its suffix, or a folder of theirs.
        device: where to put it.
        backbone: needed for the authors' file, which does not name its own; activation and resize that are left open
            are the method's reference.
        method: of the authors' file, which does not name its own; AdaCLIP where nothing is said.
        settings: of the method of the authors' file; what its shapes say need not be given.

    Returns:
        The method in evaluation mode, and the checkpoint's provenance (empty for the authors' file).

    Raises:
        AdaclipError: missing or damaged file, one that is no checkpoint, another method's, or one that another version
            wrote.
        UsageError: the backbone is missing, or is another than the one that the checkpoint names; an authors' file for
            a method that is not trained.

    Example:
        >>> from adaclip.methods.load import load_method
        >>> save_checkpoint(load_method("adaclip", "tiny", image_size=56, clusters=8), "mine.safetensors")
        >>> model, provenance = load_model("mine.safetensors")
        >>> model.settings.clusters
        8
    """
    path = Path(path)
    if path.is_dir() or kind_of_checkpoint(path) == "torch":
        return _released(path, device, backbone, method, settings or {}), {}
    metadata = read_metadata(path)
    try:
        card = find_card(metadata["method"])
    except UsageError as error:
        raise UsageError(f"checkpoint {path}: {error}") from error
    if method is not None and find_card(method) != card:
        raise UsageError(
            f"{path} is a checkpoint of method {metadata['method']}: it names its own, so leave --method out"
        )
    try:
        named = BackboneSettings(**metadata["backbone"])
        own: Any = read(card.settings, metadata["model"], f"checkpoint {path}")
    except (TypeError, AttributeError, UsageError) as error:
        raise AdaclipError(f"checkpoint {path} was written by another version of this program: {error}") from error
    if backbone is not None and _filled(backbone, named) != named:
        raise UsageError(
            f"{path} was trained on another backbone than the one given ({as_dict(named)}): "
            "it names its own, so leave --backbone out"
        )
    given, trained = as_dict(read(card.settings, settings or {}, "model settings")), as_dict(own)
    for key in settings or {}:
        if given[key] != trained[key]:
            raise UsageError(
                f"{path} was trained with {key} {trained[key]}, not {given[key]}: say so, or leave {key} out"
            )
    model = make_method(card, named, own, device=device)
    load_checkpoint(model, path)
    return model.eval(), metadata["provenance"]


def _filled(backbone: BackboneSettings, named: BackboneSettings) -> BackboneSettings:
    """What a given backbone leaves open is as the checkpoint names it."""
    return Numerics(named.activation or "gelu", named.positions or "bicubic").of(backbone)


def _released(
    path: Path,
    device: str | torch.device,
    backbone: BackboneSettings | None,
    method: str | None,
    settings: Mapping[str, Any],
) -> Method:
    card = find_card(method or "adaclip")
    if not card.trained:
        raise UsageError(f"method {card.id} is not trained: leave the checkpoint {path} out (adaclip baseline)")
    if backbone is None:
        own = card.backbone
        raise UsageError(
            f"{path} does not name its backbone: give --backbone "
            f"({card.title}'s is {own.model}, {own.pretrained}, {own.image_size})"
        )
    content = _unpickled(path)
    known = method_class(card).settings_of_released(content, path)
    model = make_method(card, resolved(card, backbone, "reference"), {**known, **settings}, device=device)
    try:
        state = model.from_released(content, path)
    except AdaclipError as error:
        if method is not None:
            raise
        raise AdaclipError(f"{error}; give --method where it is another method's than {card.title}'s") from error
    _load_state(model, state, path)
    return model.eval()


def _unpickled(path: Path) -> Any:
    """What `torch.load` makes of a file, with tensors and plain containers alone; of a folder, by file name."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in (".pth", ".pt"))
        if not files:
            raise AdaclipError(f"{path} holds no .pth or .pt files: give the folder of the authors' files")
        return {file.name: _unpickled(file) for file in files}
    damaged = damaged_member(path)
    if damaged:
        raise AdaclipError(f"checkpoint {path} is damaged: {damaged}: get another copy of it")
    try:
        with path.open("rb") as stream:  # given a name, torch would go by its suffix
            return torch.load(stream, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can end in any exception
        raise AdaclipError(f"cannot read checkpoint {path}: {reason_of(error)}") from error


def _not_finite(state: Mapping[str, Tensor]) -> str | None:
    """The first parameter with a NaN or an infinity; None when all are numbers."""
    return next((key for key, value in state.items() if not bool(torch.isfinite(value).all())), None)


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Parameters and metadata; a file of ours is checked against the digest in it."""
    tensors, metadata, checked = read_tensors(path, "checkpoint", "train it again, or get another copy of it")
    if metadata.get("format") in (FORMAT, ONE_METHOD) and not checked:
        raise AdaclipError(f"checkpoint {path} is damaged: it has no digest of its content: train it again")
    return tensors, metadata


def _describe(model: Method) -> str:
    chosen = ", ".join(f"{key} {value}" for key, value in as_dict(model.settings).items())
    return f"the settings {chosen}" if chosen else "no settings"
