"""How a CLIP is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Preset = Literal["reference", "corrected"]


@dataclass(frozen=True)
class BackboneSettings:
    """A CLIP model and how its weights are used; see the schema's `backbone`."""

    model: str
    pretrained: str | None = None
    image_size: int = 518
    preset: Preset = "reference"
    seed: int = 0
