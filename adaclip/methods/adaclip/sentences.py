"""What AdaCLIP asks of an image, in words (paper, section 3.2)."""

from __future__ import annotations

#: Sentences that describe a normal object; `{}` is the class name.
NORMAL_STATES = (
    "{}",
    "flawless {}",
    "perfect {}",
    "unblemished {}",
    "{} without flaw",
    "{} without defect",
    "{} without damage",
)
#: Sentences that describe an abnormal object.
ABNORMAL_STATES = ("damaged {}", "broken {}", "{} with flaw", "{} with defect", "{} with damage")
#: Templates around the states.
TEMPLATES = (
    "a bad photo of a {}.",
    "a low resolution photo of the {}.",
    "a bad photo of the {}.",
    "a cropped photo of the {}.",
)


def sentences(category: str) -> tuple[list[str], list[str]]:
    """The 28 normal and 20 abnormal sentences of a class name.

    A hyphen in the name becomes a space; an underscore stays, as in the reference.

    Example:
        >>> normal, abnormal = sentences("pipe-fryum")
        >>> len(normal), len(abnormal), abnormal[0]
        (28, 20, 'a bad photo of a damaged pipe fryum.')
    """
    name = category.replace("-", " ")
    normal = [template.format(state.format(name)) for state in NORMAL_STATES for template in TEMPLATES]
    abnormal = [template.format(state.format(name)) for state in ABNORMAL_STATES for template in TEMPLATES]
    return normal, abnormal


def both_states(category: str) -> list[str]:
    """The sentences of both states, normal ones first."""
    normal, abnormal = sentences(category)
    return [*normal, *abnormal]
