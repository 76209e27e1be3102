"""Settings of WinCLIP."""

from __future__ import annotations

from dataclasses import dataclass

from adaclip.system.annotated import setting


@dataclass(frozen=True)
class WinCLIPSettings:
    """WinCLIP's own parameters (paper, section 4)."""

    scales: tuple[int, ...] = setting(
        (2, 3),
        "Sides of the square windows, in patches; without any, the map is the image's score everywhere.",
        items={"minimum": 1},
        uniqueItems=True,
    )
    temperature: float = setting(
        0.07, "What cosines are divided by before the softmax over the two states.", exclusiveMinimum=0
    )
