"""Scoring images that nobody has labelled."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

import adaclip
from adaclip.clip.settings import BackboneSettings
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.smoothing import Smoother
from adaclip.metrics.settings import EvaluateSettings
from adaclip.runs.score import score_folder

TINY = BackboneSettings("tiny", image_size=32)
SETTINGS = EvaluateSettings(batch_size=2, size=32, protocol="common", smoothing=2.0)


@pytest.fixture
def scene(tmp_path):
    torch.manual_seed(0)
    model = adaclip.AdaCLIP(adaclip.load_backbone("tiny", image_size=32), clusters=2)
    adaclip.save_checkpoint(model, tmp_path / "c.safetensors")
    rng = np.random.default_rng(0)
    for name, size in (("b.png", (50, 30)), ("deep/a.jpg", (32, 32)), ("deep/a.png", (20, 60))):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)).save(path)
    (tmp_path / "images" / "notes.txt").write_text("no image")
    return tmp_path


def run(scene, checkpoint="c.safetensors", backbone=None, settings=SETTINGS, **options):
    out, cpu = scene / "out", torch.device("cpu")
    score_folder(scene / checkpoint, backbone, scene / "images", "metal nut", settings, out, device=cpu, **options)
    with (scene / "out" / "scores.csv").open(newline="") as stream:
        return {row["image"]: row for row in csv.DictReader(stream)}


def test_scores_and_heat_maps(scene):
    scores = run(scene)
    assert list(scores) == ["b.png", "deep/a.jpg", "deep/a.png"]
    model, _ = adaclip.load_model(scene / "c.safetensors")
    for name, row in scores.items():
        image = Image.open(scene / "images" / name)
        prediction = model.predict(adaclip.preprocess(image, 32)[None], ["metal nut"])
        smooth = Smoother(32, 2.0)(prediction.anomaly_map)[0]
        assert float(row["anomaly_score"]) == pytest.approx(float(prediction.anomaly_score[0]), abs=1e-5)
        assert float(row["map_max"]) == pytest.approx(float(smooth.max()), abs=1e-5)
        heat = Image.open(scene / "out" / "maps" / f"{name}.png")
        assert (heat.size, heat.mode) == (image.size, "L")
        small = np.asarray(heat.resize((32, 32), Image.Resampling.BILINEAR)) / 255
        assert np.abs(small - smooth.numpy()).mean() < 0.02


def test_heat_maps_of_a_method_without_bounds_have_their_own_range_each(scene, monkeypatch):
    """Negative values far beyond [0, 1] keep their order, and one note says how they are drawn."""
    predict = adaclip.AdaCLIP.predict

    def shifted(self, *args):
        found = predict(self, *args)
        return dataclasses.replace(found, anomaly_map=300 * found.anomaly_map - 900)

    monkeypatch.setattr(adaclip.AdaCLIP, "predict", shifted)
    monkeypatch.setattr(adaclip.AdaCLIP, "map_range", None)
    said = []
    scores = run(scene, say=said.append)
    assert [text for text in said if "bounds" in text] == [
        "this method's maps have no bounds: each heat map runs from its own least to its own greatest value"
    ]
    # This image has the map's size.
    heat = np.asarray(Image.open(scene / "out" / "maps" / "deep" / "a.jpg.png"), float)
    model, _ = adaclip.load_model(scene / "c.safetensors")
    image = Image.open(scene / "images" / "deep" / "a.jpg")
    smooth = Smoother(32, 2.0)(model.predict(adaclip.preprocess(image, 32)[None], ["metal nut"]).anomaly_map)[0].numpy()
    assert float(scores["deep/a.jpg"]["map_max"]) == pytest.approx(smooth.max(), rel=1e-4)
    assert smooth.max() < -100
    share = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    assert (heat.min(), heat.max()) == (0, 255)
    np.testing.assert_allclose(heat, 255 * share, atol=0.6)


def test_a_released_checkpoint_needs_a_backbone(scene):
    model, _ = adaclip.load_model(scene / "c.safetensors")
    model = adaclip.AdaCLIP(model.backbone)
    adaclip.save_checkpoint(model, scene / "c.pth")
    with pytest.raises(UsageError, match=r"give --backbone \(AdaCLIP's is ViT-L-14-336, openai, 518\)"):
        run(scene, "c.pth")
    with pytest.raises(UsageError, match=r"give --backbone \(APRIL-GAN's is ViT-L-14-336, openai, 518\)"):
        run(scene, "c.pth", method="april_gan")
    assert len(run(scene, "c.pth", TINY)) == 3


def test_what_cannot_be_scored(scene):
    with pytest.raises(AdaclipError, match="no such checkpoint"):
        run(scene, "missing.safetensors")
    (scene / "images" / "deep" / "a.png").write_bytes(b"x")
    with pytest.raises(AdaclipError, match=r"1 of 3 images is not scored: .*deep/a\.png"):
        run(scene)
    for path in (scene / "images").rglob("*.*"):
        path.unlink()
    with pytest.raises(AdaclipError, match="no images"):
        run(scene)
    with pytest.raises(AdaclipError, match="no such folder"):
        score_folder(
            scene / "c.safetensors", None, scene / "x", "nut", SETTINGS, scene / "out", device=torch.device("cpu")
        )
