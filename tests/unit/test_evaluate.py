"""Evaluation: the figures are those of the predictions, streamed, and undefined ones say why."""

from __future__ import annotations

import csv
import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

import adaclip
from adaclip.clip.settings import BackboneSettings
from adaclip.data.fetched import DRAWN, DRAWN_NOTE, NOTE
from adaclip.data.rows import read_rows
from adaclip.errors import AdaclipError, UsageError
from adaclip.metrics.collect import SCORES
from adaclip.metrics.kept_maps import choose_panels
from adaclip.metrics.measures import PixelMetrics, image_metrics
from adaclip.metrics.settings import EvaluateSettings
from adaclip.runs.evaluate import evaluate, pixel_f1_max
from adaclip.runs.features import compute_features, read_features

TINY = BackboneSettings("tiny", image_size=32)
#: Another size than the input's, and another smoothing than AdaCLIP's own.
SETTINGS = EvaluateSettings(batch_size=4, size=48, protocol="common", smoothing=2.0, panels=3)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    model = adaclip.AdaCLIP(adaclip.load_backbone("tiny", image_size=32), clusters=2)
    path = tmp_path_factory.mktemp("checkpoint") / "checkpoint.safetensors"
    provenance = {"run": "r", "method": "adaclip", "seed": 3, "auxiliary": ["mvtec", "colondb"], "selection": "visa"}
    adaclip.save_checkpoint(model, path, provenance)
    return path


def run(checkpoint, manifest, out, settings=SETTINGS, features=None, workers=0):
    evaluate(checkpoint, manifest, features, settings, out, device=CPU, workers=workers)
    with (out / "scores.csv").open(newline="") as stream:
        scores = list(csv.DictReader(stream))
    return scores, json.loads((out / "metrics.json").read_text())


def test_figures_are_those_of_the_predictions(checkpoint, prepared, tmp_path):
    manifest = prepared("toy", categories=("bolt", "nut"), width=50, height=30)
    scores, metrics = run(checkpoint, manifest, tmp_path / "out")
    model, _ = adaclip.load_model(checkpoint)
    assert tuple(scores[0]) == SCORES
    rows = read_rows(manifest)
    truth, expected = [row.label for row in rows], []
    sigmas = {"published": 4.0, "common": 2.0}
    meters = {(name, category): PixelMetrics() for name in sigmas for category in ("bolt", "nut")}
    for row, record in zip(rows, scores, strict=True):
        prediction = model.predict(adaclip.preprocess(Image.open(row.image), 32)[None], [row.category])
        plain = torch.nn.functional.interpolate(prediction.anomaly_map[None], (48, 48), mode="bilinear")[0, 0].numpy()
        mask = (
            np.zeros((48, 48), bool) if row.mask is None else adaclip.preprocess_mask(Image.open(row.mask), 48).numpy()
        )
        for name, sigma in sigmas.items():
            smooth = gaussian_filter(plain, sigma)
            meters[name, row.category].update(mask, smooth)
        expected.append(float(prediction.anomaly_score[0]))
        assert (record["set"], record["category"], record["image"]) == ("toy", row.category, row.relative)
        assert (record["label"], record["defect"]) == (str(row.label), row.defect)
        assert float(record["anomaly_score"]) == pytest.approx(expected[-1], abs=1e-5)
        assert float(record["map_max"]) == pytest.approx(smooth.max(), abs=1e-5)
        assert float(record["map_mean"]) == pytest.approx(smooth.mean(), abs=1e-5)
    head = {key: metrics[key] for key in ("set", "run", "seed", "auxiliary", "selection", "images")}
    assert head == {
        "set": "toy",
        "run": "r",
        "seed": 3,
        "auxiliary": ["mvtec", "colondb"],
        "selection": "visa",
        "images": 12,
    }
    assert (metrics["protocol"], metrics["smoothing"]) == ("common", sigmas)
    for index, category in enumerate(("bolt", "nut")):
        entry = metrics["categories"][category]
        own = slice(6 * index, 6 * index + 6)
        assert entry["image"] == pytest.approx(image_metrics(truth[own], expected[own]), abs=1e-9)
        assert entry["pixel"] == metrics["protocols"]["common"]["categories"][category]["pixel"]
        for name in sigmas:
            found = metrics["protocols"][name]["categories"][category]["pixel"]
            assert found == pytest.approx(meters[name, category].compute(), abs=1e-3)
        assert (entry["images"], entry["anomalous"], entry["undefined"]) == (6, 3, {})
    for level, name in (("image", "auroc"), ("pixel", "aupro")):
        values = [entry[level][name] for entry in metrics["categories"].values()]
        assert metrics["mean"][level][name] == pytest.approx(sum(values) / 2)


def test_batches_workers_and_stored_features_do_not_matter(checkpoint, prepared, tmp_path):
    manifest = prepared("toy", categories=("bolt", "nut"))
    compute_features(TINY, manifest, tmp_path / "f.safetensors", device=CPU)
    scores, metrics = run(checkpoint, manifest, tmp_path / "a")
    again = run(checkpoint, manifest, tmp_path / "b", workers=2)
    assert again == (scores, metrics)
    single = dataclasses.replace(SETTINGS, batch_size=1)
    for other, _ in (
        run(checkpoint, manifest, tmp_path / "c", single),
        run(checkpoint, manifest, tmp_path / "d", features=tmp_path / "f.safetensors"),
    ):
        for record, expected in zip(other, scores, strict=True):
            assert float(record["anomaly_score"]) == pytest.approx(float(expected["anomaly_score"]), abs=1e-5)
            assert float(record["map_max"]) == pytest.approx(float(expected["map_max"]), abs=1e-5)


@pytest.mark.parametrize(
    ("options", "undefined"),
    [
        ({"normal": 0}, {"image.auroc": "no normal images", "image.ap": "no normal images"}),
        ({"anomalous": 0}, {"image.auroc": "no anomalous images", "pixel.ap": "no anomalous pixels"}),
        ({"masks": False, "labels": ["image"]}, {"pixel.auroc": "the set has no masks"}),
        ({"normal": 0, "labels": ["mask"]}, {"image.auroc": "the set has no image labels"}),
    ],
)
def test_what_is_undefined_is_null_with_its_reason(checkpoint, prepared, tmp_path, options, undefined):
    _, metrics = run(checkpoint, prepared("toy", **options), tmp_path / "out")
    entry = metrics["categories"]["bolt"]
    for name, reason in undefined.items():
        level, metric = name.split(".")
        assert entry[level][metric] is None
        assert entry["undefined"][name] == reason
        assert metrics["mean"][level][metric] is None
    assert set(entry["undefined"]) == {
        f"{level}.{name}" for level in ("image", "pixel") for name, value in entry[level].items() if value is None
    }


def test_an_undefined_category_is_left_out_of_the_mean(checkpoint, prepared, tmp_path):
    manifest = prepared("toy", categories=("bolt", "nut"))
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text(
        "".join(line for line in lines if not line.startswith("toy,nut,test,images/nut/00") or "good" in line)
    )
    _, metrics = run(checkpoint, manifest, tmp_path / "out")
    assert metrics["categories"]["nut"]["image"]["auroc"] is None
    assert metrics["mean"]["image"]["auroc"] == metrics["categories"]["bolt"]["image"]["auroc"]


def test_a_set_of_the_auxiliary_data_is_refused(checkpoint, prepared, tmp_path):
    with pytest.raises(UsageError, match=r"'mvtec' is part of the auxiliary data \(mvtec\+colondb\)"):
        run(checkpoint, prepared("mvtec"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_features_of_something_else_are_refused(checkpoint, prepared, tmp_path):
    manifest = prepared("toy")
    compute_features(BackboneSettings("tiny", image_size=32, seed=1), manifest, tmp_path / "f.safetensors", device=CPU)
    with pytest.raises(AdaclipError, match="computed for another backbone"):
        run(checkpoint, manifest, tmp_path / "out", features=tmp_path / "f.safetensors")


def test_an_image_that_cannot_be_read_leaves_no_metrics(checkpoint, prepared, tmp_path):
    manifest = prepared("toy")
    (manifest.parent / "images" / "bolt" / "005.png").write_bytes(b"x")
    with pytest.raises(AdaclipError, match=r"005\.png"):
        run(checkpoint, manifest, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_panels_show_a_few_images_small(checkpoint, prepared, tmp_path):
    manifest = prepared("toy", categories=("bolt", "nut"))
    scores, _ = run(checkpoint, manifest, tmp_path / "out")
    panels = np.load(tmp_path / "out" / "panels.npz")
    assert panels["maps"].shape == (3, 48, 48)
    assert panels["range"].tolist() == [0, 1]
    by_image = {record["image"]: record for record in scores}
    for image, category, label, score, values in zip(
        *(panels[key] for key in ("image", "category", "label", "score", "maps")), strict=True
    ):
        record = by_image[str(image)]
        assert (record["category"], int(record["label"])) == (category, label)
        assert float(record["anomaly_score"]) == score
        assert values.max() == pytest.approx(float(record["map_max"]))
    assert set(panels["category"]) == {"bolt", "nut"}


def test_panels_are_spread(prepared):
    rows = read_rows(prepared("toy", categories=("bolt", "nut", "pill"), normal=5, anomalous=5))
    chosen = choose_panels(rows, 6)
    assert len(chosen) == len(set(chosen)) == 6
    assert {rows[i].category for i in chosen} == {"bolt", "nut", "pill"}
    assert sum(rows[i].label for i in chosen) == 3
    assert choose_panels(rows, 100) == list(range(30))
    assert choose_panels(rows, 0) == []


def test_pixel_f1_max_is_the_mean_of_the_categories(checkpoint, prepared, tmp_path):
    manifest = prepared("toy", categories=("bolt", "nut"))
    compute_features(TINY, manifest, tmp_path / "f.safetensors", device=CPU)
    _, metrics = run(checkpoint, manifest, tmp_path / "out", features=tmp_path / "f.safetensors")
    model, _ = adaclip.load_model(checkpoint)
    stored = {"embedding": read_features(tmp_path / "f.safetensors", TINY, manifest)}
    value = pixel_f1_max(model, read_rows(manifest), stored, SETTINGS)
    assert value == pytest.approx(metrics["mean"]["pixel"]["f1_max"])


def test_half_precision_gives_maps_in_full_precision(checkpoint, prepared, tmp_path):
    scores, metrics = run(checkpoint, prepared("toy"), tmp_path / "out", EvaluateSettings(precision="bf16", size=32))
    assert metrics["settings"]["precision"] == "bf16"
    values = torch.tensor([float(record["map_max"]) for record in scores])
    assert not torch.equal(values.bfloat16().float(), values)


def test_figures_of_simulated_weights_say_so(checkpoint, prepared, tmp_path):
    (tmp_path / "weights").mkdir()
    copy = tmp_path / "weights" / "checkpoint.safetensors"
    copy.write_bytes(checkpoint.read_bytes())
    manifest = prepared("toy")
    assert "drawn_weights" not in run(copy, manifest, tmp_path / "real")[1]
    (tmp_path / "weights" / NOTE).write_text(json.dumps({"source": DRAWN}))
    assert run(copy, manifest, tmp_path / "drawn")[1]["drawn_weights"] is True


def test_a_drawing_is_known_by_its_note_too(checkpoint, prepared, tmp_path):
    (tmp_path / "weights").mkdir()
    copy = tmp_path / "weights" / "checkpoint.safetensors"
    copy.write_bytes(checkpoint.read_bytes())
    (tmp_path / "weights" / DRAWN_NOTE).write_text("Nobody has trained these.")
    assert run(copy, prepared("toy"), tmp_path / "out")[1]["drawn_weights"] is True


def test_a_checkpoint_of_ours_may_stand_for_a_run_of_another_name(checkpoint, prepared, tmp_path):
    cpu = torch.device("cpu")
    evaluate(checkpoint, prepared("toy"), None, SETTINGS, tmp_path / "out", device=cpu, name="given")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (metrics["run"], metrics["seed"], metrics["auxiliary"]) == ("given", 0, ["mvtec", "colondb"])
    # Its epoch was chosen on VisA: a plan that knows of the file alone could not mark the figure.
    with pytest.raises(UsageError, match="was chosen on 'visa'"):
        evaluate(checkpoint, prepared("visa"), None, SETTINGS, tmp_path / "other", device=cpu, name="given")
