"""Frozen embeddings: computed once, refused for anything else."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from PIL import Image

import adaclip
from adaclip.clip.settings import BackboneSettings
from adaclip.data.rows import read_rows
from adaclip.errors import AdaclipError
from adaclip.runs.features import compute_features, read_features

TINY = BackboneSettings("tiny", image_size=56)
CPU = torch.device("cpu")


def test_are_the_embeddings_of_the_images_in_the_manifests_order(tiny, prepared, tmp_path):
    manifest = prepared("toy", categories=("bolt", "nut"), normal=4, anomalous=5)  # more than one batch
    compute_features(TINY, manifest, tmp_path / "f.safetensors", device=CPU)
    embeddings = read_features(tmp_path / "f.safetensors", TINY, manifest)
    rows = read_rows(manifest)
    assert embeddings.shape == (18, 64)
    assert embeddings.dtype == torch.float32
    for row, embedding in zip(rows, embeddings, strict=True):
        alone = tiny.encode_image(adaclip.preprocess(Image.open(row.image), 56)[None])[0]
        torch.testing.assert_close(embedding, alone, rtol=0, atol=1e-5)


def test_workers_write_the_same_file(prepared, tmp_path):
    manifest = prepared("toy")
    for workers in (0, 2):
        compute_features(TINY, manifest, tmp_path / f"{workers}.safetensors", device=CPU, workers=workers)
    assert (tmp_path / "0.safetensors").read_bytes() == (tmp_path / "2.safetensors").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"image_size": 64},
        {"activation": "quick_gelu"},
        {"positions": "bilinear"},
        {"pretrained": "openai"},
        {"model": "ViT-B-32"},
    ],
)
def test_another_backbones_are_refused(prepared, tmp_path, change):
    manifest = prepared("toy")
    compute_features(TINY, manifest, tmp_path / "f.safetensors", device=CPU)
    with pytest.raises(AdaclipError, match="computed for another backbone"):
        read_features(tmp_path / "f.safetensors", dataclasses.replace(TINY, **change), manifest)


def test_another_manifests_and_splits_are_refused(prepared, tmp_path):
    manifest, other = prepared("toy"), prepared("other")
    compute_features(TINY, manifest, tmp_path / "f.safetensors", device=CPU)
    with pytest.raises(AdaclipError, match="computed for another manifest"):
        read_features(tmp_path / "f.safetensors", TINY, other)
    with pytest.raises(AdaclipError, match="computed for another split"):
        read_features(tmp_path / "f.safetensors", TINY, manifest, "train")
    manifest.write_text(manifest.read_text().replace("hole", "dent"))
    with pytest.raises(AdaclipError, match="computed for another manifest"):
        read_features(tmp_path / "f.safetensors", TINY, manifest)


@pytest.mark.parametrize("content", [b"", b"junk" * 100, None])
def test_damaged_files_give_one_line(prepared, tmp_path, content):
    manifest = prepared("toy")
    if content is not None:
        (tmp_path / "f.safetensors").write_bytes(content)
    with pytest.raises(AdaclipError, match=r"f\.safetensors.*run adaclip features") as caught:
        read_features(tmp_path / "f.safetensors", TINY, manifest)
    assert "\n" not in str(caught.value)


def test_a_foreign_safetensors_file_is_refused(tiny, prepared, tmp_path):
    adaclip.save_checkpoint(adaclip.AdaCLIP(tiny), tmp_path / "f.safetensors")
    with pytest.raises(AdaclipError, match="run adaclip features again"):
        read_features(tmp_path / "f.safetensors", TINY, prepared("toy"))


def test_an_image_that_cannot_be_read_leaves_no_file(prepared, tmp_path):
    manifest = prepared("toy")
    (manifest.parent / "images" / "bolt" / "001.png").write_bytes(b"x")
    with pytest.raises(AdaclipError, match=r"001\.png"):
        compute_features(TINY, manifest, tmp_path / "out" / "f.safetensors", device=CPU)
    assert not (tmp_path / "out").exists()
