"""The frozen CLIP: the same as open_clip's where nothing is changed, and one clear line where it cannot be made."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import adaclip
from adaclip.errors import AdaclipError, UsageError

CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 56, "layers": 4, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 3},
}


def write_config(folder: Path, **changes: object) -> str:
    path = folder / "small.json"
    path.write_text(json.dumps({**CONFIG, **changes}))
    return str(path)


def write_weights(path: Path, seed: int = 5, **changes: object) -> Path:
    """Random weights in open_clip's format; the positional embedding made large enough to be felt."""
    torch.manual_seed(seed)
    clip = open_clip.CLIP(**{**CONFIG, **changes})
    with torch.no_grad():
        clip.visual.positional_embedding.normal_()
    torch.save(clip.state_dict(), path)
    return path


def images(side: int, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_without_prompts_it_is_open_clip(tmp_path):
    weights = write_weights(tmp_path / "w.pt")
    backbone = adaclip.load_backbone(write_config(tmp_path), str(weights), image_size=56)
    clip = open_clip.CLIP(**CONFIG)
    clip.load_state_dict(torch.load(weights, weights_only=True))
    clip.eval()
    with torch.no_grad():
        torch.testing.assert_close(backbone.encode_image(images(56)), clip.encode_image(images(56)), rtol=0, atol=5e-6)
        text = ["a bad photo of a bolt.", "a cropped photo of the flawless metal nut."]
        expected = clip.encode_text(open_clip.SimpleTokenizer()(text))
        torch.testing.assert_close(backbone.encode_text(backbone.tokenize(text)), expected, rtol=0, atol=5e-6)


def test_text_is_cut_after_the_last_end_of_text_exactly(tiny):
    text = ["a bad photo of a bolt.", "a cropped photo of the damaged transistor without flaw."]
    full = open_clip.SimpleTokenizer()(text)
    cut = tiny.tokenize(text)
    assert full.shape[1] == 77
    assert cut.shape[1] == 1 + max(int(row.argmax()) for row in full) < 20
    torch.manual_seed(0)
    prompt = torch.randn(1, 5, 64)

    def replace(x):
        return torch.cat([x[:, :1], prompt.expand(len(x), -1, -1), x[:, 6:]], dim=1)

    for chosen in (None, {2: replace, 3: replace}):
        torch.testing.assert_close(tiny.encode_text(cut, chosen), tiny.encode_text(full, chosen), rtol=0, atol=5e-6)
    assert tiny.tokenize(text, at_least=30).shape[1] == 30
    assert tiny.tokenize(text, at_least=300).shape[1] == 77


def test_prompts_stand_where_the_paper_puts_them(tiny):
    """Appended before block 0, replaced before blocks 1 to J - 1, carried along after."""
    torch.manual_seed(0)
    batch, prompts = images(56), [torch.randn(2, 5, 128) for _ in range(3)]
    model = adaclip.AdaCLIP(tiny)
    tokens, embedding = model.encode_patches(batch, prompts)
    visual = tiny.clip.visual
    x = visual._embeds(batch)
    kept = []
    for index, block in enumerate(visual.transformer.resblocks):
        if index == 0:
            x = torch.cat([x, prompts[0]], dim=1)
        elif index < 3:
            x[:, -5:] = prompts[index]
        x = block(x)
        if index in (1, 3, 5, 7):
            kept.append(x[:, 1:-5].clone())
    assert model.feature_blocks == (2, 4, 6, 8)
    for got, expected in zip(tokens, kept, strict=True):
        assert got.shape == (2, 49, 128)
        torch.testing.assert_close(got, expected)
    torch.testing.assert_close(embedding, visual.ln_post(x[:, 0]) @ visual.proj)


def test_no_attention_weights_are_computed(tiny, monkeypatch):
    wanted, returned = [], []
    original = nn.MultiheadAttention.forward

    def forward(self, *arguments, **options):
        result = original(self, *arguments, **options)
        wanted.append(options.get("need_weights", True))
        returned.append(result[1])
        return result

    monkeypatch.setattr(nn.MultiheadAttention, "forward", forward)
    model = adaclip.AdaCLIP(tiny)
    model.predict(images(56, 1), ["bolt"])
    assert len(wanted) == 8 + 8 + 4  # the frozen embedding, the prompted tower, the text tower
    assert not any(wanted)
    assert all(weights is None for weights in returned)


@pytest.mark.parametrize(("preset", "antialias"), [("reference", False), ("corrected", True)])
def test_preset_decides_how_positions_are_resized(tmp_path, preset, antialias):
    weights = write_weights(tmp_path / "w.pt")
    backbone = adaclip.load_backbone(write_config(tmp_path), str(weights), image_size=32, preset=preset)
    old = torch.load(weights, weights_only=True)["visual.positional_embedding"]
    square = old[1:].T.reshape(1, 64, 7, 7)
    small = F.interpolate(square, size=(4, 4), mode="bicubic", antialias=antialias)[0].reshape(64, 16).T
    torch.testing.assert_close(backbone.clip.visual.positional_embedding, torch.cat([old[:1], small]))
    other = F.interpolate(square, size=(4, 4), mode="bicubic", antialias=not antialias)[0].reshape(64, 16).T
    assert (small - other).abs().max() > 0.01
    assert backbone.grid == 4


@pytest.mark.parametrize(("quick", "preset", "expected"), [
    (True, "reference", nn.GELU),
    (True, "corrected", open_clip.transformer.QuickGELU),
    (False, "reference", nn.GELU),
    (False, "corrected", nn.GELU),
])  # fmt: skip
def test_preset_decides_the_activation(tmp_path, quick, preset, expected):
    changes = {"quick_gelu": True} if quick else {}
    weights = write_weights(tmp_path / "w.pt", **changes)
    backbone = adaclip.load_backbone(write_config(tmp_path, **changes), str(weights), 56, preset)
    for tower in (backbone.clip.visual.transformer, backbone.clip.transformer):
        assert {type(block.mlp.gelu) for block in tower.resblocks} == {expected}
    clip = open_clip.CLIP(**{**CONFIG, "quick_gelu": expected is open_clip.transformer.QuickGELU})
    clip.load_state_dict(torch.load(weights, weights_only=True))
    with torch.no_grad():
        expected_embedding = clip.eval().encode_image(images(56))
    torch.testing.assert_close(backbone.encode_image(images(56)), expected_embedding, rtol=0, atol=5e-6)


def test_corrected_takes_the_activation_of_a_tag(tiny):
    from adaclip.clip.load import _trained_with_quick_gelu

    # OpenAI's weights under the plain name were trained with QuickGELU, LAION's were not.
    assert _trained_with_quick_gelu("ViT-L-14-336", "openai")
    assert not _trained_with_quick_gelu("ViT-B-32", "laion2b_s34b_b79k")


def test_seed_makes_the_weights_and_leaves_the_callers_generator_alone():
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    first, again = (adaclip.load_backbone("tiny", image_size=32, seed=3) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    other = adaclip.load_backbone("tiny", image_size=32, seed=4)
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(first.clip.visual.proj, other.clip.visual.proj)


def test_paths_need_not_be_text(tmp_path):
    weights = write_weights(tmp_path / "weights.pt")
    backbone = adaclip.load_backbone(Path(write_config(tmp_path)), weights, image_size=56)
    assert backbone.settings.pretrained == str(weights)
    adaclip.save_checkpoint(adaclip.AdaCLIP(backbone, prompt_depth=3), tmp_path / "mine.safetensors")
    model, _ = adaclip.load_model(tmp_path / "mine.safetensors")
    torch.testing.assert_close(model.backbone.encode_image(images(56)), backbone.encode_image(images(56)))


def test_is_frozen(tiny):
    assert not any(value.requires_grad for value in tiny.parameters())
    assert not tiny.train().training
    assert not tiny.encode_image(images(56)).requires_grad


def test_a_config_file_does_not_replace_the_built_in_model_of_its_name(tmp_path):
    before = open_clip.get_model_config("ViT-B-32")
    path = tmp_path / "ViT-B-32.json"
    path.write_text(json.dumps(CONFIG))
    assert adaclip.load_backbone(str(path), image_size=56).vision_width == 64
    assert open_clip.get_model_config("ViT-B-32") == before


def bad_weights(folder: Path) -> Path:
    path = folder / "junk.pt"
    path.write_bytes(b"this is no weight file" * 40)
    return path


def truncated_weights(folder: Path) -> Path:
    path = write_weights(folder / "cut.pt")
    path.write_bytes(path.read_bytes()[:4000])
    return path


def foreign_weights(folder: Path) -> Path:
    return write_weights(folder / "wide.pt", embed_dim=48)


def empty_weights(folder: Path) -> Path:
    torch.save({}, folder / "empty.pt")
    return folder / "empty.pt"


def junk_safetensors(folder: Path) -> Path:
    (folder / "junk.safetensors").write_bytes(b"x" * 200)
    return folder / "junk.safetensors"


@pytest.mark.parametrize("make", [bad_weights, truncated_weights, foreign_weights, empty_weights, junk_safetensors])
def test_weights_that_do_not_fit_give_one_line(tmp_path, make):
    path = make(tmp_path)
    with pytest.raises(AdaclipError) as caught:
        adaclip.load_backbone(write_config(tmp_path), str(path), image_size=56)
    assert str(path) in str(caught.value)
    assert "small.json" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


def test_weights_that_cannot_be_fetched_give_one_line(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_CACHE", "/nonexistent")
    with pytest.raises(AdaclipError, match="cannot make backbone ViT-B-32 with weights 'laion2b_s34b_b79k'") as caught:
        adaclip.load_backbone("ViT-B-32", "laion2b_s34b_b79k", image_size=32)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("ViT-Z-99", {}, "unknown model 'ViT-Z-99'"),
        ("missing.json", {}, "no such model config: missing.json"),
        ("tiny", {"pretrained": "openia"}, "weights 'openia' of tiny: no such file, and no such tag"),
        ("ViT-B-32", {"pretrained": "openia"}, "known tags: openai, "),
        ("tiny", {"image_size": 60}, "not a multiple of tiny's patch size 8: use 56 or 64"),
        ("tiny", {"preset": "best"}, "unknown preset 'best': use reference or corrected"),
        ("coca_ViT-B-32", {"image_size": 32}, "coca_ViT-B-32 is not supported"),
        ("tiny", {"image_size": 3}, "use 8"),
        ("tiny", {"image_size": 0}, "use 8"),
        ("tiny", {"device": "gpu"}, "cannot use device 'gpu'"),
    ],
)
def test_impossible_backbones_are_refused(model, options, words, monkeypatch):
    with pytest.raises(UsageError, match=words):
        adaclip.load_backbone(model, **{"image_size": 56, **options})


@pytest.mark.parametrize("content", ["{", "[1]", '{"embed_dim": 8}', "\xff"])
def test_damaged_configs_are_refused(tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=r"bad\.json"):
        adaclip.load_backbone(str(path), image_size=56)


@pytest.mark.parametrize("change", [{"embed_dim": "many"}, {"vision_cfg": {"layers": 4}}, {"vision_cfg": 3}])
def test_configs_that_open_clip_cannot_build_give_one_line(tmp_path, change):
    with pytest.raises(AdaclipError) as caught:
        adaclip.load_backbone(write_config(tmp_path, **change), image_size=56)
    assert "\n" not in str(caught.value)


def test_too_few_blocks_for_four_features(tmp_path):
    config = write_config(tmp_path, vision_cfg={**CONFIG["vision_cfg"], "layers": 3})
    assert adaclip.load_backbone(config, image_size=56).architecture.vision_blocks == 3
    with pytest.raises(UsageError, match="has 3 vision blocks; 4 feature blocks need at least that many"):
        adaclip.load_method("adaclip", config, image_size=56)
