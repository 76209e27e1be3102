"""The files that AnomalyCLIP's authors publish: `{"prompt_learner": tensors by name}`.

Besides the learned parameters they hold copies of word embeddings and token ids of the two sentences, and linear layers
that nothing calls.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adaclip.clip.backbone import Backbone
from adaclip.errors import AdaclipError
from adaclip.methods.anomalyclip.sentences import sentences
from adaclip.methods.released import named_tensors
from adaclip.system.foreign import other_model

KEY = "prompt_learner"
STATES = ("pos", "neg")
_CONTEXTS = tuple(f"ctx_{state}" for state in STATES)
_DEEP = re.compile(r"compound_prompts_text\.(\d+)")
_UNUSED = "compound_prompt_projections."
#: Outputs of the layers that nothing calls.
_UNUSED_OUTPUTS = 896
#: Copies of word embeddings may differ by so much: fp16 and back, no more.
_TOLERANCE = 1e-3


def read_learned(content: Any, path: Path) -> dict[str, Tensor]:
    """The learned parameters of a file, by name.

    Args:
        content: what `torch.load` gave.
        path: for errors.

    Raises:
        AdaclipError: another method's file, or one whose parameters do not fit together.
    """
    return {name: value for name, value in _tensors(content, path).items() if _is_learned(name)}


def check_copies(content: Any, path: Path, backbone: Backbone) -> None:
    """Refuse a file that was trained with another backbone, or with other words.

    Raises:
        AdaclipError: naming the first copy that differs.
    """
    held = _tensors(content, path)
    length, width = held["ctx_pos"].shape[2:]
    problem = f"text width {width}, this one's is {backbone.text_width}" if width != backbone.text_width else ""
    for name, own in word_copies(backbone, length).items() if not problem else ():
        if name not in held:
            raise AdaclipError(f"{path} {_LAYOUT}: its {KEY} lacks {name}")
        if held[name].shape != own.shape:
            problem = f"{name} of shape {tuple(held[name].shape)}, this one's is {tuple(own.shape)}"
        elif not bool(((held[name].float() - own).abs() <= _TOLERANCE).all()):
            problem = f"{name} differs from this one's word embeddings"
        if problem:
            break
    if problem:
        raise AdaclipError(
            f"{path} was trained with another backbone than {backbone.settings.model} "
            f"(weights {backbone.settings.pretrained or 'random'}), or with other words: {problem}"
        )


def settings_of(content: Any, path: Path) -> dict[str, int]:
    """Lengths and depth of the prompts, off the shapes.

    Raises:
        AdaclipError: as `read_learned`.
    """
    learned = read_learned(content, path)
    deep = [value for name, value in learned.items() if _DEEP.fullmatch(name)]
    found = {"prompt_length": learned["ctx_pos"].shape[2], "deep_prompt_depth": 1 + len(deep)}
    return {**found, "deep_prompt_length": deep[0].shape[0]} if deep else found


def write_learned(state: Mapping[str, Tensor], backbone: Backbone) -> dict[str, dict[str, Tensor]]:
    """What the authors' code would save, with zeros for the layers that nothing calls.

    Args:
        state: learned parameters by name, on the CPU.
        backbone: that they belong to.
    """
    length, width = state["ctx_pos"].shape[2:]
    tokens = _full_tokens(backbone, length).to(torch.int32)
    ids = {f"tokenized_prompts_{kind}": row.view(1, 1, -1).clone() for kind, row in zip(STATES, tokens, strict=True)}
    # They say nothing, so one stored number stands for all.
    zero = torch.zeros(())
    unused = {}
    for index in range(sum(_DEEP.fullmatch(name) is not None for name in state)):
        unused[f"{_UNUSED}{index}.weight"] = zero.expand(_UNUSED_OUTPUTS, width)
        unused[f"{_UNUSED}{index}.bias"] = zero.expand(_UNUSED_OUTPUTS)
    return {KEY: {**state, **word_copies(backbone, length), **ids, **unused}}


@torch.no_grad()
def word_copies(backbone: Backbone, length: int) -> dict[str, Tensor]:
    """Word embeddings around the learned words, as the files hold them, float32 on the CPU.

    Args:
        backbone: a frozen CLIP.
        length: learned words of a sentence.

    Returns:
        `token_prefix_*` (1, 1, 1, text width) and `token_suffix_*` (1, 1, context - 1 - length, text width).
    """
    words = backbone.embed_words(_full_tokens(backbone, length).to(backbone.device)).float().cpu()
    copies = {}
    for state, sentence in zip(STATES, words[:, None, None], strict=True):
        copies[f"token_prefix_{state}"] = sentence[:, :, :1].clone()
        copies[f"token_suffix_{state}"] = sentence[:, :, 1 + length :].clone()
    return copies


_LAYOUT = "is not in AnomalyCLIP's released layout"


def _full_tokens(backbone: Backbone, length: int) -> Tensor:
    return backbone.tokenize(sentences(length), at_least=backbone.architecture.context)


def _is_learned(name: str) -> bool:
    return name in _CONTEXTS or _DEEP.fullmatch(name) is not None


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    """Learned parameters and copies; what is neither is refused, or left out where it is known to say nothing."""
    if not isinstance(content, Mapping):
        raise AdaclipError(f"{path} {_LAYOUT}, which holds a {KEY}: it holds no tensors by name")
    held = content.get(KEY)
    if not isinstance(held, Mapping):
        raise AdaclipError(f"{path} {_LAYOUT}, which holds a {KEY}: {other_model([str(name) for name in content])}")
    # Token ids are whole numbers, and follow from the words whose embeddings are compared.
    held = {key: value for key, value in held.items() if not str(key).startswith((_UNUSED, "tokenized_prompts_"))}
    tensors = named_tensors(held, path)
    for name in tensors:
        if not _is_learned(name) and not name.startswith(("token_prefix_", "token_suffix_")):
            raise AdaclipError(f"{path} {_LAYOUT}: its {KEY} has {name}, which another method may have")
    for name in _CONTEXTS:
        if name not in tensors:
            raise AdaclipError(f"{path} {_LAYOUT}: its {KEY} lacks {name}")
        shape = tensors[name].shape
        if len(shape) != 4 or shape[:2] != (1, 1) or shape != tensors["ctx_pos"].shape:
            raise AdaclipError(f"{path} {_LAYOUT}: its {name} has shape {tuple(shape)}, not (1, 1, length, width)")
    deep = [value.shape for name, value in tensors.items() if _DEEP.fullmatch(name)]
    for index in range(len(deep)):
        if f"compound_prompts_text.{index}" not in tensors:
            raise AdaclipError(f"{path} {_LAYOUT}: it has {len(deep)} sets of deep prompts, but none of number {index}")
    if len({tuple(shape) for shape in deep}) > 1 or any(len(shape) != 2 for shape in deep):
        raise AdaclipError(f"{path} {_LAYOUT}: its deep prompts have different shapes, or are no matrices")
    return tensors
