"""AdaCLIP and the benchmark of zero-shot anomaly detection.

The public names below are imported when they are first used, so that `import adaclip` costs nothing and needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adaclip import metrics
    from adaclip.backbone import Backbone, load_backbone
    from adaclip.checkpoint import load_checkpoint, load_model, save_checkpoint
    from adaclip.model import AdaCLIP, Prediction
    from adaclip.preprocessing import preprocess, preprocess_mask

__version__ = "0.1.0"

_HOMES = {
    "AdaCLIP": "adaclip.model",
    "Backbone": "adaclip.backbone",
    "Prediction": "adaclip.model",
    "load_backbone": "adaclip.backbone",
    "load_checkpoint": "adaclip.checkpoint",
    "load_model": "adaclip.checkpoint",
    "preprocess": "adaclip.preprocessing",
    "preprocess_mask": "adaclip.preprocessing",
    "save_checkpoint": "adaclip.checkpoint",
}

__all__ = [
    "AdaCLIP",
    "Backbone",
    "Prediction",
    "__version__",
    "load_backbone",
    "load_checkpoint",
    "load_model",
    "metrics",
    "preprocess",
    "preprocess_mask",
    "save_checkpoint",
]


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return importlib.import_module("adaclip.metrics")
    if name in _HOMES:
        home = importlib.import_module(_HOMES[name])
        value = getattr(home, name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'adaclip' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
