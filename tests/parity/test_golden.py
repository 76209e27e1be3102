"""Agreement with the published implementation, number by number."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import adaclip
from adaclip.methods.adaclip.model import PREFIX
from adaclip.methods.losses import training_loss
from tests.parity.drawing import GOLDEN, META, NUMBERS, draw, golden_model

pytestmark = pytest.mark.parity
CLASSES = META["classes"]
VARIANTS = sorted({key.split("/")[0] for key in NUMBERS.files if key.endswith("/map")})


def close(actual, name, tolerance=2e-5):
    expected = NUMBERS[name]
    actual = actual.detach().numpy()
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def test_all_eight_variants_are_there():
    assert len(VARIANTS) == 8


@pytest.mark.parametrize("variant", VARIANTS)
def test_map_and_score(backbone, batch, variant):
    prompt_type, branch, score = variant.split("-")
    model = golden_model(backbone, prompt_type, branch, fusion=score == "hsf")
    prediction = model.predict(batch[0], CLASSES)
    close(prediction.anomaly_map, f"{variant}/map")
    # With fusion the clustering differs (the reference's was unseeded), so the score may move a little.
    close(prediction.anomaly_score, f"{variant}/score", 2e-2 if score == "hsf" else 2e-5)


def test_every_intermediate(backbone, batch):
    model = golden_model(backbone, "SD", "VL", fusion=False)
    frozen = backbone.encode_image(batch[0])
    close(frozen, "SD-VL-cls/frozen_image_embedding")
    close(model.dynamic_visual_prompt_generator(frozen), "SD-VL-cls/dynamic_visual_prompts")
    close(model.dynamic_text_prompt_generator(frozen), "SD-VL-cls/dynamic_text_prompts")
    output = model(batch[0], CLASSES)
    for block, tokens in zip(model.feature_blocks, output.block_tokens, strict=True):
        expected = NUMBERS[f"SD-VL-cls/block{block}_tokens"][:, 1:]  # ours leaves the class token out
        np.testing.assert_allclose(tokens.detach().numpy(), expected, rtol=0, atol=2e-5)
    close(output.image_embedding, "SD-VL-cls/prompted_image_embedding")
    close(output.text_features, "SD-VL-cls/text_features")
    close(output.projected_embedding, "SD-VL-cls/projected_image_embedding")
    for index, patches in enumerate(output.patches):
        close(patches, f"SD-VL-cls/projected_patch_tokens{index}")
    for index, abnormal in enumerate(model.training_maps(output)):
        close(torch.stack([1 - abnormal, abnormal], dim=1), f"SD-VL-cls/train_map{index}")
    close(torch.stack([1 - output.score, output.score], dim=1), "SD-VL-cls/train_score")


def one_loss(model, batch, index):
    images, masks, labels = (part[index : index + 1] for part in batch)
    output = model(images, CLASSES[index : index + 1])
    return training_loss(output.score, model.training_maps(output), labels, masks).total


def test_loss_and_gradient_norms(backbone, batch):
    model = golden_model(backbone, "SD", "VL", fusion=False)
    for index in range(len(CLASSES)):
        model.zero_grad()
        loss = one_loss(model, batch, index)
        np.testing.assert_allclose(loss.item(), NUMBERS["SD-VL-cls/loss"][index], rtol=1e-5)
        loss.backward()
        got = {name: value.grad for name, value in model.named_parameters()}
        # Level 0 of the text branch is never used.
        assert got.pop("text_prompter.static_prompts.0") is None
        expected = {key.split("/", 2)[2] for key in NUMBERS.files if key.startswith(f"grad_norm/{index}/")}
        assert set(got) == expected
        for name, gradient in got.items():
            np.testing.assert_allclose(gradient.norm(), NUMBERS[f"grad_norm/{index}/{name}"], rtol=1e-2, atol=1e-8)


def test_three_steps_of_adamw(backbone, batch):
    model = golden_model(backbone, "SD", "VL", fusion=False)
    optimiser = torch.optim.AdamW(model.parameters(), lr=META["lr"], betas=(0.5, 0.999))
    for index in range(len(CLASSES)):
        optimiser.zero_grad()
        one_loss(model, batch, index).backward()
        optimiser.step()
    for name, value in model.named_parameters():
        np.testing.assert_allclose(value.detach().norm(), NUMBERS[f"after3steps_norm/{name}"], rtol=1e-3, err_msg=name)


def test_checkpoint_keys_are_the_released_ones(backbone):
    model = golden_model(backbone, "SD", "VL", fusion=True)
    assert sorted(PREFIX + key for key in model.state_dict()) == json.loads(str(NUMBERS["checkpoint_keys"]))


def test_backbone_has_the_keys_of_open_clip(backbone):
    assert sorted(backbone.clip.state_dict()) == json.loads(str(NUMBERS["clip_keys"]))


def test_released_layout_is_read_and_written(backbone, tmp_path):
    model = adaclip.AdaCLIP(backbone)
    adaclip.load_checkpoint(model, GOLDEN / "official_layout.pth")
    official = torch.load(GOLDEN / "official_layout.pth", weights_only=True)
    adaclip.save_checkpoint(model, tmp_path / "ours.pth")
    ours = torch.load(tmp_path / "ours.pth", weights_only=True)
    assert set(ours) == set(official)
    for key, value in official.items():
        assert ours[key].dtype == value.dtype
        torch.testing.assert_close(ours[key], value, rtol=0, atol=0)


def test_preprocessing():
    size = NUMBERS["preprocess/output"].shape[-1]
    image = adaclip.preprocess(Image.fromarray(NUMBERS["preprocess/input"]), size)
    np.testing.assert_allclose(image.numpy(), NUMBERS["preprocess/output"], rtol=0, atol=1e-6)
    mask = adaclip.preprocess_mask(Image.fromarray(NUMBERS["preprocess/mask_input"]), size)
    np.testing.assert_array_equal(mask.numpy(), NUMBERS["preprocess/mask_output"].astype(bool))


def test_drawing_depends_on_the_name():
    assert not torch.equal(draw("a", (3,)), draw("b", (3,)))
