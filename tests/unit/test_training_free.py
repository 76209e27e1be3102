"""Methods that learn nothing, evaluated without a checkpoint."""

from __future__ import annotations

import json

import pytest
import torch

from adaclip.clip.settings import BackboneSettings
from adaclip.errors import UsageError
from adaclip.methods.registry import BUILT_IN, find_card
from adaclip.metrics.settings import EvaluateSettings
from adaclip.runs.evaluate import evaluate_method

TRAINING_FREE = [id for id in BUILT_IN if find_card(id).kind == "training-free"]


def run(method: str, manifest, out, model=None) -> dict:
    settings, backbone = EvaluateSettings(panels=3), BackboneSettings("tiny", image_size=32)
    evaluate_method("own", method, backbone, model, manifest, settings, out, seed=4, device=torch.device("cpu"))
    return json.loads((out / "metrics.json").read_text())


@pytest.mark.parametrize("method", TRAINING_FREE)
def test_evaluation_writes_what_a_checkpoint_gets(prepared, tmp_path, method):
    metrics = run(method, prepared("toy"), tmp_path / "out")
    expected = {"set": "toy", "run": "own", "method": method, "seed": 4, "auxiliary": [], "selection": None}
    assert {key: metrics[key] for key in expected} == expected
    assert metrics["images"] == 6
    for level, measure in (("image", "auroc"), ("pixel", "aupro")):
        assert 0 <= metrics["mean"][level][measure] <= 1
    assert json.loads((tmp_path / "out" / "cost.json").read_text())["parameters"] == 0


def test_settings_are_felt(prepared, tmp_path):
    """WinCLIP's scales make the map, and leave the scores alone."""
    manifest = prepared("toy")
    without, with_windows = (
        run("winclip", manifest, tmp_path / str(len(scales)), {"scales": scales})["mean"] for scales in ([], [2])
    )
    assert without["image"] == with_windows["image"]
    assert without["pixel"]["auroc"] != with_windows["pixel"]["auroc"]


def test_a_window_larger_than_the_grid_is_one_line(prepared, tmp_path):
    with pytest.raises(UsageError, match="scale 5 of winclip: windows of tiny at 32 px are from 1 to 4 patches wide"):
        run("winclip", prepared("toy"), tmp_path, {"scales": [5]})


def test_what_has_parameters_needs_a_checkpoint(prepared, tmp_path):
    with pytest.raises(UsageError, match="method untrained is untrained"):
        run("untrained", prepared("toy"), tmp_path)
