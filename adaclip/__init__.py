"""A referee for zero-shot anomaly detection: methods around a frozen CLIP, AdaCLIP among them, on one protocol.

`load_method` makes one by its id; `AdaCLIP` and `load_backbone` put that one together by hand. docs/design.md is the
plan of the package, docs/methods.md the contract of a method.

The public names below are imported when they are first used, so that `import adaclip` costs nothing and needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adaclip import metrics
    from adaclip.clip.backbone import Backbone
    from adaclip.clip.load import load_backbone
    from adaclip.data.preprocessing import preprocess, preprocess_mask
    from adaclip.errors import AdaclipError, UsageError
    from adaclip.methods.adaclip.model import AdaCLIP
    from adaclip.methods.base import Method, Prediction
    from adaclip.methods.card import Card
    from adaclip.methods.load import load_method
    from adaclip.runs.check_method import check_method
    from adaclip.runs.checkpoint import load_checkpoint, load_model, save_checkpoint

__version__ = "0.1.0"

_HOMES = {
    "AdaclipError": "adaclip.errors",
    "UsageError": "adaclip.errors",
    "AdaCLIP": "adaclip.methods.adaclip.model",
    "Backbone": "adaclip.clip.backbone",
    "Card": "adaclip.methods.card",
    "Method": "adaclip.methods.base",
    "Prediction": "adaclip.methods.base",
    "check_method": "adaclip.runs.check_method",
    "load_backbone": "adaclip.clip.load",
    "load_method": "adaclip.methods.load",
    "load_checkpoint": "adaclip.runs.checkpoint",
    "load_model": "adaclip.runs.checkpoint",
    "preprocess": "adaclip.data.preprocessing",
    "preprocess_mask": "adaclip.data.preprocessing",
    "save_checkpoint": "adaclip.runs.checkpoint",
}

__all__ = [
    "AdaCLIP",
    "AdaclipError",
    "Backbone",
    "Card",
    "Method",
    "Prediction",
    "UsageError",
    "__version__",
    "check_method",
    "load_backbone",
    "load_checkpoint",
    "load_method",
    "load_model",
    "metrics",
    "preprocess",
    "preprocess_mask",
    "save_checkpoint",
]


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return importlib.import_module("adaclip.metrics.measures")
    if name in _HOMES:
        home = importlib.import_module(_HOMES[name])
        value = getattr(home, name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'adaclip' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
