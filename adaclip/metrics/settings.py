"""How to evaluate."""

from __future__ import annotations

from dataclasses import dataclass

from adaclip.system.settings import Precision


@dataclass(frozen=True)
class EvaluateSettings:
    """How to evaluate; see the schema's `evaluation`."""

    batch_size: int = 8
    precision: Precision = "fp32"
    smoothing: float = 4.0
    fpr_limit: float = 0.3
    panels: int = 6
