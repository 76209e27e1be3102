"""How figures were computed, in the words that stand with each of them: size, and smoothing of the maps.

`published` smooths the maps of a method as its authors did, `common` those of all methods alike (plan.json:
`evaluation`, and `smoothing` of each method).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adaclip.report.methods import compared_methods

PROTOCOLS = ("published", "common")


def sigma_of(plan: Mapping[str, Any], method: str, protocol: str) -> float:
    """The standard deviation of a method's smoothing under a protocol, in pixels; 0 for none."""
    return float(plan["methods"][method]["smoothing"] if protocol == "published" else plan["evaluation"]["smoothing"])


def sigmas_differ(plan: Mapping[str, Any]) -> bool:
    """Whether the two protocols differ for some method, controls aside."""
    return any(
        sigma_of(plan, method, "published") != sigma_of(plan, method, "common") for method in compared_methods(plan)
    )


def protocol_in_words(plan: Mapping[str, Any]) -> str:
    """The protocol within a sentence.

    Example:
        >>> protocol_in_words({"evaluation": {"protocol": "common", "size": 518, "smoothing": 4.0}})
        'protocol common (figures at 518 px, maps of all methods smoothed with sigma = 4 px)'
    """
    evaluation = plan["evaluation"]
    how = (
        "maps smoothed as each method's authors did"
        if evaluation["protocol"] == "published"
        else f"maps of all methods smoothed with {sigma_in_words(evaluation['smoothing'])}"
        if evaluation["smoothing"]
        else "maps not smoothed"
    )
    return f"protocol {evaluation['protocol']} (figures at {evaluation['size']} px, {how})"


def protocol_sentence(plan: Mapping[str, Any]) -> str:
    """What is printed with every table and figure."""
    said = protocol_in_words(plan)
    return f"{said[0].upper()}{said[1:]}."


def smoothing_of(plan: Mapping[str, Any], methods: Iterable[str]) -> str:
    """The smoothing of methods under the plan's protocol, methods with an equal one together.

    Example:
        >>> methods = {"a": {"title": "A", "smoothing": 4.0}, "b": {"title": "B", "smoothing": 0}}
        >>> plan = {"methods": methods, "evaluation": {"protocol": "published", "size": 518, "smoothing": 4.0}}
        >>> smoothing_of(plan, ["a", "b"]), smoothing_of(plan, ["a"])
        ('smoothing of maps: sigma = 4 px (A), none (B)', 'maps smoothed with sigma = 4 px')
    """
    by_sigma: dict[float, list[str]] = {}
    for method in dict.fromkeys(methods):
        sigma = sigma_of(plan, method, plan["evaluation"]["protocol"])
        by_sigma.setdefault(sigma, []).append(str(plan["methods"][method]["title"]))
    if list(by_sigma) == [0]:
        return "maps not smoothed"
    if len(by_sigma) == 1:
        return f"maps smoothed with {sigma_in_words(*by_sigma)}"
    told = (f"{sigma_in_words(sigma)} ({'; '.join(titles)})" for sigma, titles in by_sigma.items())
    return f"smoothing of maps: {', '.join(told)}"


def sigma_in_words(sigma: float) -> str:
    """A smoothing in words: "sigma = 4 px", or "none"."""
    return f"sigma = {sigma:g} px" if sigma else "none"


def protocol_in_full(plan: Mapping[str, Any]) -> str:
    """The same with every method's own smoothing, for the head of the page."""
    methods = compared_methods(plan)
    if plan["evaluation"]["protocol"] == "common" or not methods:
        return protocol_sentence(plan)
    own = smoothing_of(plan, methods)
    return f"{protocol_sentence(plan)} {own[0].upper()}{own[1:]}."
