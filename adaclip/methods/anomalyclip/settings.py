"""Settings of AnomalyCLIP and of its training."""

from __future__ import annotations

from dataclasses import dataclass

from adaclip.methods.training import TrainSettings
from adaclip.system.annotated import setting


@dataclass(frozen=True)
class AnomalyCLIPSettings:
    """AnomalyCLIP's own parameters (paper, section 3)."""

    prompt_length: int = setting(12, "Learned words of each of the two prompts.", minimum=1, maximum=1000)
    deep_prompt_length: int = setting(
        4, "Learned tokens that replace text tokens before a block of the text tower.", minimum=1, maximum=1000
    )
    deep_prompt_depth: int = setting(
        9,
        "Depth of the learned tokens: they are put in before text blocks 2 to this one, as far as the tower has "
        "blocks. 1 is none.",
        minimum=1,
        maximum=1000,
    )
    dpam_blocks: int = setting(
        19, "How many of the last vision blocks have V-V attention (the paper's DPAM) beside their own.", minimum=0
    )
    feature_blocks: tuple[int, ...] = setting(
        (),
        "Vision blocks, counted from 1, whose patches make a map each; the maps are added. Empty is the last block "
        "alone, as the published figures were computed.",
        items={"minimum": 1},
    )
    half_deep_prompts: bool = setting(
        True, "Round the learned tokens of the text blocks to fp16, as the published code does."
    )


@dataclass(frozen=True)
class AnomalyCLIPTraining(TrainSettings):
    """How to train; the defaults are the published code's."""

    epochs: int = setting(15, "Passes over the auxiliary data.", minimum=1, maximum=100000)
    batch_size: int = setting(8, "Images of one step.", minimum=1, maximum=65536)
    learning_rate: float = setting(0.001, "Adam's step size, constant.", exclusiveMinimum=0)
