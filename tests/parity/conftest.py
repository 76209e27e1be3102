from pathlib import Path

import pytest
import torch

import adaclip
from tests.parity.drawing import golden_backbone, golden_batch, write_clip_weights


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> adaclip.Backbone:
    path: Path = tmp_path_factory.mktemp("weights") / "clip.pt"
    write_clip_weights(path)
    return golden_backbone(path)


@pytest.fixture(scope="session")
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return golden_batch()
