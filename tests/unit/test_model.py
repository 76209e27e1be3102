"""AdaCLIP as a whole: one image's result is its own, in every variant."""

from __future__ import annotations

import itertools

import pytest
import torch

import adaclip
from adaclip.errors import UsageError
from adaclip.methods.adaclip.model import SCALE

TYPES, BRANCHES = ("S", "D", "SD", "none"), ("V", "L", "VL", "none")
CATEGORIES = ["bolt", "metal nut", "bolt", "pipe-fryum", "screw"]


def images(count: int, side: int = 56, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def make(backbone: adaclip.Backbone, prompt_type: str = "SD", branch: str = "VL", **options: object) -> adaclip.AdaCLIP:
    torch.manual_seed(1)
    settings = {"fusion": True, "clusters": 4, **options}
    model = adaclip.AdaCLIP(backbone, prompt_type, branch, **settings)  # type: ignore[arg-type]
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "static" in name:
                value.normal_(0, 0.5)  # large enough to be felt
    return model.eval()


@pytest.mark.parametrize(("prompt_type", "branch"), list(itertools.product(TYPES, BRANCHES)))
def test_an_image_gets_the_result_that_it_gets_alone(tiny, prompt_type, branch):
    model = make(tiny, prompt_type, branch)
    batch = images(5)
    together = model.predict(batch, CATEGORIES)
    for index, category in enumerate(CATEGORIES):
        alone = model.predict(batch[index : index + 1], [category])
        torch.testing.assert_close(together.anomaly_map[index], alone.anomaly_map[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(together.anomaly_score[index], alone.anomaly_score[0], rtol=0, atol=1e-5)
    # The comparison means something only if images differ.
    assert together.anomaly_map.std(dim=0).max() > 1e-3
    assert 1e-3 < together.anomaly_score.mean() < 1 - 1e-3


def test_fusion_holds_in_a_large_batch(tiny):
    model = make(tiny, clusters=8)
    batch = images(48, seed=3)
    together = model.predict(batch, ["bolt"] * 48)
    order = torch.randperm(48, generator=torch.Generator().manual_seed(0))
    shuffled = model.predict(batch[order], ["bolt"] * 48)
    parts = [model.predict(part, ["bolt"] * len(part)) for part in batch.split(7)]
    scores = torch.cat([part.anomaly_score for part in parts])
    torch.testing.assert_close(together.anomaly_score, scores, rtol=0, atol=1e-5)
    torch.testing.assert_close(together.anomaly_score[order], shuffled.anomaly_score, rtol=0, atol=1e-5)


def test_a_category_is_read_by_its_own_words(tiny):
    model = make(tiny, "S", "L")
    features = model.text_features(["bolt", "screw", "bolt", "pipe-fryum", "pipe fryum"])
    assert features.shape == (5, 64, 2)
    torch.testing.assert_close(features[0], features[2], rtol=0, atol=0)
    torch.testing.assert_close(features[3], features[4], rtol=0, atol=0)
    assert (features[0] - features[1]).abs().max() > 1e-3
    torch.testing.assert_close(features.norm(dim=1), torch.ones(5, 2))


@pytest.mark.parametrize(("prompt_type", "branch"), [("D", "L"), ("SD", "VL")])
def test_dynamic_text_depends_on_the_image(tiny, prompt_type, branch):
    model = make(tiny, prompt_type, branch)
    assert model.text_depends_on_image
    features = model.text_features(["bolt", "bolt"], tiny.encode_image(images(2)))
    assert (features[0] - features[1]).abs().max() > 1e-6


def test_stored_embeddings_and_text_give_the_same(tiny):
    batch, words = images(3), ["bolt", "screw", "bolt"]
    model = make(tiny, "SD", "VL")
    stored = model.predict(batch, words, frozen={"embedding": tiny.encode_image(batch)})
    torch.testing.assert_close(stored.anomaly_map, model.predict(batch, words).anomaly_map, rtol=0, atol=1e-6)
    model = make(tiny, "SD", "V")
    cached = model.predict(batch, words, text=model.text_features(words))
    torch.testing.assert_close(cached.anomaly_map, model.predict(batch, words).anomaly_map, rtol=0, atol=1e-6)


def test_maps_are_the_mean_of_logits_interpolated(tiny):
    """As the specification puts it: interpolate both logits with aligned corners, average, softmax."""
    model = make(tiny)
    output = model(images(2), ["bolt", "screw"])
    maps = []
    for logits in output.patch_logits:
        square = logits.permute(0, 2, 1).reshape(2, 2, 7, 7)
        maps.append(torch.nn.functional.interpolate(square, size=(56, 56), mode="bilinear", align_corners=True))
    expected = torch.stack(maps).mean(dim=0).softmax(dim=1)[:, 1]
    torch.testing.assert_close(model.anomaly_map(output.patch_logits), expected, rtol=0, atol=2e-5)
    for block, got in zip(maps, model.training_maps(output), strict=True):
        torch.testing.assert_close(got, block.softmax(dim=1)[:, 1], rtol=0, atol=2e-5)


def test_score_without_fusion_is_the_image_embedding_against_the_text(tiny):
    output = make(tiny, fusion=False)(images(2), ["bolt", "screw"])
    logits = SCALE * torch.einsum("be,bec->bc", output.projected_embedding, output.text_features)
    torch.testing.assert_close(output.score, logits.softmax(dim=1)[:, 1])


def test_fusion_changes_the_score_alone(tiny):
    batch, words = images(3), ["bolt"] * 3
    with_fusion, without = make(tiny), make(tiny, fusion=False)
    without.load_state_dict(with_fusion.state_dict())
    first, second = with_fusion.predict(batch, words), without.predict(batch, words)
    torch.testing.assert_close(first.anomaly_map, second.anomaly_map, rtol=0, atol=0)
    assert (first.anomaly_score - second.anomaly_score).abs().max() > 1e-4
    zero = make(tiny, fusion_weight=0.0)
    zero.load_state_dict(without.state_dict())
    torch.testing.assert_close(zero.predict(batch, words).anomaly_score, second.anomaly_score, rtol=0, atol=1e-6)


def test_everything_learned_gets_a_gradient_and_the_backbone_none(tiny):
    model = make(tiny).train()
    output = model(images(2), ["bolt", "screw"])
    loss = sum(block.mean() for block in model.training_maps(output)) + output.score.mean()
    loss.backward()
    without = {name for name, value in model.named_parameters() if value.grad is None}
    assert without == {"text_prompter.static_prompts.0"}  # block 0 of the text tower sees the words
    assert all(value.grad is None for value in tiny.parameters())
    assert not tiny.training


def test_half_precision_stays_close(tiny):
    model = make(tiny, "S", "VL", fusion=False)
    batch, words = images(2), ["bolt", "screw"]
    full = model.predict(batch, words)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model.predict(batch, words)
    assert half.anomaly_map.dtype == half.anomaly_score.dtype == torch.float32
    torch.testing.assert_close(half.anomaly_map, full.anomaly_map, rtol=0, atol=0.15)


def test_no_learned_prompts_leaves_plain_clip_and_projections(tiny):
    model = make(tiny, "none", "VL")
    assert {name.split(".")[0] for name in model.state_dict()} == {"patch_token_layer", "cls_token_layer"}
    assert not model.uses_image_embedding
    assert set(make(tiny, "SD", "none").state_dict()) == set(model.state_dict())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prompt_type": "X"}, "prompt type 'X'"),
        ({"prompt_branch": "W"}, "on branch 'W'"),
        ({"prompt_depth": 9}, "8 blocks of the vision tower"),
        ({"prompt_depth": 5}, "4 blocks of the text tower"),
        ({"prompt_length": 77}, "context of 77 tokens"),
        ({"prompt_length": 0}, "prompt_length 0: must be at least 1"),
        ({"prompt_depth": -1}, "prompt_depth -1: must be at least 1"),
        ({"clusters": 0}, "clusters 0"),
        ({"fusion_weight": 1.5}, "fusion_weight 1.5"),
    ],
)
def test_impossible_prompts_are_refused(tiny, options, words):
    with pytest.raises(UsageError, match=words):
        adaclip.AdaCLIP(tiny, **options)


def test_the_text_tower_limits_only_text_prompts(tiny):
    assert make(tiny, "S", "V", prompt_depth=8).predict(images(1), ["bolt"]).anomaly_map.shape == (1, 56, 56)


def test_prompts_longer_than_the_sentences(tiny):
    """Positions behind the last word exist only because prompts stand there."""
    model = make(tiny, "SD", "L", prompt_length=40)
    together = model.predict(images(2), ["bolt", "metal nut"])
    alone = model.predict(images(2)[1:], ["metal nut"])
    torch.testing.assert_close(together.anomaly_map[1], alone.anomaly_map[0], rtol=0, atol=1e-5)


def test_wrong_input_is_one_clear_error(tiny):
    model = make(tiny)
    with pytest.raises(UsageError, match="2 images but 1 category"):
        model.predict(images(2), ["bolt"])
    with pytest.raises(UsageError, match="images are 64 x 64, the backbone was made for 56 x 56"):
        model.predict(images(1, side=64), ["bolt"])
    with pytest.raises(UsageError, match=r"images are \(1, 1, 56, 56\)"):
        model.predict(images(1)[:, :1], ["bolt"])
    with pytest.raises(UsageError, match="give image_embedding"):
        model.text_features(["bolt"])


def test_the_backbone_moves_with_the_model():
    backbone = adaclip.load_backbone("tiny14", image_size=28)
    model = adaclip.AdaCLIP(backbone).to("meta")
    assert {tensor.device.type for tensor in (*model.parameters(), *backbone.parameters(), *backbone.buffers())} == {
        "meta"
    }


def test_a_prediction_is_the_callers_to_change(tiny):
    prediction = make(tiny).predict(images(1), ["bolt"])
    assert not prediction.anomaly_map.requires_grad
    prediction.anomaly_map.mul_(100)
