"""Plain CLIP: nothing but CLIP's own embeddings and the text ensemble."""

from __future__ import annotations

import json

import pytest
import torch
import torch.nn.functional as F
from adaclip.runs.baselines import evaluate_clip

from adaclip.clip.settings import BackboneSettings
from adaclip.errors import UsageError
from adaclip.methods.adaclip.prompts import sentences
from adaclip.methods.clip.model import PlainCLIP
from adaclip.metrics.settings import EvaluateSettings

SIDE = 56


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def test_tokens_are_what_open_clip_gives(tiny, images):
    tokens = tiny.encode_tokens(images)
    assert tokens.shape == (2, 1 + tiny.grid**2, tiny.embed_dim)
    with torch.inference_mode():
        expected = tiny.clip.encode_image(images)
    torch.testing.assert_close(tokens[:, 0], expected)
    torch.testing.assert_close(tokens[:, 0], tiny.encode_image(images))


def test_images_of_another_size_are_refused(tiny):
    with pytest.raises(UsageError, match="images are 64 x 64"):
        tiny.encode_tokens(torch.zeros(1, 3, 64, 64))


def test_score_and_map_are_worked_out_from_open_clip(tiny, images):
    model = PlainCLIP(tiny).eval()
    assert list(model.parameters()) == []
    prediction = model.predict(images, ["bolt", "steel-nut"])
    for index, category in enumerate(["bolt", "steel nut"]):
        states = []
        for lines in sentences(category):
            with torch.inference_mode():
                text = tiny.clip.encode_text(tiny._tokenizer(list(lines)))
            states.append(F.normalize(F.normalize(text, dim=-1).mean(dim=0), dim=0))
        text = torch.stack(states)  # (2, E)
        tokens = F.normalize(tiny.encode_tokens(images)[index], dim=-1)
        probability = (100 * tokens @ text.T).softmax(dim=-1)[:, 1]
        assert float(prediction.anomaly_score[index]) == pytest.approx(float(probability[0]), abs=1e-5)
        # With aligned corners the corners of the map are those of the patches, which are interpolated as logits.
        square, found = probability[1:].reshape(tiny.grid, tiny.grid), prediction.anomaly_map[index]
        for y, x in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
            assert float(found[y, x]) == pytest.approx(float(square[y, x]), abs=1e-5)


def test_an_image_gets_the_same_alone(tiny, images):
    model = PlainCLIP(tiny).eval()
    together, alone = model.predict(images, ["bolt", "nut"]), model.predict(images[1:], ["nut"])
    torch.testing.assert_close(together.anomaly_map[1:], alone.anomaly_map)
    torch.testing.assert_close(together.anomaly_score[1:], alone.anomaly_score)


def test_evaluation_writes_what_a_checkpoint_gets(prepared, tmp_path):
    backbone = BackboneSettings("tiny", image_size=32)
    manifest = prepared("toy")
    evaluate_clip(
        "plain", backbone, manifest, EvaluateSettings(panels=3), tmp_path / "out", seed=4, device=torch.device("cpu")
    )
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    head = {key: metrics[key] for key in ("set", "run", "method", "seed", "auxiliary", "selection", "images")}
    assert head == {
        "set": "toy",
        "run": "plain",
        "method": "clip",
        "seed": 4,
        "auxiliary": [],
        "selection": None,
        "images": 6,
    }
    assert metrics["mean"]["image"]["auroc"] is not None
    assert metrics["mean"]["pixel"]["aupro"] is not None
    assert metrics["settings"]["smoothing"] == 4
