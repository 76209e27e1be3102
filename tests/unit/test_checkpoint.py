"""Checkpoints: whole, in both layouts, and one clear line for each that does not fit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch

import adaclip
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.adaclip.model import PREFIX
from adaclip.runs.checkpoint import UNCHECKED, read_metadata

OFFICIAL = Path(__file__).parents[1] / "golden" / "official_layout.pth"


def make(backbone: adaclip.Backbone, seed: int = 1, **options: object) -> adaclip.AdaCLIP:
    torch.manual_seed(seed)
    return adaclip.AdaCLIP(backbone, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("options", [{}, {"prompt_type": "D", "prompt_branch": "L"}, {"prompt_type": "none"}])
def test_round_trip(tiny, tmp_path, suffix, options):
    saved, loaded = make(tiny, 1, **options), make(tiny, 2, **options)
    path = tmp_path / f"checkpoint{suffix}"
    adaclip.save_checkpoint(saved, path)
    adaclip.load_checkpoint(loaded, path)
    for name, value in saved.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_checkpoint_makes_its_own_model(tiny, tmp_path):
    saved = make(tiny, prompt_type="SD", prompt_branch="V", prompt_depth=6, prompt_length=3, clusters=7)
    adaclip.save_checkpoint(saved, tmp_path / "c.safetensors", {"run": "x", "seed": 3, "auxiliary": ["mvtec"]})
    loaded, provenance = adaclip.load_model(tmp_path / "c.safetensors")
    assert provenance == {"run": "x", "seed": 3, "auxiliary": ["mvtec"]}
    assert loaded.settings == saved.settings
    assert loaded.backbone.settings == tiny.settings
    assert not loaded.training
    batch = torch.randn(2, 3, 56, 56)
    torch.testing.assert_close(
        loaded.predict(batch, ["bolt", "nut"]).anomaly_map, saved.eval().predict(batch, ["bolt", "nut"]).anomaly_map
    )


def test_metadata_can_be_read_without_this_program(tiny, tmp_path):
    adaclip.save_checkpoint(make(tiny), tmp_path / "c.safetensors", {"seed": 3})
    with safetensors.safe_open(tmp_path / "c.safetensors", "pt") as stream:
        metadata = stream.metadata()
    assert json.loads(metadata["model"])["prompt_depth"] == 4
    assert json.loads(metadata["backbone"])["image_size"] == 56
    assert json.loads(metadata["provenance"]) == {"seed": 3}


def test_the_released_layout(tiny, tmp_path):
    adaclip.save_checkpoint(make(tiny), tmp_path / "c.pth")
    ours = torch.load(tmp_path / "c.pth", weights_only=True)
    released = torch.load(OFFICIAL, weights_only=True)
    assert set(ours) == set(released)  # both are SD on VL with depth 4 and length 5
    assert all(key.startswith(PREFIX) for key in ours)
    assert {value.dtype for value in ours.values()} == {torch.float32}


def test_half_precision_checkpoints_are_read(tiny, tmp_path):
    saved, loaded = make(tiny, 1), make(tiny, 2)
    torch.save({PREFIX + key: value.half() for key, value in saved.state_dict().items()}, tmp_path / "half.pth")
    adaclip.load_checkpoint(loaded, tmp_path / "half.pth")
    for name, value in loaded.state_dict().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, saved.state_dict()[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_never_saved(tiny, tmp_path, suffix, value):
    model = make(tiny)
    path = tmp_path / f"c{suffix}"
    path.write_text("an earlier one")
    with torch.no_grad():
        model.cls_token_layer.head[0].bias[3] = value
    with pytest.raises(AdaclipError, match=r"cls_token_layer\.head\.0\.bias is not finite"):
        adaclip.save_checkpoint(model, path)
    assert path.read_text() == "an earlier one"


def test_shapes_that_differ_are_both_named(tiny, tmp_path):
    adaclip.save_checkpoint(make(tiny, prompt_length=5), tmp_path / "c.safetensors")
    with pytest.raises(AdaclipError, match=re.escape("has shape (5, 128), the model's has (6, 128)")):
        adaclip.load_checkpoint(make(tiny, prompt_length=6), tmp_path / "c.safetensors")


def test_a_checkpoint_that_does_not_fit_leaves_the_model_alone(tiny):
    model = make(tiny, 2, prompt_length=6)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(AdaclipError):
        adaclip.load_checkpoint(model, OFFICIAL)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())


@pytest.mark.parametrize(
    ("saved", "wanted", "words"),
    [
        ({"prompt_type": "S"}, {"prompt_type": "SD"}, "lacks the parameter dynamic_visual"),
        (
            {"prompt_branch": "VL"},
            {"prompt_branch": "V"},
            "the model with the settings prompt_type SD, prompt_branch V,",
        ),
        ({"prompt_depth": 3}, {"prompt_depth": 4}, r"lacks the parameter visual_prompter\.static_prompts\.3"),
    ],
)
def test_other_settings_are_named(tiny, tmp_path, saved, wanted, words):
    adaclip.save_checkpoint(make(tiny, **saved), tmp_path / "c.safetensors")
    with pytest.raises(AdaclipError, match=words):
        adaclip.load_checkpoint(make(tiny, **wanted), tmp_path / "c.safetensors")


def truncated(path: Path, tiny: adaclip.Backbone) -> None:
    adaclip.save_checkpoint(make(tiny), path)
    path.write_bytes(path.read_bytes()[:-1000])


def junk(path: Path, tiny: adaclip.Backbone) -> None:
    path.write_bytes(b"not a checkpoint at all, but long enough " * 20)


def empty(path: Path, tiny: adaclip.Backbone) -> None:
    path.touch()


def folder(path: Path, tiny: adaclip.Backbone) -> None:
    path.mkdir()


def absent(path: Path, tiny: adaclip.Backbone) -> None:
    pass


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("damage", [truncated, junk, empty, folder, absent])
def test_damaged_files_give_one_line(tiny, tmp_path, suffix, damage):
    path = tmp_path / f"c{suffix}"
    damage(path, tiny)
    for call in (lambda: adaclip.load_checkpoint(make(tiny), path), lambda: adaclip.load_model(path)):
        with pytest.raises(AdaclipError) as caught:
            call()
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "weights_only" not in str(caught.value)  # no advice to trust a damaged file


class _Hostile:
    def __reduce__(self):
        return (print, ("code of the file has run",))


def test_code_in_a_checkpoint_is_not_run(tiny, tmp_path, capsys):
    torch.save({"clip_model.x": _Hostile()}, tmp_path / "c.pth")
    with pytest.raises(AdaclipError, match="cannot read checkpoint"):
        adaclip.load_checkpoint(make(tiny), tmp_path / "c.pth")
    assert "code of the file has run" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [{"state": torch.zeros(1)}, {"clip_model.x": 3}, [torch.zeros(1)], {}])
def test_other_pickles_are_not_in_the_released_layout(tiny, tmp_path, content):
    torch.save(content, tmp_path / "c.pth")
    with pytest.raises(AdaclipError, match=r"released layout|lacks the parameter"):
        adaclip.load_checkpoint(make(tiny), tmp_path / "c.pth")


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, "not a checkpoint of this program"),
        ({"format": "adaclip-bench/9"}, "format 'adaclip-bench/9'"),
        ({"format": UNCHECKED, "model": "{}"}, "is damaged: its metadata lacks 'backbone'"),
        (
            {
                "format": UNCHECKED,
                "model": '{"depth": 3}',
                "backbone": '{"model": "tiny", "preset": "reference"}',
                "provenance": "{}",
            },
            "another version",
        ),
    ],
)
def test_foreign_safetensors(tmp_path, metadata, words):
    safetensors.torch.save_file({"x": torch.zeros(1)}, tmp_path / "c.safetensors", metadata=metadata)
    with pytest.raises(AdaclipError, match=words):
        adaclip.load_model(tmp_path / "c.safetensors")


def test_metadata_of_a_good_file(tiny, tmp_path):
    adaclip.save_checkpoint(make(tiny, clusters=3), tmp_path / "c.safetensors")
    assert read_metadata(tmp_path / "c.safetensors")["model"]["clusters"] == 3


def test_other_suffixes_and_folders_that_cannot_be_written(tiny, tmp_path):
    with pytest.raises(UsageError, match=r"end its name in \.safetensors or \.pth"):
        adaclip.save_checkpoint(make(tiny), tmp_path / "c.bin")
    (tmp_path / "file").touch()
    with pytest.raises(AdaclipError, match="cannot write"):
        adaclip.save_checkpoint(make(tiny), tmp_path / "file" / "c.safetensors")


def test_a_flipped_bit_of_a_released_checkpoint_is_refused(tiny, tmp_path):
    path = tmp_path / "released.pth"
    model = adaclip.AdaCLIP(tiny)
    adaclip.save_checkpoint(model, path)
    whole = bytearray(path.read_bytes())
    for place in range(len(whole) // 4, len(whole) // 2, len(whole) // 40):
        damaged = bytearray(whole)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(AdaclipError, match=r"released\.pth is damaged: .*get another copy of it"):
            adaclip.load_checkpoint(model, path)
