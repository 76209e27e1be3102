"""How to evaluate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adaclip.system.settings import Precision

#: Whose smoothing: each method's own, or one for all.
Protocol = Literal["published", "common"]


@dataclass(frozen=True)
class EvaluateSettings:
    """How to evaluate; see the schema's `evaluation`. Lengths are in pixels of `size`."""

    batch_size: int = 8
    precision: Precision = "fp32"
    size: int = 518
    protocol: Protocol = "published"
    smoothing: float = 4.0
    fpr_limit: float = 0.3
    panels: int = 6
