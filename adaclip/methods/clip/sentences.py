"""What the two rows of AnomalyCLIP's paper ask CLIP about an image, in words."""

from __future__ import annotations

from adaclip.methods.clip.templates import IMAGENET_TEMPLATES

#: A normal and an anomalous object, for CLIP's ImageNet templates; `{}` is the class name.
STATES = ("normal {}", "anomalous {}")


def two_sentences(class_name: str) -> tuple[list[str], list[str]]:
    """One sentence for each state; the class name enters as it is.

    Example:
        >>> two_sentences("metal_nut")
        (['A photo of a normal metal_nut.'], ['A photo of an anomalous metal_nut.'])
    """
    return [f"A photo of a normal {class_name}."], [f"A photo of an anomalous {class_name}."]


def in_imagenet_templates(class_name: str) -> tuple[list[str], list[str]]:
    """Each state in CLIP's 80 ImageNet templates; the class name enters as it is.

    Example:
        >>> in_imagenet_templates("metal_nut")[1][0]
        'a bad photo of a anomalous metal_nut.'
    """
    normal, anomalous = ([each.format(state.format(class_name)) for each in IMAGENET_TEMPLATES] for state in STATES)
    return normal, anomalous
