"""What no method takes for a batch, and what no checkpoint is loaded into."""

from __future__ import annotations

import pytest
import torch

import adaclip

IMAGES = torch.zeros(2, 3, 56, 56)
IDS = ("adaclip", "winclip", "april_gan", "clip", "clip_adaclip_prompts")


@pytest.fixture(scope="module")
def methods():
    return [adaclip.load_method(id, "tiny", image_size=56) for id in IDS]


@pytest.mark.parametrize(
    ("images", "names", "words"),
    [
        (IMAGES, [None, "nut"], "class name None: say in words"),
        (IMAGES, ["nut", "  "], "class name '  ': say in words"),
        (IMAGES, "ab", "class names are no list"),
        (IMAGES, None, "class names are no list"),
        (IMAGES, ["nut"], "2 images but 1 category"),
        (IMAGES[:0], [], "an empty batch"),
        (IMAGES.to(torch.uint8), ["nut", "nut"], "images are of torch.uint8: give a tensor of floats"),
        (IMAGES.numpy(), ["nut", "nut"], "images are a ndarray: give a tensor of floats"),
        (IMAGES * torch.nan, ["nut", "nut"], "images hold NaN or infinity"),
    ],
    ids=["none", "blank", "text", "missing", "fewer", "empty", "bytes", "numpy", "nan"],
)
def test_what_is_no_batch_is_one_line(methods, images, names, words):
    for method in methods:
        with pytest.raises(adaclip.UsageError, match=words):
            method.predict(images, names)


@pytest.mark.parametrize(
    ("method", "saved", "wanted", "words"),
    [
        ("adaclip", {"fusion": True}, {"fusion": False}, "fusion True, the model has False"),
        ("april_gan", {"feature_blocks": (2, 4, 6, 8)}, {"feature_blocks": (1, 2, 3, 4)}, "feature_blocks"),
        ("anomalyclip", {"dpam_blocks": 6}, {"dpam_blocks": 4}, "dpam_blocks 6, the model has 4"),
        ("winclip", {"scales": (2, 3)}, {"scales": (2,)}, "scales"),
    ],
)
def test_parameters_are_not_loaded_into_a_model_that_computes_something_else(tmp_path, method, saved, wanted, words):
    path = tmp_path / "c.safetensors"
    adaclip.save_checkpoint(adaclip.load_method(method, "tiny", image_size=56, **saved), path)
    adaclip.load_checkpoint(adaclip.load_method(method, "tiny", image_size=56, **saved), path)
    with pytest.raises(adaclip.AdaclipError, match=words):
        adaclip.load_checkpoint(adaclip.load_method(method, "tiny", image_size=56, **wanted), path)


def test_parameters_of_another_backbone_are_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    adaclip.save_checkpoint(adaclip.load_method("april_gan", "tiny", image_size=56), path)
    with pytest.raises(adaclip.AdaclipError, match="backbone tiny, the model has tiny14"):
        adaclip.load_checkpoint(adaclip.load_method("april_gan", "tiny14", image_size=56), path)


@pytest.mark.parametrize("size", ["56", 56.0, (56, 56)])
def test_a_size_that_is_no_number_of_pixels_is_one_line(size):
    with pytest.raises(adaclip.UsageError, match="is no whole number of pixels"):
        adaclip.load_method("winclip", "tiny", image_size=size)
