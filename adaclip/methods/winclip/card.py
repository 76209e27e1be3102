"""WinCLIP's card."""

from __future__ import annotations

from adaclip.clip.architectures import Architecture
from adaclip.clip.settings import BackboneSettings, Numerics
from adaclip.errors import UsageError
from adaclip.methods.card import Card, Fact, Fairness
from adaclip.methods.winclip.sentences import sentences
from adaclip.methods.winclip.settings import WinCLIPSettings


def check(architecture: Architecture, settings: WinCLIPSettings) -> None:
    """Refuse windows that are larger than the image, empty or there twice, and a temperature that cannot be.

    Raises:
        UsageError: naming the window and the grid.
    """
    scales, grid = settings.scales, architecture.grid
    for scale in scales:
        if not 1 <= scale <= grid:
            raise UsageError(
                f"scale {scale} of winclip: windows of {architecture.model} at "
                f"{architecture.input_size or architecture.image_size} px are from 1 to {grid} patches wide"
            )
    if len(set(scales)) < len(scales):
        raise UsageError(f"scales {', '.join(map(str, scales))} of winclip: give each once")
    if not settings.temperature > 0:
        raise UsageError(f"temperature {settings.temperature} of winclip: must be above 0")


def all_sentences(class_name: str) -> list[str]:
    """The sentences of both states, normal ones first."""
    normal, anomalous = sentences(class_name)
    return [*normal, *anomalous]


_PAPER = "arXiv:2303.14814"
_ANOMALIB = "github.com/openvinotoolkit/anomalib at 161bb369"

CARD = Card(
    id="winclip",
    title="WinCLIP",
    kind="training-free",
    model="adaclip.methods.winclip.model:WinCLIP",
    paper=(
        "Jeong, Zou, Kim, Zhang, Ravichandran, Dabeer: WinCLIP: Zero-/Few-Shot Anomaly Classification and "
        "Segmentation, CVPR 2023, arXiv:2303.14814"
    ),
    licence="none published by its authors; anomalib's, which is followed here, is Apache-2.0",
    backbone=BackboneSettings("ViT-B-16-plus-240", "laion400m_e31", 240),
    reference=Numerics("as_trained", "bicubic"),
    settings=WinCLIPSettings,
    check=check,
    sentences=all_sentences,
    # By arithmetic on the published backbone, scales 2 and 3: 196 windows of 5 tokens, 169 of 10, and the image of 226.
    # 12.2 on ViT-L-14-336 at 518 px.
    passes=12.4,
    fairness=Fairness(
        trained_on=Fact("nothing: no auxiliary data, and no parameters of its own", _PAPER),
        class_names=Fact(
            "the sets' own, unchanged, in sentences that were written with MVTec AD and VisA in view", _ANOMALIB
        ),
        test_statistics=Fact(
            "none here; anomalib rescales scores and maps by the smallest and greatest of the test set, and fits its "
            "F1 threshold there",
            _ANOMALIB,
        ),
        selected_on=Fact(
            "nothing is selected; tuning of the sentences on the reported sets cannot be excluded", _PAPER
        ),
        code_and_paper=Fact(
            "no code of the authors; anomalib's has one template twice and lacks two of the paper's 22 (not checked "
            "against the paper); all public reimplementations stay below the paper's pixel figures",
            _ANOMALIB,
        ),
    ),
)
