"""Figures are computed at the evaluation's size, under each method's own smoothing and under one for all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from sklearn.metrics import average_precision_score, roc_auc_score

import adaclip
from adaclip.data.rows import Row, read_rows
from adaclip.data.torchset import ImageSet, batches
from adaclip.errors import AdaclipError
from adaclip.methods.smoothing import Smoother, resize_maps
from adaclip.metrics.collect import Judge
from adaclip.metrics.measures import PixelMetrics
from adaclip.metrics.protocols import chosen_smoothing, smoothings
from adaclip.metrics.settings import EvaluateSettings
from tests.sets import write_digests

SIDE = 32


def rows(*categories: str) -> list[Row]:
    return [
        Row("toy", name, name, Path("i.png"), f"{name}.png", Path("m.png"), 1, "hole", True)
        for name in categories or ("bolt", "bolt", "nut")
    ]


def masks(count: int = 3) -> np.ndarray:
    found = np.zeros((count, SIDE, SIDE), bool)
    for index in range(count):
        found[index, 4 + index : 9 + index, 6:12] = True
    return found


def noisy(count: int = 3) -> np.ndarray:
    """Maps that are high inside the masks, with noise that smoothing takes away."""
    rng = np.random.default_rng(3)
    return (masks(count) + rng.normal(0, 1.2, (count, SIDE, SIDE))).astype(np.float32)


def judged(out: Path, own: float, **settings) -> dict:
    """metrics.json of the noisy maps."""
    evaluation = EvaluateSettings(**{"size": SIDE, "smoothing": 2.0, "panels": 1, **settings})
    found = smoothings(evaluation, own)
    maps = {sigma: Smoother(SIDE, sigma)(torch.from_numpy(noisy())).numpy() for sigma in found.values()}
    judge = Judge(rows(), ["image", "mask"], evaluation, found, None)
    for index in range(3):
        chosen = slice(index, index + 1)
        judge.update([index], masks()[chosen], {name: maps[s][chosen] for name, s in found.items()}, np.ones(1))
    judge.write(out, {"run": "r"}, {}, {})
    return json.loads((out / "metrics.json").read_text())


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_both_protocols_stand_side_by_side(out):
    metrics = judged(out, 0.0)
    assert (metrics["protocol"], metrics["smoothing"]) == ("published", {"published": 0.0, "common": 2.0})
    smooth = np.stack([gaussian_filter(values.astype(np.float64), 2.0) for values in noisy()])
    for protocol, maps in (("published", noisy()), ("common", smooth)):
        found = metrics["protocols"][protocol]
        for category, chosen in (("bolt", slice(0, 2)), ("nut", slice(2, 3))):
            truth, values = masks()[chosen].ravel(), maps[chosen].ravel()
            pixel = found["categories"][category]["pixel"]
            assert pixel["auroc"] == pytest.approx(roc_auc_score(truth, values), abs=1e-6)
            assert pixel["ap"] == pytest.approx(average_precision_score(truth, values), abs=1e-5)
        for name, mean in found["mean"]["pixel"].items():
            assert mean == pytest.approx(np.mean([found["categories"][c]["pixel"][name] for c in ("bolt", "nut")]))
    gained = [metrics["protocols"][p]["mean"]["pixel"]["auroc"] for p in ("published", "common")]
    assert gained[1] > gained[0] + 0.05


@pytest.mark.parametrize("protocol", ["published", "common"])
def test_the_chosen_protocol_is_what_everything_else_shows(out, protocol):
    metrics = judged(out, 0.5, protocol=protocol)
    chosen = metrics["protocols"][protocol]
    assert metrics["protocol"] == protocol
    assert metrics["mean"]["pixel"] == chosen["mean"]["pixel"]
    for name, entry in metrics["categories"].items():
        assert entry["pixel"] == chosen["categories"][name]["pixel"]
    sigma = metrics["smoothing"][protocol]
    smooth = Smoother(SIDE, sigma)(torch.from_numpy(noisy())).numpy()
    lines = (out / "scores.csv").read_text().splitlines()[1:]
    assert [float(line.split(",")[6]) for line in lines] == pytest.approx(smooth.max(axis=(1, 2)).tolist())
    kept = np.load(out / "panels.npz")
    assert any(np.array_equal(kept["maps"][0], one) for one in smooth)
    assert tuple(kept["range"]) == pytest.approx((smooth.min(), smooth.max()))
    curves = json.loads((out / "curves.json").read_text())["pixel"]["nut"]["roc"]
    area = np.trapezoid(curves["tpr"], curves["fpr"])
    assert area == pytest.approx(metrics["categories"]["nut"]["pixel"]["auroc"], abs=5e-3)


def test_equal_smoothings_are_computed_once(out, monkeypatch):
    seen = []
    update = PixelMetrics.update
    monkeypatch.setattr(PixelMetrics, "update", lambda self, *args: (seen.append(1), update(self, *args))[1])
    metrics = judged(out, 2.0)
    assert len(seen) == 3
    assert metrics["protocols"]["published"] == metrics["protocols"]["common"]
    assert metrics["protocols"]["common"]["mean"]["pixel"]["auroc"] is not None
    judged(out, 0.0)
    assert len(seen) == 3 + 6


def test_undefined_pixel_metrics_are_null_in_both(out):
    evaluation = EvaluateSettings(size=SIDE)
    judge = Judge(rows("bolt"), ["image"], evaluation, smoothings(evaluation, 0.0), (0.0, 1.0))
    same = np.zeros((1, SIDE, SIDE), np.float32)
    judge.update([0], same > 0, {"published": same, "common": same}, np.ones(1))
    judge.write(out, {}, {}, {})
    for found in json.loads((out / "metrics.json").read_text())["protocols"].values():
        assert set(found["mean"]["pixel"].values()) == set(found["categories"]["bolt"]["pixel"].values()) == {None}


def test_the_protocols_smoothings():
    common = EvaluateSettings(protocol="common", smoothing=3.0)
    assert smoothings(common, 8.0) == {"published": 8.0, "common": 3.0}
    assert chosen_smoothing(common, 8.0) == 3.0
    assert chosen_smoothing(EvaluateSettings(), 8.0) == 8.0


def test_a_small_input_is_judged_on_the_masks_of_the_evaluations_size(prepared, out):
    """Lines of one pixel in 500 are gone from a mask of 240 px, and are what the figures are about."""
    manifest = prepared("toy", normal=1, anomalous=1, width=500, height=500)
    lines = np.zeros((500, 500), np.uint8)
    lines[100::50, 50:450] = 255
    Image.fromarray(lines).save(manifest.parent / "masks" / "bolt" / "001.png")
    write_digests(manifest)
    found = read_rows(manifest)
    [batch] = batches(ImageSet(found, 240, mask_size=518), 2)
    assert batch.images.shape == (2, 3, 240, 240)
    expected = adaclip.preprocess_mask(Image.fromarray(lines), 518)
    assert not adaclip.preprocess_mask(Image.fromarray(lines), 240).any()
    assert torch.equal(batch.masks[1] > 0, expected)
    maps = torch.rand(2, 240, 240, generator=torch.Generator().manual_seed(0))
    evaluation = EvaluateSettings()
    judge = Judge(found, ["image", "mask"], evaluation, smoothings(evaluation, 4.0), (0.0, 1.0))
    smooth = Smoother(518, 4.0)(resize_maps(maps, 518)).numpy()
    judge.update([0, 1], batch.masks.numpy() > 0, {"published": smooth, "common": smooth}, np.array([0.1, 0.9]))
    judge.write(out, {}, {}, {})
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["categories"]["bolt"]["vanished"] == 0
    truth = np.stack([np.zeros((518, 518), bool), expected.numpy()])
    assert metrics["mean"]["pixel"]["auroc"] == pytest.approx(roc_auc_score(truth.ravel(), smooth.ravel()), abs=1e-6)


def test_maps_of_another_size_are_refused():
    evaluation = EvaluateSettings(size=SIDE)
    judge = Judge(rows("bolt"), ["mask"], evaluation, smoothings(evaluation, 4.0), None)
    small = np.zeros((1, 8, 8), np.float32)
    with pytest.raises(AdaclipError, match=r"judged at 32 px, but some are \(8, 8\)"):
        judge.update([0], masks(1), {"published": small}, np.ones(1))
    with pytest.raises(AdaclipError, match=r"judged at 32 px, but some are \(8, 8\)"):
        judge.update([0], small > 0, {"published": np.zeros((1, SIDE, SIDE), np.float32)}, np.ones(1))


def test_masks_that_vanish_are_told_with_the_evaluations_size(out, capsys):
    evaluation = EvaluateSettings(size=SIDE)
    judge = Judge(rows("bolt"), ["image", "mask"], evaluation, smoothings(evaluation, 4.0), None)
    maps = np.zeros((1, SIDE, SIDE), np.float32)
    judge.update([0], maps > 0, {"published": maps}, np.ones(1))
    judge.write(out, {}, {}, {})
    assert "1 of 1 masks vanish at the evaluation's size of 32 px (bolt 1)" in capsys.readouterr().err


@pytest.mark.parametrize(("side", "size"), [(7, 12), (24, 37), (12, 7), (37, 10)])
def test_resizing_is_bilinear_with_half_pixel_centres_and_antialiased_when_it_shrinks(side, size):
    """Against weights written out: a triangle as wide as a pixel of the coarser grid, normalised at the border."""
    maps = torch.rand(2, side, side, generator=torch.Generator().manual_seed(1))
    scale = side / size
    centres = (np.arange(size) + 0.5) * scale
    distance = np.abs(centres[:, None] - (np.arange(side) + 0.5)[None]) / max(scale, 1.0)
    if scale < 1:
        # Without antialiasing a place outside the outermost centres takes the outermost value.
        inside = centres.clip(0.5, side - 0.5)
        distance = np.abs(inside[:, None] - (np.arange(side) + 0.5)[None])
    weights = np.maximum(0, 1 - distance)
    weights /= weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(resize_maps(maps, size).numpy(), weights @ maps.numpy() @ weights.T, atol=1e-5)


def test_maps_of_the_right_size_are_left_alone_and_others_leave_autocast():
    maps = torch.rand(2, 9, 9)
    assert resize_maps(maps, 9) is maps
    plain = resize_maps(maps.bfloat16(), 20)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(resize_maps(maps.bfloat16(), 20), plain)
        assert resize_maps(maps, 20).dtype == plain.dtype == torch.float32
