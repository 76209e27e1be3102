"""How a CLIP is made, and how its weights are used."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Preset = Literal["reference", "corrected"]
Activation = Literal["gelu", "quick_gelu", "as_trained"]
Positions = Literal["bicubic", "bicubic_antialias", "bilinear"]
ACTIVATIONS = get_args(Activation)
POSITIONS = get_args(Positions)


@dataclass(frozen=True)
class BackboneSettings:
    """A CLIP model and how its weights are used; see the schema's `backbone`.

    `activation` and `positions` are None where the method's preset decides (`Numerics.of`).
    """

    model: str
    pretrained: str | None = None
    image_size: int = 518
    activation: Activation | None = None
    positions: Positions | None = None
    seed: int = 0


@dataclass(frozen=True)
class Numerics:
    """How a published code computes with the weights, whatever they were trained with.

    Attributes:
        activation: of both towers: `gelu`, `quick_gelu`, or `as_trained`, which is that of the weights' tag (for a
            local file or random weights, the one that the model's config names).
        positions: how the positional embedding is brought to another grid than its own, without aligned corners.
        native_activation: at the model's own input size with OpenAI's weights or a file, where it is another; None for
            the same.
    """

    activation: Activation
    positions: Positions
    native_activation: Activation | None = None

    def of(self, settings: BackboneSettings, native_size: int | None = None) -> BackboneSettings:
        """Settings with nothing left open: what they say themselves stays.

        Args:
            settings: of the backbone.
            native_size: side of the input that the model's config names, in pixels; None where it is not known.
        """
        activation = self.activation
        own_size = settings.image_size == native_size
        if self.native_activation is not None and own_size and settings.pretrained is not None:
            known = settings.pretrained == "openai" or Path(settings.pretrained).is_file()
            activation = self.native_activation if known else "as_trained"
        return dataclasses.replace(
            settings,
            activation=settings.activation or activation,
            positions=settings.positions or self.positions,
        )


#: What a backbone computes where nothing is said.
PLAIN = Numerics("gelu", "bicubic")
#: The activation that the weights were trained with, and a resize that does not alias: every method's other preset.
CORRECTED = Numerics("as_trained", "bicubic_antialias")
