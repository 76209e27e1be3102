"""What APRIL-GAN asks of an image, in words: 12 states of an object in 35 templates."""

from __future__ import annotations

#: Descriptions of a normal object; `{}` is the class name.
NORMAL_STATES = (
    "{}",
    "flawless {}",
    "perfect {}",
    "unblemished {}",
    "{} without flaw",
    "{} without defect",
    "{} without damage",
)
#: Descriptions of an abnormal object.
ABNORMAL_STATES = ("damaged {}", "broken {}", "{} with flaw", "{} with defect", "{} with damage")
#: Templates around the states.
TEMPLATES = (
    "a bad photo of a {}.",
    "a low resolution photo of the {}.",
    "a bad photo of the {}.",
    "a cropped photo of the {}.",
    "a bright photo of a {}.",
    "a dark photo of the {}.",
    "a photo of my {}.",
    "a photo of the cool {}.",
    "a close-up photo of a {}.",
    "a black and white photo of the {}.",
    "a bright photo of the {}.",
    "a cropped photo of a {}.",
    "a jpeg corrupted photo of a {}.",
    "a blurry photo of the {}.",
    "a photo of the {}.",
    "a good photo of the {}.",
    "a photo of one {}.",
    "a close-up photo of the {}.",
    "a photo of a {}.",
    "a low resolution photo of a {}.",
    "a photo of a large {}.",
    "a blurry photo of a {}.",
    "a jpeg corrupted photo of the {}.",
    "a good photo of a {}.",
    "a photo of the small {}.",
    "a photo of the large {}.",
    "a black and white photo of a {}.",
    "a dark photo of a {}.",
    "a photo of a cool {}.",
    "a photo of a small {}.",
    "there is a {} in the scene.",
    "there is the {} in the scene.",
    "this is a {} in the scene.",
    "this is the {} in the scene.",
    "this is one {} in the scene.",
)


def sentences(class_name: str) -> tuple[list[str], list[str]]:
    """The 245 normal and 175 abnormal sentences of a class name, which is used as it is, underscores and all.

    Example:
        >>> normal, abnormal = sentences("pipe_fryum")
        >>> len(normal), len(abnormal), abnormal[0]
        (245, 175, 'a bad photo of a damaged pipe_fryum.')
    """
    normal = [template.format(state.format(class_name)) for state in NORMAL_STATES for template in TEMPLATES]
    abnormal = [template.format(state.format(class_name)) for state in ABNORMAL_STATES for template in TEMPLATES]
    return normal, abnormal


def both_states(class_name: str) -> list[str]:
    """The sentences of both states, normal ones first."""
    normal, abnormal = sentences(class_name)
    return [*normal, *abnormal]
