"""The settings that the verbs take, as dataclasses, from YAML, JSON or the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from adaclip.errors import UsageError
from adaclip.reading import parse_json, read_yaml
from adaclip.schema import validate

Preset = Literal["reference", "corrected"]
Precision = Literal["fp32", "bf16", "fp16"]
_T = TypeVar("_T")


@dataclass(frozen=True)
class BackboneSettings:
    """A CLIP model and how its weights are used; see the schema's `backbone`."""

    model: str
    pretrained: str | None = None
    image_size: int = 518
    preset: Preset = "reference"
    seed: int = 0


@dataclass(frozen=True)
class ModelSettings:
    """AdaCLIP's own parameters (paper, section 3); see the schema's `model`."""

    prompt_type: Literal["S", "D", "SD", "none"] = "SD"
    prompt_branch: Literal["V", "L", "VL", "none"] = "VL"
    prompt_depth: int = 4
    prompt_length: int = 5
    fusion: bool = True
    clusters: int = 20
    fusion_weight: float = 0.2


@dataclass(frozen=True)
class TrainSettings:
    """How to train; see the schema's `train`."""

    epochs: int = 5
    batch_size: int = 1
    learning_rate: float = 0.01
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 0.01
    precision: Precision = "fp32"
    mosaic_probability: float = 0.2
    mosaic_sets: tuple[str, ...] = ("mvtec",)
    unmasked: Literal["zero", "skip"] = "zero"
    dice: Literal["rows", "image"] = "rows"
    freeze_projections: bool = False
    selection: str | None = None


@dataclass(frozen=True)
class EvaluateSettings:
    """How to evaluate; see the schema's `evaluation`."""

    batch_size: int = 8
    precision: Precision = "fp32"
    smoothing: float = 4.0
    fpr_limit: float = 0.3
    panels: int = 6


def settings(kind: type[_T], value: Mapping[str, Any]) -> _T:
    """A settings dataclass from a checked mapping; lists become tuples."""
    return kind(**{key: tuple(item) if isinstance(item, list) else item for key, item in value.items()})


def as_dict(value: Any) -> dict[str, Any]:
    """A settings dataclass as plain JSON values."""
    return {key: list(item) if isinstance(item, tuple) else item for key, item in dataclasses.asdict(value).items()}


def read_mapping(text: str, what: str) -> dict[str, Any]:
    """A mapping from the command line: a YAML or JSON file's path, or JSON itself.

    Args:
        text: what stood on the command line; JSON starts with "{".
        what: what to call it in errors.

    Raises:
        UsageError: not readable, or not a mapping.
    """
    value = parse_json(text, f"{what} on the command line") if text.lstrip().startswith("{") else read_yaml(text)
    if not isinstance(value, dict):
        raise UsageError(f"{what} {text}: expected keys and values")
    return value


def read_settings(kind: type[_T], part: str, text: str | None) -> _T:
    """Settings of a verb from the command line (see `read_mapping`), or None for the defaults.

    Args:
        kind: the dataclass.
        part: its name under `$defs` in the config schema.
        text: what stood on the command line.

    Raises:
        UsageError: not readable, or a wrong key or value.
    """
    where = f"{part} settings"
    value = read_mapping(text, where) if text is not None else {}
    return settings(kind, validate(value, f"config#/$defs/{part}", where))
