"""WinCLIP where golden numbers do not reach: windows, means, precision, and what is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

import adaclip
from adaclip.clip.architectures import check_backbone
from adaclip.clip.settings import BackboneSettings
from adaclip.errors import UsageError
from adaclip.methods.registry import find_card
from adaclip.methods.winclip import model as module
from adaclip.methods.winclip.model import WinCLIP, windows_of
from adaclip.methods.winclip.sentences import TEMPLATES, sentences
from adaclip.methods.winclip.settings import WinCLIPSettings

SIDE = 56


@pytest.fixture(scope="module")
def images():
    return torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def test_sentences_take_the_class_name_as_it_is():
    normal, anomalous = sentences("pipe-fryum_{0}")
    assert (len(normal), len(anomalous)) == (147, 84)
    assert normal[0] == "a cropped photo of the pipe-fryum_{0}."
    assert anomalous[-1] == "a photo of a pipe-fryum_{0} with damage for anomaly detection."
    twice = [template for template in set(TEMPLATES) if TEMPLATES.count(template) == 2]
    assert twice == ["a jpeg corrupted photo of the {}."]
    assert find_card("winclip").sentences("pipe-fryum_{0}") == normal + anomalous


def test_windows_of_a_grid():
    assert windows_of(3, 2).tolist() == [[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]]
    assert windows_of(2, 1).tolist() == [[0], [1], [2], [3]]
    assert windows_of(2, 2).tolist() == [[0, 1, 2, 3]]


def test_a_window_is_seen_by_itself(tiny, images):
    """Only windows that contain a patch feel it; the others stay the same to the last bit."""
    method = WinCLIP(tiny, scales=(3,)).eval()
    changed = images.clone()
    changed[:, :, :8, :8] += 1  # the first patch
    before, after = (method.window_embeddings(tiny.embed(one), 3) for one in (images, changed))
    moved = (before != after).any(dim=2)
    assert moved[:, 0].all()
    assert not moved[:, 1:].any()


@pytest.mark.parametrize("scale", [1, 2, 7])
def test_a_patch_has_the_harmonic_mean_of_its_windows(tiny, scale):
    method = WinCLIP(tiny, scales=(scale,))
    across = 8 - scale
    probabilities = torch.rand(2, across**2, generator=torch.Generator().manual_seed(1)) * 0.9 + 0.05
    found = method.scale_map(probabilities, scale)
    square = probabilities.reshape(2, across, across)
    for y in range(7):
        for x in range(7):
            own = square[:, max(0, y - scale + 1) : y + 1, max(0, x - scale + 1) : x + 1].flatten(1)
            torch.testing.assert_close(found[:, y, x], own.shape[1] / (1 / own).sum(dim=1))


def test_the_image_s_score_is_one_scale_of_the_map(tiny):
    method = WinCLIP(tiny)
    score, maps = torch.tensor([0.2, 0.8]), [torch.rand(2, 7, 7) + 0.1, torch.rand(2, 7, 7) + 0.1]
    expected = 3 / (1 / score[:, None, None] + 1 / maps[0] + 1 / maps[1])
    torch.testing.assert_close(method.grid_map(score, maps), expected)
    assert torch.allclose(method.grid_map(score, []), score[:, None, None].expand(-1, 7, 7))


def test_without_scales_the_map_is_the_score_everywhere(tiny, images):
    prediction = WinCLIP(tiny, scales=()).predict(images, ["bolt", "nut", "bolt"])
    expected = prediction.anomaly_score[:, None, None].expand(-1, SIDE, SIDE)
    torch.testing.assert_close(prediction.anomaly_map, expected)
    assert prediction.anomaly_score.std() > 1e-3


def test_cutting_the_windows_changes_nothing(tiny, images, monkeypatch):
    method = WinCLIP(tiny)
    names = ["bolt", "metal nut", "bolt"]
    whole = method.predict(images, names)
    lengths = []
    walk = tiny.walk
    monkeypatch.setattr(tiny, "walk", lambda tokens: lengths.append(tokens.shape[:2].numel()) or walk(tokens))
    monkeypatch.setattr(module, "TOKENS_AT_ONCE", 101)
    cut = method.predict(images, names)
    assert max(lengths[1:]) <= 101
    assert len(lengths) > 10
    torch.testing.assert_close(cut.anomaly_map, whole.anomaly_map, rtol=0, atol=1e-6)


def test_text_that_the_runner_keeps_gives_the_same(tiny, images):
    method, names = WinCLIP(tiny), ["bolt", "metal nut", "bolt"]
    text = method.text(["metal nut", "bolt"])
    assert text.shape == (2, 2, 64)
    given, own = method.predict(images, names, text=text[[1, 0, 1]]), method.predict(images, names)
    assert torch.equal(given.anomaly_map, own.anomaly_map)
    swapped = method.predict(images, names, text=text[[0, 1, 0]])
    assert (swapped.anomaly_map - own.anomaly_map).abs().max() > 1e-4


def test_nothing_is_learned_or_saved(tiny, images):
    method = WinCLIP(tiny)
    hooks = sum(len(part._forward_hooks) for part in tiny.modules())
    method.predict(images, ["bolt"] * 3)
    assert sum(len(part._forward_hooks) for part in tiny.modules()) == hooks
    assert list(method.parameters()) == []
    assert method.state_dict() == {}


def test_small_probabilities_survive_autocast(tiny, images):
    """Opposite to one state the probability is 4e-13, which half precision has not."""
    method, state = WinCLIP(tiny), F.normalize(torch.randn(64, generator=torch.Generator().manual_seed(3)), dim=0)
    with torch.autocast("cpu", torch.bfloat16):
        least = method.anomalous(state.to(torch.bfloat16)[None], torch.stack([state, -state])[None])
        prediction = method.predict(images, ["bolt"] * 3)
    assert 3e-13 < float(least) < 6e-13
    assert prediction.anomaly_map.dtype == prediction.anomaly_score.dtype == torch.float32
    full = method.predict(images, ["bolt"] * 3)
    assert (prediction.anomaly_map - full.anomaly_map).abs().max() < 0.05


def test_a_probability_of_zero_stays_with_its_window(tiny):
    """Cosines divided by a very small temperature may give one: it makes zeros of its patches, and no NaN anywhere."""
    method = WinCLIP(tiny, scales=(2,))
    probabilities = torch.full((1, 36), 0.5)
    probabilities[0, 0] = 0
    expected = torch.full((7, 7), 0.5)
    expected[:2, :2] = 0
    found = method.grid_map(torch.tensor([0.5]), [method.scale_map(probabilities, 2)])[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scales": (2, 8)}, "scale 8 of winclip: windows of tiny at 56 px are from 1 to 7 patches wide"),
        ({"scales": (0,)}, "scale 0"),
        ({"scales": (2, 3, 2)}, "give each once"),
        ({"temperature": 0.0}, "temperature 0.0"),
    ],
)
def test_what_cannot_be_is_refused(tiny, settings, message):
    """By the class, and by the card without making a model."""
    with pytest.raises(UsageError, match=message):
        WinCLIP(tiny, **settings)
    card, architecture = find_card("winclip"), check_backbone(BackboneSettings("tiny", None, SIDE))
    with pytest.raises(UsageError, match=message):
        card.check(architecture, WinCLIPSettings(**settings))


def test_the_grid_is_that_of_the_input():
    """7 patches at 56 px, and 14 at the size that the weights are for."""
    assert WinCLIP(adaclip.load_backbone("tiny", image_size=112), scales=(8,)).settings.scales == (8,)
    with pytest.raises(UsageError, match="scale 8 of winclip"):
        adaclip.load_method("winclip", "tiny", image_size=56, scales=[8])


def test_settings_by_name():
    method = adaclip.load_method("winclip", "tiny", image_size=56, scales=[1, 7], temperature=0.1)
    assert method.settings == WinCLIPSettings((1, 7), 0.1)
    with pytest.raises(UsageError, match="scales"):
        adaclip.load_method("winclip", "tiny", image_size=56, scales=[2, 2])


def test_cards_need_no_torch():
    code = (
        "import sys; from adaclip.methods.registry import find_card\n"
        "for id in ('winclip', 'clip', 'clip_ac', 'clip_adaclip_prompts'): find_card(id).all_sentences(['bolt'])\n"
        "assert not {'torch', 'open_clip'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
