"""What every training has: the settings that the one loop reads. Methods add their own and change the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adaclip.system.annotated import setting
from adaclip.system.settings import Precision

#: A data set's id.
SET_ID = {"pattern": "^[a-z0-9][a-z0-9_]*$"}


@dataclass(frozen=True)
class TrainSettings:
    """How to train; the defaults are those of no method in particular."""

    epochs: int = setting(1, "Passes over the auxiliary data.", minimum=1, maximum=100000)
    batch_size: int = setting(8, "Images of one step.", minimum=1, maximum=65536)
    learning_rate: float = setting(0.001, "The optimiser's step size.", exclusiveMinimum=0)
    betas: tuple[float, float] = setting(
        (0.5, 0.999),
        "The optimiser's decay rates of the moments.",
        items={"minimum": 0, "exclusiveMaximum": 1},
    )
    weight_decay: float = setting(0.0, "The optimiser's weight decay.", minimum=0)
    precision: Precision = setting(
        "fp32", "fp32, bf16 (autocast) or fp16 (autocast with a gradient scaler; needs a GPU)."
    )
    mosaic_probability: float = setting(
        0.0, "Chance that a sample is a 2 x 2 mosaic of four images of its category.", minimum=0, maximum=1
    )
    mosaic_sets: tuple[str, ...] = setting((), "Auxiliary sets to which the mosaic applies.", items=SET_ID)
    unmasked: Literal["zero", "skip"] = setting(
        "zero",
        "Anomalous images of sets without masks. zero trains their maps against an empty mask (the reference's "
        "behaviour), skip leaves the pixel loss out for them.",
    )
    selection: str | None = setting(
        None,
        "null keeps the last epoch; a set's id keeps the epoch with the best pixel F1-max on it. Figures on that set "
        "are marked everywhere.",
    )
