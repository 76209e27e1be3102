"""What WinCLIP asks of an image, in words: states in templates (paper, its compositional prompt ensemble)."""

from __future__ import annotations

#: A normal object; `{}` is the class name.
NORMAL_STATES = (
    "{}",
    "flawless {}",
    "perfect {}",
    "unblemished {}",
    "{} without flaw",
    "{} without defect",
    "{} without damage",
)
#: An anomalous object.
ANOMALOUS_STATES = ("damaged {}", "{} with flaw", "{} with defect", "{} with damage")
#: Templates around the states. One stands here twice, as in the code that the known figures are from (NOTES.md), and
#: so it has twice the weight.
TEMPLATES = (
    "a cropped photo of the {}.",
    "a close-up photo of a {}.",
    "a close-up photo of the {}.",
    "a bright photo of a {}.",
    "a bright photo of the {}.",
    "a dark photo of the {}.",
    "a dark photo of a {}.",
    "a jpeg corrupted photo of the {}.",
    "a jpeg corrupted photo of the {}.",
    "a blurry photo of the {}.",
    "a blurry photo of a {}.",
    "a photo of a {}.",
    "a photo of the {}.",
    "a photo of a small {}.",
    "a photo of the small {}.",
    "a photo of a large {}.",
    "a photo of the large {}.",
    "a photo of the {} for visual inspection.",
    "a photo of a {} for visual inspection.",
    "a photo of the {} for anomaly detection.",
    "a photo of a {} for anomaly detection.",
)


def sentences(class_name: str) -> tuple[list[str], list[str]]:
    """The 147 normal and 84 anomalous sentences of a class name, which enters as it is.

    Example:
        >>> normal, anomalous = sentences("pipe-fryum")
        >>> len(normal), len(anomalous), anomalous[0]
        (147, 84, 'a cropped photo of the damaged pipe-fryum.')
    """
    normal = [template.format(state.format(class_name)) for state in NORMAL_STATES for template in TEMPLATES]
    anomalous = [template.format(state.format(class_name)) for state in ANOMALOUS_STATES for template in TEMPLATES]
    return normal, anomalous
