"""The model and the batch behind AdaCLIP's golden numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

import adaclip
from adaclip.methods.adaclip.model import AdaCLIP
from tests.parity import drawn

GOLDEN = Path(__file__).parents[1] / "golden"
NUMBERS = np.load(GOLDEN / "golden.npz")
META = json.loads(str(NUMBERS["meta_json"]))


def draw(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    return drawn.draw(META["salt"], name, shape, {"static_prompts": 0.5})


def write_clip_weights(path: Path) -> None:
    drawn.write_clip_weights(path, GOLDEN / "model_config.json", META["salt"])


def golden_backbone(weights: Path) -> adaclip.Backbone:
    return adaclip.load_backbone(
        str(GOLDEN / "model_config.json"), pretrained=str(weights), image_size=META["size"], preset="reference"
    )


def golden_model(backbone: adaclip.Backbone, prompt_type: str, branch: str, fusion: bool) -> AdaCLIP:
    model = AdaCLIP(backbone, prompt_type, branch, META["depth"], META["length"], fusion=fusion, clusters=META["k"])  # type: ignore[arg-type]
    model.load_state_dict({name: draw(name, tuple(value.shape)) for name, value in model.state_dict().items()})
    return model


def golden_batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images (3, 3, S, S), masks (3, S, S) and labels (3,)."""
    size, count = META["size"], len(META["classes"])
    rng = np.random.default_rng(META["seed"])
    images = rng.standard_normal((count, 3, size, size)).astype(np.float32)
    masks = (rng.random((count, size, size)) > 0.8).astype(np.float32)
    masks[0] = 0
    return torch.from_numpy(images), torch.from_numpy(masks), torch.tensor([0.0, 1.0, 1.0])
