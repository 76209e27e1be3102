"""AdaCLIP's card, and that of its untrained parameters."""

from __future__ import annotations

import dataclasses

from adaclip.clip.architectures import Architecture
from adaclip.clip.settings import Numerics
from adaclip.errors import UsageError
from adaclip.methods.adaclip.sentences import both_states
from adaclip.methods.adaclip.settings import AdaCLIPSettings, AdaCLIPTraining
from adaclip.methods.blocks import quarters
from adaclip.methods.card import Card, Fact, Fairness


def check(architecture: Architecture, settings: AdaCLIPSettings) -> None:
    """Refuse prompts that are deeper than a tower, or longer than a sentence, and towers of fewer than four blocks.

    Raises:
        UsageError: naming the tower and its size.
    """
    quarters(architecture)
    depth, length = settings.prompt_depth, settings.prompt_length
    active = "" if settings.prompt_type == "none" else settings.prompt_branch.replace("none", "")
    for letter, name, blocks in (("V", "vision", architecture.vision_blocks), ("L", "text", architecture.text_blocks)):
        if letter in active and depth > blocks:
            raise UsageError(f"prompt_depth {depth} is more than the {blocks} blocks of the {name} tower")
    if "L" in active and length >= architecture.context:
        raise UsageError(
            f"prompt_length {length} does not fit the text tower's context of {architecture.context} tokens"
        )


def check_training(settings: AdaCLIPSettings, training: AdaCLIPTraining) -> None:
    """Refuse a training without parameters.

    Raises:
        UsageError: no prompts, and projections that stay as they are.
    """
    if "none" in (settings.prompt_type, settings.prompt_branch) and training.freeze_projections:
        raise UsageError("nothing to train: no prompts, and the projections are frozen")


_PAPER = "arXiv:2407.15795"
_CODE = "github.com/caoyunkang/AdaCLIP"

CARD = Card(
    id="adaclip",
    title="AdaCLIP",
    kind="trained",
    model="adaclip.methods.adaclip.model:AdaCLIP",
    paper=(
        "Cao, Zhang, Frittoli, Cheng, Shen, Boracchi: AdaCLIP: Adapting CLIP with Hybrid Learnable Prompts for "
        "Zero-Shot Anomaly Detection, ECCV 2024, arXiv:2407.15795"
    ),
    licence="MIT",
    reference=Numerics("gelu", "bicubic"),
    smoothing=4.0,
    settings=AdaCLIPSettings,
    training=AdaCLIPTraining,
    check=check,
    check_training=check_training,
    sentences=both_states,
    features=("embedding",),
    fairness=Fairness(
        trained_on=Fact(
            "the test splits of MVTec AD + CVC-ColonDB, or of VisA + CVC-ClinicDB", f"{_PAPER}, section 4.1"
        ),
        class_names=Fact("the sets' own, a hyphen becomes a space", _CODE),
        test_statistics=Fact("none", _CODE),
        selected_on=Fact("the epoch by pixel F1-max on a set that is then reported", _CODE),
        code_and_paper=Fact(
            "the Dice loss covers single rows of pixels at its batch size 1; weights trained with QuickGELU run with "
            "plain GELU",
            _CODE,
        ),
    ),
)

#: The same model with its initial parameters: what training adds is the difference.
UNTRAINED = dataclasses.replace(
    CARD, id="untrained", title="AdaCLIP, untrained", kind="untrained", training=None, fairness=None
)
