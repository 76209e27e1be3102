"""AnomalyCLIP's card."""

from __future__ import annotations

from adaclip.clip.architectures import Architecture
from adaclip.clip.settings import Numerics
from adaclip.errors import UsageError
from adaclip.methods.anomalyclip.sentences import OTHER_TOKENS
from adaclip.methods.anomalyclip.settings import AnomalyCLIPSettings, AnomalyCLIPTraining
from adaclip.methods.card import Card, Fact, Fairness


def check(architecture: Architecture, settings: AnomalyCLIPSettings) -> None:
    """Refuse blocks that the vision tower does not have, and prompts that the text tower would cut.

    Raises:
        UsageError: naming the tower and its size.
    """
    model, blocks, context = architecture.model, architecture.vision_blocks, architecture.context
    if not 0 <= settings.dpam_blocks <= blocks:
        raise UsageError(f"dpam_blocks {settings.dpam_blocks}: {model} has {blocks} vision blocks, use 0 to {blocks}")
    for block in settings.feature_blocks:
        if not 1 <= block <= blocks:
            raise UsageError(f"feature_blocks: {model} has no vision block {block}, use 1 to {blocks}")
    if len(set(settings.feature_blocks)) < len(settings.feature_blocks):
        named = ", ".join(map(str, settings.feature_blocks))
        raise UsageError(f"feature_blocks {named}: give each block once")
    for name in ("prompt_length", "deep_prompt_length", "deep_prompt_depth"):
        if getattr(settings, name) < 1:
            raise UsageError(f"{name} {getattr(settings, name)}: must be at least 1")
    most = context - OTHER_TOKENS
    if settings.prompt_length > most:
        raise UsageError(
            f"prompt_length {settings.prompt_length} does not fit the text tower's context of {context} tokens: "
            f"use at most {most}"
        )
    if settings.deep_prompt_length >= context:
        raise UsageError(
            f"deep_prompt_length {settings.deep_prompt_length} does not fit the text tower's context of {context} "
            "tokens"
        )


_PAPER = "arXiv:2310.18961"
_CODE = "github.com/zqhang/AnomalyCLIP"

CARD = Card(
    id="anomalyclip",
    title="AnomalyCLIP",
    kind="trained",
    model="adaclip.methods.anomalyclip.model:AnomalyCLIP",
    paper=(
        "Zhou, Pang, Tian, He, Chen: AnomalyCLIP: Object-agnostic Prompt Learning for Zero-shot Anomaly Detection, "
        "ICLR 2024, arXiv:2310.18961"
    ),
    licence="MIT",
    reference=Numerics("quick_gelu", "bilinear"),
    smoothing=4.0,
    settings=AnomalyCLIPSettings,
    training=AnomalyCLIPTraining,
    check=check,
    # By arithmetic on the published backbone: V-V attention in 19 of 24 blocks. Gradients run through the text tower
    # alone, for two sentences a step.
    passes=1.25,
    learns_through_towers=False,
    fairness=Fairness(
        trained_on=Fact("the test split of VisA (tested on MVTec AD), or of MVTec AD (tested on the others)", _CODE),
        class_names=Fact("not used: the word object stands in both prompts", f"{_PAPER}, section 3.2"),
        test_statistics=Fact("none", _CODE),
        selected_on=Fact("nothing: the last epoch, 15, is used", _CODE),
        code_and_paper=Fact(
            "the paper's maps of several blocks were one block's map added to itself until April 2025; learned text "
            "tokens replace others, where the paper's first version appends them; the image feature skips CLIP's last "
            "layer norm; learned tokens of text blocks are rounded to fp16",
            f"{_CODE}, issues 14, 18, 64 and 75",
        ),
    ),
)
