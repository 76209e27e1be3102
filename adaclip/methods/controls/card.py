"""The cards of the controls: `adaclip/runs/controls.py` is what they do."""

from __future__ import annotations

from adaclip.methods.card import Card

RANDOM = Card(id="random", title="random score", kind="control", uses_backbone=False)
ORACLE = Card(id="oracle", title="ground truth", kind="control", uses_backbone=False)
