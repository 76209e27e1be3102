"""Settings of AdaCLIP and of its training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adaclip.methods.training import SET_ID, TrainSettings
from adaclip.system.annotated import setting


@dataclass(frozen=True)
class AdaCLIPSettings:
    """AdaCLIP's own parameters (paper, section 3)."""

    prompt_type: Literal["S", "D", "SD", "none"] = setting(
        "SD", "S static, D dynamic, SD both (the paper's hybrid), none."
    )
    prompt_branch: Literal["V", "L", "VL", "none"] = setting("VL", "V vision tower, L text tower, VL both, none.")
    prompt_depth: int = setting(4, "Number of blocks that get prompts (the paper's J).", minimum=1)
    prompt_length: int = setting(5, "Prompt tokens of each block (the paper's M).", minimum=1, maximum=1000)
    fusion: bool = setting(True, "Hybrid semantic fusion (HSF) in the image score.")
    clusters: int = setting(20, "Clusters of HSF (the paper's K).", minimum=1, maximum=100000)
    fusion_weight: float = setting(0.2, "Weight of the clusters' mean in HSF's image feature.", minimum=0, maximum=1)


@dataclass(frozen=True)
class AdaCLIPTraining(TrainSettings):
    """How to train; the defaults are the paper's, but for the precision."""

    epochs: int = setting(5, "Passes over the auxiliary data.", minimum=1, maximum=100000)
    batch_size: int = setting(1, "Images of one step. The paper's is 1.", minimum=1, maximum=65536)
    learning_rate: float = setting(0.01, "AdamW's step size, constant.", exclusiveMinimum=0)
    weight_decay: float = setting(0.01, "AdamW's weight decay (PyTorch's default).", minimum=0)
    mosaic_probability: float = setting(
        0.2, "Chance that a sample is a 2 x 2 mosaic of four images of its category.", minimum=0, maximum=1
    )
    mosaic_sets: tuple[str, ...] = setting(("mvtec",), "Auxiliary sets to which the mosaic applies.", items=SET_ID)
    dice: Literal["rows", "image"] = setting(
        "rows",
        "What one Dice coefficient of the pixel loss covers. rows is how the reference computes at its batch size 1 "
        "(each row of pixels by itself), image is the paper's text.",
    )
    freeze_projections: bool = setting(
        False, "Leave the projections at their seeded initial values and train the prompts alone."
    )
