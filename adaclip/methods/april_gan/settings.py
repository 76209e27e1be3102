"""Settings of APRIL-GAN and of its training."""

from __future__ import annotations

from dataclasses import dataclass

from adaclip.methods.training import SET_ID, TrainSettings
from adaclip.system.annotated import setting


@dataclass(frozen=True)
class AprilGANSettings:
    """APRIL-GAN's own parameters."""

    feature_blocks: tuple[int, ...] | None = setting(
        None,
        "Blocks of the vision tower whose patches are read, counted from 1, each with a linear layer of its own. null "
        "is the last block of each quarter: 6, 12, 18, 24 of 24, as published.",
    )


@dataclass(frozen=True)
class AprilGANTraining(TrainSettings):
    """How to train; the defaults are the authors', but for the precision."""

    epochs: int = setting(
        15,
        "Passes over the auxiliary data. The authors took 3 on MVTec AD and 15 on VisA.",
        minimum=1,
        maximum=100000,
    )
    batch_size: int = setting(8, "Images of one step. The authors' is 8.", minimum=1, maximum=65536)
    learning_rate: float = setting(0.001, "Adam's step size, constant.", exclusiveMinimum=0)
    mosaic_probability: float = setting(
        0.2, "Chance that a sample is replaced by a 2 x 2 mosaic of its category.", minimum=0, maximum=1
    )
    mosaic_sets: tuple[str, ...] = setting(("mvtec",), "Auxiliary sets to which the mosaic applies.", items=SET_ID)
