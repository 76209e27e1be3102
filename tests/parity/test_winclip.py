"""WinCLIP against anomalib's code, number by number; and what caoyunkang's code does otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import adaclip
from adaclip.methods.ensembles import Ensemble
from adaclip.methods.registry import find_card
from adaclip.methods.winclip.model import WinCLIP
from adaclip.methods.winclip.sentences import ANOMALOUS_STATES, NORMAL_STATES, TEMPLATES, sentences
from tests.parity.drawn import Golden, write_clip_weights

pytestmark = pytest.mark.parity
GOLDEN = Golden(Path(__file__).parents[1] / "golden" / "winclip")
META, NUMBERS = GOLDEN.meta, GOLDEN.numbers
CLASSES, SIZE = META["classes"], META["size"]
SCALES = {"-".join(["scales", *(map(str, scales or ["none"]))]): tuple(scales) for scales in META["scales"]}


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    weights = write_clip_weights(tmp_path_factory.mktemp("winclip") / "clip.pt", GOLDEN.config, META["salt"])

    def method(image_size: int = SIZE, **settings) -> WinCLIP:
        return adaclip.load_method("winclip", GOLDEN.config, weights, image_size, **settings)

    return method


@pytest.fixture(scope="module")
def default(make):
    return make()


def images_of(size: int) -> torch.Tensor:
    shape = (len(CLASSES), 3, size, size)
    return torch.from_numpy(np.random.default_rng(META["seed"]).standard_normal(shape).astype(np.float32))


def test_every_number_is_compared():
    assert set(GOLDEN.tags()) == {*SCALES, "resized", "caoyunkang"}


@pytest.mark.parametrize("tag", SCALES)
def test_map_and_score(make, tag):
    prediction = make(scales=SCALES[tag], temperature=META["temperature"]).predict(images_of(SIZE), CLASSES)
    GOLDEN.close(prediction.anomaly_map, f"{tag}/map")
    GOLDEN.close(prediction.anomaly_score, f"{tag}/score")


def test_resized(make):
    """The preset is felt only here: these weights are trained with plain GELU, and other sizes resize no positions.

    WinCLIP's reference computes as AdaCLIP's does where the activation agrees, which it does with these weights.
    """
    images = images_of(META["resized"])
    method = make(META["resized"])
    as_adaclip = find_card("adaclip").reference
    assert method.backbone.settings.positions == as_adaclip.positions
    assert (method.backbone.settings.activation, as_adaclip.activation) == ("as_trained", "gelu")
    prediction = method.predict(images, CLASSES)
    GOLDEN.close(prediction.anomaly_map, "resized/map")
    GOLDEN.close(prediction.anomaly_score, "resized/score")
    corrected = make(META["resized"], preset="corrected").predict(images, CLASSES)
    with pytest.raises(AssertionError, match="resized/map"):
        GOLDEN.close(corrected.anomaly_map, "resized/map")
    with pytest.raises(AssertionError, match="resized/score"):
        GOLDEN.close(corrected.anomaly_score, "resized/score")


def test_every_intermediate(default):
    tag = "scales-2-3"
    GOLDEN.close(torch.stack([default.ensemble.means(name) for name in CLASSES]), f"{tag}/text_means")
    images, text = images_of(SIZE), default.text(CLASSES)
    embedding = default.backbone.encode_image(images)
    GOLDEN.close(embedding, f"{tag}/image_embedding")
    tokens, maps = default.backbone.embed(images), []
    for scale in (2, 3):
        embeddings = default.window_embeddings(tokens, scale)
        GOLDEN.close(embeddings, f"{tag}/window{scale}_embeddings")
        scores = default.anomalous(embeddings, text)
        GOLDEN.close(scores, f"{tag}/window{scale}_scores")
        maps.append(default.scale_map(scores, scale))
        GOLDEN.close(maps[-1], f"{tag}/window{scale}_map")
    GOLDEN.close(default.grid_map(default.anomalous(embedding, text), maps), f"{tag}/grid_map")


def test_sentences():
    assert {name: [list(state) for state in map(list, sentences(name))] for name in CLASSES} == GOLDEN.json(
        "prompts_json"
    )


def test_backbone_has_the_keys_of_open_clip(default):
    assert sorted(default.backbone.clip.state_dict()) == sorted(GOLDEN.json("clip_keys"))


def test_an_image_gets_what_it_gets_alone(default):
    """Also with other classes beside it, in another order, and twice in the batch."""
    images = images_of(SIZE)
    order = [2, 0, 1, 0, 2, 2]
    together = default.predict(images[order], [CLASSES[index] for index in order])
    for place, index in enumerate(order):
        for found, name in ((together.anomaly_map, "map"), (together.anomaly_score, "score")):
            expected = NUMBERS[f"scales-2-3/{name}"][index]
            np.testing.assert_allclose(found[place].numpy(), expected, rtol=0, atol=2e-5)
        alone = default.predict(images[index : index + 1], [CLASSES[index]])
        torch.testing.assert_close(together.anomaly_map[place], alone.anomaly_map[0], rtol=0, atol=1e-6)
        torch.testing.assert_close(together.anomaly_score[place], alone.anomaly_score[0], rtol=0, atol=1e-6)


def test_preprocessing():
    """Near, not equal: the product resizes bytes, anomalib floats, which overshoot, and masks by the nearest pixel."""
    image = adaclip.preprocess(Image.fromarray(NUMBERS["preprocess/input"]), SIZE)
    difference = (image - torch.from_numpy(NUMBERS["preprocess/output"])).abs()
    assert difference.mean() < 0.005
    assert difference.max() < 0.13
    assert (difference > 0.02).float().mean() < 0.01
    mask = adaclip.preprocess_mask(Image.fromarray(NUMBERS["preprocess/mask_input"]), SIZE).numpy()
    assert (mask != NUMBERS["preprocess/mask_output"].astype(bool)).mean() < 0.06


def test_what_caoyunkang_s_code_does_otherwise(default):
    """With our embeddings: other templates, temperature 0.01, normal probabilities averaged, the map's maximum as
    score, half the map, and no image score in it.
    """
    once = [template.removesuffix(".") for template in dict.fromkeys(TEMPLATES)]
    templates = [*once, "a cropped photo of a {}", "a jpeg corrupted photo of a {}"]

    def states(name: str) -> list[list[str]]:
        return [
            [t.format(s.format(name)) for s in group for t in templates] for group in (NORMAL_STATES, ANOMALOUS_STATES)
        ]

    images, text = images_of(SIZE), Ensemble(default.backbone, states, normalise_sentences=False)(CLASSES)
    GOLDEN.close(text, "caoyunkang/text_features")
    tokens, maps = default.backbone.embed(images), []
    for scale in (2, 3):
        unit = F.normalize(default.window_embeddings(tokens, scale), dim=-1)
        normal = (unit @ text.transpose(1, 2) / 0.01).softmax(dim=-1)[..., 0]
        maps.append(default.scale_map(normal, scale))
    grid_map = 1 - 2 / (1 / maps[0] + 1 / maps[1])
    GOLDEN.close(grid_map, "caoyunkang/grid_map")
    halved = F.interpolate(grid_map[:, None] / 2, size=(SIZE, SIZE), mode="bilinear", align_corners=False)[:, 0]
    GOLDEN.close(halved, "caoyunkang/map")
    GOLDEN.close(halved.amax(dim=(1, 2)), "caoyunkang/score")
