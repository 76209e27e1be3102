"""The controls prove the metrics: the ground truth gets 100 %, a random score what chance gets."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from adaclip.metrics.settings import EvaluateSettings
from adaclip.runs.controls import evaluate_control


def run(method, manifest, out, seed=0, size=48):
    evaluate_control(f"my_{method}", method, manifest, EvaluateSettings(size=size, panels=3), out, seed=seed)
    return json.loads((out / "metrics.json").read_text())


def test_the_ground_truth_gets_everything(prepared, tmp_path):
    manifest = prepared("toy", categories=("bolt", "nut"), width=50, height=30, normal=4, anomalous=5)
    metrics = run("oracle", manifest, tmp_path / "out")
    assert metrics["mean"] == {
        "image": {"auroc": 1, "f1_max": 1, "ap": 1},
        "pixel": {"auroc": 1, "f1_max": 1, "ap": 1, "aupro": 1},
    }
    assert metrics["smoothing"] == {"published": 0, "common": 0}
    assert (metrics["run"], metrics["method"], metrics["auxiliary"]) == ("my_oracle", "oracle", [])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "scores.csv",
        "metrics.json",
        "curves.json",
        "panels.npz",
        "cost.json",
    }


def test_what_a_set_does_not_know_stays_undefined(prepared, tmp_path):
    labelled = run("oracle", prepared("labelled", masks=False, labels=("image",)), tmp_path / "a")
    assert labelled["mean"]["image"]["auroc"] == 1
    assert set(labelled["mean"]["pixel"].values()) == {None}
    masked = run("oracle", prepared("masked", normal=0, labels=("mask",)), tmp_path / "b")
    assert set(masked["mean"]["image"].values()) == {None}
    assert set(masked["mean"]["pixel"].values()) == {1}


def test_chance_is_what_a_random_score_gets(prepared, tmp_path):
    manifest = prepared("toy", normal=60, anomalous=60, width=24, height=24)
    metrics = run("random", manifest, tmp_path / "out", size=32)["mean"]
    masks = np.load(tmp_path / "out" / "panels.npz")["maps"]
    assert masks.std() > 0.2
    # Standard errors: 0.053 over 120 images, under 0.005 over 100,000 pixels.
    assert metrics["image"]["auroc"] == pytest.approx(0.5, abs=0.16)
    assert metrics["pixel"]["auroc"] == pytest.approx(0.5, abs=0.02)
    assert metrics["pixel"]["aupro"] == pytest.approx(0.15, abs=0.02)


def test_seeds_and_sets_have_draws_of_their_own(prepared, tmp_path):
    first, second = prepared("first"), prepared("second")
    scores = {
        key: (tmp_path / key / "scores.csv").read_text().split("\n")[1].split(",")[5]
        for key, manifest, seed in (("a", first, 0), ("again", first, 0), ("b", first, 1), ("c", second, 0))
        if run("random", manifest, tmp_path / key, seed)
    }
    assert scores["a"] == scores["again"]
    assert len({scores["a"], scores["b"], scores["c"]}) == 3


def test_a_control_needs_no_torch(prepared, tmp_path):
    code = (
        "import sys; from adaclip.cli import main; "
        f"assert main(['baseline', '--method', 'oracle', '--backbone', '{{\"model\": \"tiny\", \"image_size\": 56}}', "
        f"'--manifest', {str(prepared('toy'))!r}, '--out', {str(tmp_path / 'out')!r}]) == 0; "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
