"""Settings of AdaCLIP and of its training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adaclip.system.settings import Precision


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
