"""Two protocols of smoothing: every method as it was published, and one Gaussian for all."""

from __future__ import annotations

from adaclip.metrics.settings import EvaluateSettings


def smoothings(settings: EvaluateSettings, own: float) -> dict[str, float]:
    """The Gaussian of each protocol: standard deviations in pixels of `settings.size`; 0 for none.

    Args:
        settings: how to evaluate.
        own: the method's own smoothing.

    Example:
        >>> smoothings(EvaluateSettings(), 0.0)
        {'published': 0.0, 'common': 4.0}
    """
    return {"published": own, "common": settings.smoothing}


def chosen_smoothing(settings: EvaluateSettings, own: float) -> float:
    """The Gaussian of the protocol that the settings choose, in pixels of `settings.size`; arguments as above.

    Example:
        >>> chosen_smoothing(EvaluateSettings(protocol="common"), 0.0)
        4.0
    """
    return smoothings(settings, own)[settings.protocol]
