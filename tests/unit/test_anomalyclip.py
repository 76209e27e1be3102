"""AnomalyCLIP: what its golden numbers do not show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import adaclip
from adaclip.clip.attention import value_attention
from adaclip.clip.settings import BackboneSettings
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.anomalyclip.card import CARD
from adaclip.methods.anomalyclip.model import AnomalyCLIP
from adaclip.methods.anomalyclip.settings import AnomalyCLIPTraining
from adaclip.methods.stages import Shown
from adaclip.runs.train import Source, train

NAMES = ["bottle", "screw", "pipe"]
SMALL = {"prompt_length": 3, "deep_prompt_length": 2, "deep_prompt_depth": 3, "dpam_blocks": 2}
CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 56, "layers": 4, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 3},
}


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("anomalyclip") / "small.json"
    path.write_text(json.dumps(CONFIG))
    return path


def make(config: Path, image_size: int = 56, seed: int = 0, **settings: object) -> AnomalyCLIP:
    method = adaclip.load_method("anomalyclip", config, None, image_size, seed=seed, **{**SMALL, **settings})
    assert isinstance(method, AnomalyCLIP)
    with torch.no_grad():
        for value in method.parameters():
            value.mul_(20)  # so that prompts are felt
    return method


def images(count: int = 3, size: int = 56) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def shown(method: AnomalyCLIP, frozen: dict[str, torch.Tensor], has_pixels: list[bool]) -> Shown:
    masks = (torch.rand(3, 56, 56, generator=torch.Generator().manual_seed(1)) > 0.7).float()
    return Shown(images(), masks, torch.tensor([1.0, 1.0, 0.0]), torch.tensor(has_pixels), NAMES, frozen)


def same(left: object, right: object) -> bool:
    return torch.equal(left.anomaly_map, right.anomaly_map) and torch.equal(left.anomaly_score, right.anomaly_score)


def test_value_attention_is_that_of_explicit_matrices(config):
    block = make(config).backbone.vision_block(2)
    with torch.no_grad():
        block.attn.in_proj_bias.normal_()
        block.attn.out_proj.bias.normal_()
        tokens = torch.randn(2, 5, 64)
        values = (tokens @ block.attn.in_proj_weight.T + block.attn.in_proj_bias)[..., 128:]
        heads = [values[..., :32], values[..., 32:]]
        mixed = [(v @ v.mT / 32**0.5).softmax(dim=-1) @ v for v in heads]
        expected = block.attn.out_proj(torch.cat(mixed, dim=-1))
        torch.testing.assert_close(value_attention(block, tokens), expected, rtol=0, atol=1e-5)


def test_positions_are_not_antialiased_downwards(config):
    """The golden numbers resize upwards, where antialiasing changes nothing."""
    native = make(config).backbone.clip.visual.positional_embedding
    square = native[1:].reshape(1, 7, 7, -1).permute(0, 3, 1, 2)
    small = make(config, image_size=24).backbone.clip.visual.positional_embedding
    found = small[1:].reshape(1, 3, 3, -1).permute(0, 3, 1, 2)
    plain = F.interpolate(square, size=(3, 3), mode="bilinear", antialias=False)
    smooth = F.interpolate(square, size=(3, 3), mode="bilinear", antialias=True)
    assert torch.equal(found, plain)
    assert (found - smooth).abs().max() > 1e-3
    assert torch.equal(small[0], native[0])


@pytest.mark.parametrize("blocks", [[], [4], [1, 4], [2, 3, 4]])
@pytest.mark.parametrize("dpam_blocks", [0, 2, 4])
def test_maps_lie_in_their_range(config, blocks, dpam_blocks):
    method = make(config, feature_blocks=blocks, dpam_blocks=dpam_blocks)
    count = max(1, len(blocks))
    assert method.map_range == (0, count)
    prediction = method.predict(images(), NAMES)
    assert prediction.anomaly_map.shape == (3, 56, 56)
    assert prediction.anomaly_map.min() >= 0
    assert prediction.anomaly_map.max() <= count
    assert prediction.anomaly_map.std() > 1e-3
    assert set(method.frozen(images(1))) == {"image", *(f"patches{number}" for number in blocks or [4])}


def test_the_map_is_the_sum_over_blocks(config):
    single = [make(config, feature_blocks=[block]).predict(images(), NAMES).anomaly_map for block in (2, 4)]
    both = make(config, feature_blocks=[2, 4]).predict(images(), NAMES).anomaly_map
    torch.testing.assert_close(both, single[0] + single[1], rtol=0, atol=1e-6)


def test_class_names_change_nothing(config):
    method = make(config)
    assert method.card.sentences is None
    assert same(method.predict(images(), NAMES), method.predict(images(), ["x", "x " * 200, ""]))
    features = method.text(["bottle", "x " * 200])
    assert features.shape == (2, 2, 32)
    assert torch.equal(features[0], features[1])
    with pytest.raises(UsageError, match="3 images but 2 categories"):
        method.predict(images(), NAMES[:2])


def test_what_is_known_is_not_computed_again(config, monkeypatch):
    method = make(config, feature_blocks=[1, 4])
    expected = method.predict(images(), NAMES)
    frozen, text = method.frozen(images()), method.text(NAMES)

    def refused(*_args: object, **_options: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(method.backbone, "walk", refused)
    monkeypatch.setattr(method.backbone, "walk_text", refused)
    found = method.predict(torch.zeros(3, 3, 56, 56), NAMES, frozen, text)
    torch.testing.assert_close(found.anomaly_map, expected.anomaly_map, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.anomaly_score, expected.anomaly_score, rtol=0, atol=1e-6)
    del frozen["patches1"]
    with pytest.raises(AssertionError, match="computed again"):
        method.predict(images(), NAMES, frozen, text)


def test_text_of_each_image_is_its_own(config):
    method, other = make(config), make(config, seed=1)
    text = torch.cat([method.text(["a"]), other.text(["a"]), method.text(["a"])])
    mixed = method.predict(images(), NAMES, text=text)
    for index, source in enumerate([method, other, method]):
        wanted = method.predict(images(), NAMES, text=source.text(NAMES))
        torch.testing.assert_close(mixed.anomaly_map[index], wanted.anomaly_map[index], rtol=0, atol=1e-6)
        torch.testing.assert_close(mixed.anomaly_score[index], wanted.anomaly_score[index], rtol=0, atol=1e-6)


def test_deep_prompts_reach_as_far_as_the_text_tower(config):
    method = make(config, deep_prompt_depth=9)
    assert len(method.compound_prompts_text) == 8
    before = method.text_features()
    with torch.no_grad():
        method.compound_prompts_text[2].normal_()
    assert torch.equal(method.text_features(), before)
    with torch.no_grad():
        method.compound_prompts_text[1].normal_()
    assert not torch.equal(method.text_features(), before)


def test_deep_prompts_may_be_longer_than_the_words(config):
    method = make(config, prompt_length=1, deep_prompt_length=20)
    assert torch.isfinite(method.predict(images(), NAMES).anomaly_map).all()


def test_rounding_to_half_is_a_switch(config):
    rounded, plain = make(config), make(config, half_deep_prompts=False)
    assert not torch.equal(rounded.text_features(), plain.text_features())
    with torch.no_grad():
        for value in plain.compound_prompts_text:
            value.copy_(value.half())
    assert torch.equal(rounded.text_features(), plain.text_features())


def test_samples_without_pixels_may_be_left_out(config):
    method = make(config)
    [stage] = method.stages(AnomalyCLIPTraining(unmasked="skip"))
    frozen = method.frozen(images())
    some, first = stage.loss(shown(method, frozen, [True, False, True])), stage.loss(shown(method, frozen, [True] * 3))
    assert some["image"] == first["image"]
    assert some["focal"] != first["focal"]
    none = stage.loss(shown(method, frozen, [False] * 3))
    assert none["focal"] == none["dice"] == 0
    torch.stack(list(none.values())).sum().backward()
    assert method.ctx_pos.grad is not None
    [zero] = method.stages(AnomalyCLIPTraining(unmasked="zero"))
    assert zero.loss(shown(method, frozen, [False] * 3))["dice"] == first["dice"]


def test_training_learns(config):
    method = make(config)
    [stage] = method.stages(AnomalyCLIPTraining())
    assert (stage.epochs, stage.batch_size) == (15, 8)
    optimiser = stage.optimiser(stage.parameters)
    batch = shown(method, method.frozen(images()), [True] * 3)
    losses = []
    for _ in range(10):
        optimiser.zero_grad()
        total = torch.stack(list(stage.loss(batch).values())).sum()
        total.backward()
        optimiser.step()
        losses.append(total.item())
    assert losses[-1] < losses[0]
    assert all(not value.requires_grad for value in method.backbone.parameters())


def test_one_image_is_a_batch_to_train_on(config):
    method = make(config)
    [stage] = method.stages(AnomalyCLIPTraining())
    one = Shown(images(1), torch.ones(1, 56, 56), torch.ones(1), torch.ones(1, dtype=torch.bool), ["a"], {})
    torch.stack(list(stage.loss(one).values())).sum().backward()
    assert all(value.grad is not None and bool(value.grad.isfinite().all()) for value in method.parameters())


def test_the_loop_keeps_frozen_features_over_epochs(config, prepared, tmp_path, monkeypatch):
    """Two epochs give the same parameters whether the vision tower runs once for an image or twice."""
    manifest = prepared("toy")
    seen: list[int] = []
    frozen = AnomalyCLIP.frozen

    def counted(method, images):
        seen.append(len(images))
        return frozen(method, images)

    monkeypatch.setattr(AnomalyCLIP, "frozen", counted)
    backbone = CARD.reference.of(BackboneSettings(str(config), image_size=32))

    def trained(name, cache):
        seen.clear()
        out, settings = tmp_path / name / "checkpoint.safetensors", AnomalyCLIPTraining(epochs=2, batch_size=4)
        files = {"out": out, "history": out.with_name("history.csv"), "cost": out.with_name("cost.json")}
        sources = [Source(manifest)]
        train("r", "anomalyclip", backbone, SMALL, settings, seed=3, auxiliary=sources, choose=None, cache=cache,
              device=torch.device("cpu"), **files)  # fmt: skip
        return adaclip.load_model(out)[0].state_dict(), sum(seen), files["cost"]

    kept, few, cost = trained("kept", 1.0)
    again, many, _ = trained("again", 0.0)
    assert many == 2 * few
    # ctx of 3 words and 2 sets of 2 tokens, of width 32.
    assert json.loads(cost.read_text())["parameters"] == (2 * 3 + 2 * 2) * 32
    for name, value in kept.items():
        torch.testing.assert_close(value, again[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dpam_blocks": 5}, "dpam_blocks 5: .* has 4 vision blocks, use 0 to 4"),
        ({"feature_blocks": [5]}, "feature_blocks: .* has no vision block 5, use 1 to 4"),
        ({"feature_blocks": [4, 4]}, "feature_blocks 4, 4: give each block once"),
        ({"prompt_length": 73}, "prompt_length 73 does not fit .* 77 tokens: use at most 72"),
        ({"deep_prompt_length": 77}, "deep_prompt_length 77 does not fit"),
        ({"feature_blocks": [0]}, "feature_blocks"),
        ({"dpam_blocks": -1}, "dpam_blocks"),
        ({"deep_prompt_depth": 0}, "deep_prompt_depth"),
    ],
)
def test_settings_that_a_backbone_cannot_take(config, settings, message):
    with pytest.raises(UsageError, match=message):
        make(config, **settings)


def test_the_longest_prompt_fits(config):
    make(config, prompt_length=72).predict(images(1), ["a"])


class TestReleased:
    """Files of the authors, and others that look like them."""

    @pytest.fixture
    def content(self, config):
        method = make(config)
        return method.to_released(method.state_dict())

    def test_round_trip(self, config, content):
        other = make(config, seed=0, prompt_length=4)
        assert AnomalyCLIP.settings_of_released(content, Path("x")) == {
            "prompt_length": 3,
            "deep_prompt_length": 2,
            "deep_prompt_depth": 3,
        }
        # Read by a model of other settings: shapes are compared where all methods' are.
        state = other.from_released(content, Path("x"))
        for name, value in make(config).state_dict().items():
            assert torch.equal(state[name], value)

    def test_a_small_difference_of_word_embeddings_passes(self, config, content):
        content["prompt_learner"]["token_suffix_neg"] += 9e-4
        make(config).from_released(content, Path("x"))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"token_suffix_neg": lambda x: x + 1.1e-3}, "another backbone .*token_suffix_neg differs"),
            ({"token_prefix_pos": lambda x: x * float("nan")}, "another backbone .*token_prefix_pos differs"),
            ({"token_prefix_pos": lambda x: x[..., :5]}, r"another backbone .*shape \(1, 1, 1, 5\)"),
            ({"token_suffix_pos": None}, "lacks token_suffix_pos"),
            ({"ctx_pos": None}, "lacks ctx_pos"),
            ({"ctx_neg": lambda x: x[0]}, r"ctx_neg has shape \(1, 3, 32\)"),
            ({"compound_prompts_text.0": None}, "1 sets of deep prompts, but none of number 0"),
            ({"compound_prompts_text.1": lambda x: x[:1]}, "different shapes"),
            ({"ctx_pos": lambda x: x.int()}, "ctx_pos is of int32"),
            ({"flow.weight": lambda _: torch.zeros(2)}, "has flow.weight, which another method may have"),
        ],
    )
    def test_one_line_for_each_that_does_not_fit(self, config, content, change, message):
        learner = content["prompt_learner"]
        for name, altered in change.items():
            if altered is None:
                del learner[name]
            else:
                learner[name] = altered(learner.get(name))
        self.refused(config, content, message)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ({"clip_model.x": torch.zeros(2)}, r"holds a prompt_learner: .*the first is called clip_model.x"),
            ({"epoch": 1, "model": {}}, "training state of another program"),
            ({"prompt_learner": torch.zeros(2)}, "holds a prompt_learner"),
            ({}, "it holds no parameters"),
            ([1], "it holds no tensors by name"),
            ({"prompt_learner": {}}, "released layout"),
        ],
    )
    def test_files_of_other_methods(self, config, content, message):
        self.refused(config, content, message)

    def test_another_text_width(self, config, content, tmp_path):
        wide = tmp_path / "wide.json"
        wide.write_text(json.dumps({**CONFIG, "text_cfg": {**CONFIG["text_cfg"], "width": 64}}))
        self.refused(wide, content, "another backbone .*text width 32, this one's is 64")

    def refused(self, config, content, message):
        with pytest.raises(AdaclipError, match=message) as caught:
            make(config).from_released(content, Path("x.pth"))
        assert str(caught.value).startswith("x.pth ")
        assert "\n" not in str(caught.value)
