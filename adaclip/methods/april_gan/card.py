"""APRIL-GAN's card."""

from __future__ import annotations

from adaclip.clip.architectures import Architecture
from adaclip.clip.settings import Numerics
from adaclip.errors import UsageError
from adaclip.methods.april_gan.sentences import both_states
from adaclip.methods.april_gan.settings import AprilGANSettings, AprilGANTraining
from adaclip.methods.blocks import quarters
from adaclip.methods.card import Card, Fact, Fairness


def blocks_read(architecture: Architecture, settings: AprilGANSettings) -> tuple[int, ...]:
    """The blocks that are read, in order of depth.

    Raises:
        UsageError: none, one twice, one that the tower does not have, or a tower without quarters.
    """
    given = settings.feature_blocks
    if given is None:
        return quarters(architecture)
    last = architecture.vision_blocks
    if not given or len(set(given)) < len(given) or not all(1 <= block <= last for block in given):
        raise UsageError(
            f"feature_blocks {list(given)}: give different blocks from 1 to {last}, which {architecture.model} has"
        )
    return tuple(sorted(given))


def check(architecture: Architecture, settings: AprilGANSettings) -> None:
    """Refuse feature blocks that the vision tower does not have.

    Raises:
        UsageError: see `blocks_read`.
    """
    blocks_read(architecture, settings)


_CODE = "github.com/ByChelsea/VAND-APRIL-GAN"

CARD = Card(
    id="april_gan",
    title="APRIL-GAN",
    kind="trained",
    model="adaclip.methods.april_gan.model:AprilGAN",
    paper=(
        "Chen, Han, Zhang: APRIL-GAN: A Zero-/Few-Shot Anomaly Classification and Segmentation Method for CVPR 2023 "
        "VAND Workshop Challenge Tracks 1&2, arXiv:2305.17382"
    ),
    licence="MIT",
    # OpenAI's weights at their own size were run as they are; at any other the model was built anew, with plain GELU.
    reference=Numerics("gelu", "bicubic_antialias", native_activation="quick_gelu"),
    smoothing=0.0,
    settings=AprilGANSettings,
    training=AprilGANTraining,
    check=check,
    sentences=both_states,
    # By arithmetic the linear layers add less than a hundredth of a pass. They read frozen patches.
    passes=1.0,
    learns_through_towers=False,
    fairness=Fairness(
        trained_on=Fact("the test split of MVTec AD, or of VisA", _CODE),
        class_names=Fact("the sets' own, unchanged", _CODE),
        test_statistics=Fact("none", _CODE),
        selected_on=Fact("nothing: every epoch is saved, and which one was released is not said", _CODE),
        code_and_paper=Fact(
            "the image score uses nothing learned; weights trained with QuickGELU run with plain GELU; a training "
            "sample of MVTec AD is replaced by a mosaic at a chance of 0.2; the released weights are from before a "
            "fix of 2023-06-21, until which a batch was trained with the text of its first image. The report was not "
            "compared line by line",
            _CODE,
        ),
    ),
)
