"""CLIP as it is: nothing but its own embeddings, asked in three ways."""

from __future__ import annotations

import open_clip
import pytest
import torch
import torch.nn.functional as F

import adaclip
from adaclip.errors import UsageError
from adaclip.methods.adaclip.sentences import sentences
from adaclip.methods.clip.model import CLIP, CLIPAC, CLIPWithAdaCLIPPrompts
from adaclip.methods.clip.templates import IMAGENET_TEMPLATES
from adaclip.methods.registry import find_card, method_class

SIDE = 56
METHODS = [CLIP, CLIPAC, CLIPWithAdaCLIPPrompts]


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def test_templates_are_those_of_open_clip():
    published = open_clip.zero_shot_metadata.OPENAI_IMAGENET_TEMPLATES
    assert [template.format("nut") for template in IMAGENET_TEMPLATES] == [template("nut") for template in published]


def asked(method: type[CLIP], name: str) -> tuple[list[str], list[str]]:
    """What a row asks, written out here once more."""
    if method is CLIP:
        return [f"A photo of a normal {name}."], [f"A photo of an anomalous {name}."]
    if method is CLIPAC:
        templates = open_clip.zero_shot_metadata.OPENAI_IMAGENET_TEMPLATES
        return [each(f"normal {name}") for each in templates], [each(f"anomalous {name}") for each in templates]
    return sentences(name)


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


@pytest.mark.parametrize("method", METHODS)
def test_score_and_map_are_worked_out_from_open_clip(tiny, images, method):
    model = method(tiny).eval()
    assert list(model.parameters()) == []
    prediction = model.predict(images, ["bolt", "steel-nut"])
    for index, name in enumerate(["bolt", "steel-nut"]):
        states = []
        for lines in asked(method, name):
            with torch.inference_mode():
                text = tiny.clip.encode_text(tiny._tokenizer(list(lines)))
            states.append(F.normalize(F.normalize(text, dim=-1).mean(dim=0), dim=0))
        tokens = F.normalize(tiny.encode_tokens(images)[index], dim=-1)
        logits = 100 * tokens @ torch.stack(states).T
        assert float(prediction.anomaly_score[index]) == pytest.approx(float(logits[0].softmax(dim=0)[1]), abs=1e-5)
        square, found = logits[1:].T.reshape(2, tiny.grid, tiny.grid), prediction.anomaly_map[index]
        corners = method is CLIPWithAdaCLIPPrompts
        square = square if corners else square.softmax(dim=0)
        large = F.interpolate(square[None], size=(SIDE, SIDE), mode="bilinear", align_corners=corners)[0]
        large = large.softmax(dim=0) if corners else large
        torch.testing.assert_close(found, large[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_an_image_gets_the_same_alone(tiny, images, method):
    model = method(tiny).eval()
    together, alone = model.predict(images, ["bolt", "nut"]), model.predict(images[1:], ["nut"])
    torch.testing.assert_close(together.anomaly_map[1:], alone.anomaly_map)
    torch.testing.assert_close(together.anomaly_score[1:], alone.anomaly_score)


@pytest.mark.parametrize("method", METHODS)
def test_each_row_is_known_by_its_id(method):
    card = find_card(method.card.id)
    assert card is method.card
    assert method_class(card) is method
    assert card.kind == "training-free"
    normal, anomalous = asked(method, "steel-nut")
    assert card.sentences("steel-nut") == normal + anomalous


def test_the_rows_differ(tiny, images):
    maps = [method(tiny).predict(images, ["bolt", "nut"]).anomaly_map for method in METHODS]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (maps[one] - maps[other]).abs().max() > 1e-3


def test_numerics_are_those_of_the_row_s_paper():
    """AnomalyCLIP's for the two rows of its paper, AdaCLIP's for its prompts."""
    for id, activation, positions in (
        ("clip", "quick_gelu", "bilinear"),
        ("clip_ac", "quick_gelu", "bilinear"),
        ("clip_adaclip_prompts", "gelu", "bicubic"),
    ):
        settings = adaclip.load_method(id, "tiny", image_size=SIDE).backbone.settings
        assert (settings.activation, settings.positions) == (activation, positions)
