"""Files given as a checkpoint: any suffix, whatever they are instead, and parameters that are not finite."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image

import adaclip
from adaclip.cli import main
from adaclip.clip.settings import BackboneSettings
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.adaclip.model import PREFIX
from adaclip.system.tensors import read_tensors, write_tensors
from tests.cases.saying import TINY, one_line


def weights(backbone: adaclip.Backbone) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {PREFIX + key: value for key, value in adaclip.AdaCLIP(backbone).state_dict().items()}


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_loading_refuses_what_saving_refuses(tiny, tmp_path, suffix, value, capsys):
    path = tmp_path / f"nan{suffix}"
    adaclip.save_checkpoint(adaclip.AdaCLIP(tiny), path)
    if suffix == ".pth":
        state = torch.load(path)
        state[PREFIX + "cls_token_layer.head.0.bias"][3] = value
        torch.save(state, path)
    else:
        tensors, metadata, _ = read_tensors(path, "checkpoint", "")
        tensors["cls_token_layer.head.0.bias"][3] = value
        write_tensors(path, tensors, metadata)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (60, 60)).save(tmp_path / "images" / "a.png")
    backbone = ["--backbone", TINY] if suffix == ".pth" else []
    command = ["score", "--checkpoint", path, "--images", tmp_path / "images", "--category", "bolt"]
    text = one_line(capsys, [*command, "--out", tmp_path / "out", *backbone])
    assert "is not finite" in text
    assert str(path) in text
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("name", ["c.pt", "c.PTH", "c.pth", "c.bin", "c"])
def test_a_released_checkpoint_may_have_any_suffix(tiny, tmp_path, name):
    state = weights(tiny)
    torch.save(state, tmp_path / name)
    model, provenance = adaclip.load_model(tmp_path / name, backbone=tiny.settings)
    assert provenance == {}
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[PREFIX + key])


def test_a_checkpoint_of_ours_may_have_any_suffix(tiny, tmp_path):
    adaclip.save_checkpoint(adaclip.AdaCLIP(tiny), tmp_path / "c.safetensors", {"seed": 3})
    (tmp_path / "c.safetensors").rename(tmp_path / "c.pt")
    assert adaclip.load_model(tmp_path / "c.pt")[1] == {"seed": 3}


def test_a_released_checkpoint_is_evaluated_when_its_auxiliary_data_are_stated(tiny, tmp_path, prepared, capsys):
    torch.save(weights(tiny), tmp_path / "visa.pt")
    manifest = prepared("nuts")
    command = ["evaluate", "--checkpoint", tmp_path / "visa.pt", "--manifest", manifest, "--out", tmp_path / "o"]
    assert "does not name its backbone" in one_line(capsys, command, 2)
    command += ["--backbone", TINY]
    assert "give --auxiliary" in one_line(capsys, command, 2)
    assert "would not be zero-shot" in one_line(capsys, [*command, "--auxiliary", "visa", "nuts"], 2)
    assert main([str(argument) for argument in [*command, "--auxiliary", "visa"]]) == 0
    facts = json.loads((tmp_path / "o" / "metrics.json").read_text())
    assert (facts["run"], facts["auxiliary"]) == ("visa", ["visa"])


def test_another_backbone_than_the_checkpoint_names_is_refused(tiny, tmp_path):
    adaclip.save_checkpoint(adaclip.AdaCLIP(tiny), tmp_path / "c.safetensors")
    other = adaclip.load_backbone("tiny", image_size=64).settings
    with pytest.raises(UsageError, match="leave --backbone out"):
        adaclip.load_model(tmp_path / "c.safetensors", backbone=other)


#: Trained methods with a released layout of their own, as small ones.
SMALL = {"adaclip": {}, "april_gan": {"feature_blocks": [2, 4, 6, 8]}, "anomalyclip": {"dpam_blocks": 2}}


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> dict[str, Path]:
    """A file of every method as its authors would save it."""
    folder = tmp_path_factory.mktemp("released")
    for method, settings in SMALL.items():
        model = adaclip.load_method(method, "tiny", image_size=56, **settings)
        adaclip.save_checkpoint(model, folder / f"{method}.pth")
    return {method: folder / f"{method}.pth" for method in SMALL}


@pytest.mark.parametrize("other", SMALL)
@pytest.mark.parametrize("method", SMALL)
def test_a_file_of_another_method_is_told(tiny, released, method, other):
    path, backbone = released[other], BackboneSettings("tiny", None, 56)
    if method == other:
        model, _ = adaclip.load_model(path, backbone=backbone, method=method, settings=SMALL[method])
        assert model.card.id == method
        return
    with pytest.raises(AdaclipError, match=r"is not in .*released layout.*the first is called ") as caught:
        adaclip.load_model(path, backbone=backbone, method=method, settings=SMALL[method])
    assert str(caught.value).startswith(f"{path} ")
    assert "\n" not in str(caught.value)


def test_a_file_of_a_method_that_was_not_named(tiny, released):
    with pytest.raises(AdaclipError, match="give --method where it is another method's than AdaCLIP's"):
        adaclip.load_model(released["april_gan"], backbone=tiny.settings)


@pytest.mark.parametrize("method", ["untrained", "winclip", "random"])
def test_a_method_that_is_not_trained_has_no_file(tiny, released, method):
    with pytest.raises(UsageError, match=f"method {method} is not trained: leave the checkpoint .* out"):
        adaclip.load_model(released["adaclip"], backbone=tiny.settings, method=method)


def test_a_checkpoint_of_ours_says_itself_what_it_is(tmp_path):
    path = tmp_path / "c.safetensors"
    adaclip.save_checkpoint(adaclip.load_method("adaclip", "tiny", image_size=56, clusters=3), path)
    with pytest.raises(UsageError, match="is a checkpoint of method adaclip: it names its own, so leave --method out"):
        adaclip.load_model(path, method="april_gan")
    with pytest.raises(UsageError, match="was trained with clusters 3, not 4: say so, or leave clusters out"):
        adaclip.load_model(path, settings={"fusion": True, "clusters": 4})
    assert adaclip.load_model(path, method="adaclip", settings={"clusters": 3})[0].settings.clusters == 3
    tensors, metadata, _ = read_tensors(path, "checkpoint", "")
    write_tensors(path, tensors, {**metadata, "method": "gone"})
    with pytest.raises(UsageError, match=rf"checkpoint {path}: unknown method 'gone'"):
        adaclip.load_model(path)
    write_tensors(path, tensors, {**metadata, "model": "3"})
    with pytest.raises(AdaclipError, match=rf"checkpoint {path} was written by another version of this program"):
        adaclip.load_model(path)


def picture(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (9, 9), (200, 10, 10)).save(stream, kind)
    return stream.getvalue()


def packed(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("weights.pth"))
    return stream.getvalue()


def saved(content: object) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


CLIP = {"visual.conv1.weight": torch.zeros(1), "token_embedding.weight": torch.zeros(1)}
PAGE = b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head></html>"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"\0" * 5000, "a file of zeros"),
        (PAGE, r"a web page \(Google Drive - Quota exceeded\)"),
        (b"\n  <HTML><body>Sorry", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "a pointer of Git LFS"),
        (b"lr: 0.01\nepochs: 5\n", "a text file that begins with 'lr: 0.01 epochs: 5'"),
        (b'{"error": "rate limited"}', "a text file that begins with"),
        (picture("PNG"), "a PNG image"),
        (picture("JPEG"), "a JPEG image"),
        (picture("BMP"), "a BMP image"),
        (packed("notes.txt"), "a zip archive without weights"),
        (packed("a/best.pth"), "a zip archive that holds a/best.pth: unpack it"),
        (packed("clip/constants.pkl", "clip/data.pkl"), "TorchScript"),
        (packed("notes.txt", "more.txt")[:-30], "the beginning of a longer file"),
        (tarred(), r"a tar\.gz archive: unpack it"),
        (bytes(range(128, 256)) * 9, "neither a safetensors file nor"),
        (saved(CLIP), "CLIP's own weights"),
        (saved({"conv1.weight": torch.zeros(1)}), "another model's parameters .the first is called conv1.weight"),
        (saved({"state_dict": {}, "epoch": 3}), "training state of another program .it holds state_dict, epoch"),
        (saved([torch.zeros(1)]), "no tensors by name"),
        (saved({PREFIX + "patch": 3}), "is no tensor"),
        (saved({PREFIX + "head.weight": torch.zeros(1)}), "another model's parameters"),
    ],
    # The contents hold times, so names made of them would differ between processes.
    ids=range(22),
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".pt"])
def test_what_is_no_checkpoint_is_named(tiny, tmp_path, content, words, suffix):
    path = tmp_path / f"c{suffix}"
    path.write_bytes(content)
    with pytest.raises(AdaclipError, match=words) as caught:
        adaclip.load_model(path, backbone=tiny.settings)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("content", "words"), [(PAGE, "it is a web page"), (b"", "an empty file")])
def test_weights_that_are_none_are_named_too(tmp_path, content, words):
    path = tmp_path / "ViT-B-32.pt"
    path.write_bytes(content)
    with pytest.raises(AdaclipError, match=r"cannot make backbone ViT-B-32.* holds no weights: it is") as caught:
        adaclip.load_backbone("ViT-B-32", path, image_size=64)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda value: value.to(torch.int8), "is of int8, not of floating-point numbers"),
        (lambda value: value.to(torch.complex64), "is of complex64, not of floating-point numbers"),
        (lambda value: value.to_sparse(), "is a sparse tensor"),
    ],
)
def test_parameters_that_are_no_floating_point_numbers(tiny, tmp_path, change, words):
    state = weights(tiny)
    key = PREFIX + "cls_token_layer.head.0.bias"
    torch.save({**state, key: change(state[key])}, tmp_path / "c.pth")
    with pytest.raises(AdaclipError, match=words) as caught:
        adaclip.load_model(tmp_path / "c.pth", backbone=tiny.settings)
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)
