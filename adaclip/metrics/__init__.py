"""From maps and scores to metrics: AUROC, F1-max, AP and AUPRO, streamed. Knows nothing of models.

The public names are imported when they are first used, so that the names of the metrics cost no SciPy.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = [
    "IMAGE_METRICS",
    "PIXEL_METRICS",
    "MetricResult",
    "PixelMetrics",
    "UndefinedMetricWarning",
    "image_curves",
    "image_metrics",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("adaclip.metrics.measures"), name)
    raise AttributeError(f"module 'adaclip.metrics' has no attribute '{name}'")
