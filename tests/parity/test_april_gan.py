"""APRIL-GAN against its published code, number by number; `drawn.py` says how weights are drawn."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import adaclip
from adaclip.clip.settings import BackboneSettings, Positions
from adaclip.methods.adaclip.card import CARD as ADACLIP
from adaclip.methods.april_gan.card import CARD
from adaclip.methods.april_gan.model import AprilGAN
from adaclip.methods.april_gan.sentences import both_states
from adaclip.methods.april_gan.settings import AprilGANTraining
from adaclip.methods.card import Card
from adaclip.methods.load import make_method, resolved
from adaclip.methods.losses import dice_loss
from adaclip.methods.stages import Shown, Stage
from adaclip.metrics.measures import PixelMetrics, image_metrics
from tests.parity.drawn import Golden, draw_state, write_clip_weights

pytestmark = pytest.mark.parity
FOLDER = Path(__file__).parents[1] / "golden" / "april_gan"
GOLDEN = Golden(FOLDER)
META, NUMBERS = GOLDEN.meta, GOLDEN.numbers
CLASSES, SIZE, NATIVE = META["classes"], META["size"], META["native"]
BLOCKS = tuple(META["feature_blocks"])
#: The method as published, but for the numerics, which are AdaCLIP's.
AS_ADACLIP = dataclasses.replace(CARD, reference=ADACLIP.reference)


def images(size: int = SIZE) -> torch.Tensor:
    drawn = np.random.default_rng(META["seed"]).standard_normal((len(CLASSES), 3, size, size))
    return torch.from_numpy(drawn.astype(np.float32))


def masks() -> torch.Tensor:
    drawn = np.random.default_rng(META["seed"] + 1).random((len(CLASSES), SIZE, SIZE)) > 0.8
    drawn[0] = False
    return torch.from_numpy(drawn.astype(np.float32))


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return write_clip_weights(tmp_path_factory.mktemp("weights") / "clip.pt", GOLDEN.config, META["salt"])


@pytest.fixture(scope="module")
def make(weights) -> Callable[..., AprilGAN]:
    """Makes the method with drawn parameters; `card` and `positions` change how it computes."""

    def made(size: int = SIZE, card: Card = CARD, positions: Positions | None = None, **settings: Any) -> AprilGAN:
        backbone = BackboneSettings(str(GOLDEN.config), str(weights), size, positions=positions)
        method = make_method(card, resolved(card, backbone, "reference"), settings)
        assert isinstance(method, AprilGAN)
        method.load_state_dict(draw_state(META["salt"], method.state_dict()))
        return method

    return made


def relative(actual: torch.Tensor, name: str, tolerance: float, index: int | None = None) -> None:
    expected = NUMBERS[name] if index is None else NUMBERS[name][index]
    found = actual.detach().numpy()
    assert found.shape == expected.shape, name
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=0, err_msg=name)


def shown(chosen: slice = slice(None), has_pixels: tuple[bool, ...] = (True, True, True)) -> Shown:
    return Shown(
        images()[chosen],
        masks()[chosen],
        torch.tensor([0.0, 1.0, 1.0])[chosen],
        torch.tensor(has_pixels)[chosen],
        CLASSES[chosen],
        {},
    )


def stage_of(method: AprilGAN, **settings: Any) -> Stage:
    [stage] = method.stages(AprilGANTraining(**settings))
    return stage


def output_of(method: AprilGAN, chosen: slice = slice(None)) -> Any:
    frozen = method.frozen(images()[chosen])
    return method([frozen[f"block{number}"] for number in BLOCKS], method.text(CLASSES[chosen]))


# Maps, scores and what is between. Each check is also run with AdaCLIP's numerics, where it must fail.


def check_map(make: Callable[..., AprilGAN], **options: Any) -> None:
    GOLDEN.close(make(**options).predict(images(), CLASSES).anomaly_map, "zero_shot/map")


def check_score(make: Callable[..., AprilGAN], **options: Any) -> None:
    GOLDEN.close(make(**options).predict(images(), CLASSES).anomaly_score, "zero_shot/score")


def check_other_blocks(make: Callable[..., AprilGAN], **options: Any) -> None:
    prediction = make(feature_blocks=META["other_blocks"], **options).predict(images(), CLASSES)
    GOLDEN.close(prediction.anomaly_map, "other_blocks/map")
    GOLDEN.close(prediction.anomaly_score, "other_blocks/score")


def check_native_size(make: Callable[..., AprilGAN], **options: Any) -> None:
    """At the model's own size the activation is another."""
    prediction = make(NATIVE, **options).predict(images(NATIVE), CLASSES)
    GOLDEN.close(prediction.anomaly_map, "native_quickgelu/map")
    GOLDEN.close(prediction.anomaly_score, "native_quickgelu/score")


def check_positions(make: Callable[..., AprilGAN], **options: Any) -> None:
    GOLDEN.close(make(**options).backbone.clip.visual.positional_embedding, "zero_shot/visual_positional_embedding")


def check_frozen(make: Callable[..., AprilGAN], **options: Any) -> None:
    frozen = make(**options).frozen(images())
    assert list(frozen) == [*(f"block{number}" for number in BLOCKS), "embedding"]
    GOLDEN.close(frozen["embedding"], "zero_shot/image_embedding")
    for number in BLOCKS:
        GOLDEN.close(frozen[f"block{number}"], f"zero_shot/block{number}_tokens")


def check_patches(make: Callable[..., AprilGAN], **options: Any) -> None:
    output = output_of(make(**options))
    for index in range(len(BLOCKS)):
        GOLDEN.close(output.patches[index], f"zero_shot/projected_patch_tokens{index}")
        GOLDEN.close(output.patch_logits[index], f"zero_shot/patch_logits{index}")


def check_losses(make: Callable[..., AprilGAN], **options: Any) -> None:
    """Of each block, for the batch and for every image by itself."""
    method = make(**options)
    focal, dice = method.pixel_losses(output_of(method).maps, masks())
    relative(focal, "train/batch_focal", 2e-5)
    relative(dice, "train/batch_dice", 2e-5)
    stage = stage_of(method)
    for index in range(len(CLASSES)):
        alone = slice(index, index + 1)
        focal, dice = method.pixel_losses(output_of(method, alone).maps, masks()[alone])
        relative(focal, "train/image_focal", 2e-5, index)
        relative(dice, "train/image_dice", 2e-5, index)
        total = torch.stack(list(stage.loss(shown(alone)).values())).sum()
        relative(total, "train/image_loss", 2e-5, index)


def check_gradients(make: Callable[..., AprilGAN], **options: Any) -> None:
    method = make(**options)
    stage = stage_of(method)
    for name, chosen in [("batch", slice(None)), *((str(i), slice(i, i + 1)) for i in range(len(CLASSES)))]:
        method.zero_grad()
        sum(stage.loss(shown(chosen)).values()).backward()
        expected = {key.split("/")[2] for key in NUMBERS.files if key.startswith(f"grad_norm/{name}/")}
        assert expected == {parameter for parameter, _ in method.named_parameters()}
        for parameter, value in method.named_parameters():
            relative(value.grad.norm(), f"grad_norm/{name}/{parameter}", 1e-3)


def check_three_steps(make: Callable[..., AprilGAN], **options: Any) -> None:
    """With the stage's own optimiser and loss, as they are by default."""
    method = make(**options)
    start = {name: value.detach().clone() for name, value in method.named_parameters()}
    stage = stage_of(method)
    optimiser = stage.optimiser(stage.parameters)
    losses = []
    for _ in range(META["steps"]):
        optimiser.zero_grad()
        parts = stage.loss(shown())
        assert list(parts) == ["focal", "dice"]
        loss = parts["focal"] + parts["dice"]
        losses.append(loss.detach())
        loss.backward()
        optimiser.step()
    relative(torch.stack(losses), "train/loss_per_step", 2e-5)
    for name, value in method.named_parameters():
        relative(value.norm(), f"after3steps_norm/{name}", 1e-3)
        relative((value - start[name]).norm(), f"after3steps_change_norm/{name}", 1e-3)


CHECKS = [value for name, value in list(globals().items()) if name.startswith("check_")]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_agrees(make, check):
    check(make)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_disagrees_with_the_preset_of_adaclip(make, check):
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check(make, card=AS_ADACLIP)


def test_without_antialiasing_one_gets_the_known_wrong_numbers(make):
    prediction = make(positions="bicubic").predict(images(), CLASSES)
    GOLDEN.close(prediction.anomaly_map, "diagnosis_no_antialias/map")
    GOLDEN.close(prediction.anomaly_score, "diagnosis_no_antialias/score")


def test_text(make):
    method = make()
    sentences = both_states(CLASSES[1])
    tokens = method.backbone.tokenize(sentences)
    np.testing.assert_array_equal(tokens.numpy(), NUMBERS["zero_shot/class1_tokens"])
    GOLDEN.close(method.backbone.encode_text(tokens), "zero_shot/class1_sentence_features")
    GOLDEN.close(method.text(CLASSES), "zero_shot/text_features")


def test_a_batch_gives_what_single_images_give(make):
    method = make()
    for index, name in enumerate(CLASSES):
        prediction = method.predict(images()[index : index + 1], [name])
        np.testing.assert_allclose(prediction.anomaly_map[0], NUMBERS["zero_shot/map"][index], rtol=0, atol=2e-5)
        np.testing.assert_allclose(prediction.anomaly_score[0], NUMBERS["zero_shot/score"][index], rtol=0, atol=2e-5)


def test_dice_by_rows_is_the_fault_that_one_image_a_batch_had(make):
    """The published code took Dice over rows of pixels where a batch has one image; ours takes it over images."""
    method = make()
    for index in range(len(CLASSES)):
        alone = slice(index, index + 1)
        maps = output_of(method, alone).maps
        focal, dice = method.pixel_losses(maps, masks()[alone])
        relative(focal, "train/one_image_row_dice_fault/focal", 2e-5, index)
        rows = torch.stack([dice_loss(block, masks()[alone], over="rows") for block in maps.unbind(dim=1)])
        relative(rows, "train/one_image_row_dice_fault/dice", 2e-5, index)
        assert (rows - dice).abs().max() > 1e-3


def test_the_defaults_are_those_of_the_golden_training():
    settings = AprilGANTraining()
    assert (settings.learning_rate, list(settings.betas), settings.weight_decay) == (META["lr"], META["betas"], 0)


def test_released_layout_is_read_and_written(make, tmp_path):
    method = make()
    adaclip.load_checkpoint(method, FOLDER / "official_layout.pth")
    adaclip.save_checkpoint(method, tmp_path / "ours.pth")
    [(group, official)] = torch.load(FOLDER / "official_layout.pth", weights_only=True).items()
    [(own_group, ours)] = torch.load(tmp_path / "ours.pth", weights_only=True).items()
    assert {own_group: {key: list(value.shape) for key, value in ours.items()}} == GOLDEN.json("checkpoint_keys")
    assert (own_group, list(ours)) == (group, list(official))
    assert isinstance(ours, OrderedDict)
    for key, value in official.items():
        assert ours[key].dtype == value.dtype
        torch.testing.assert_close(ours[key], value, rtol=0, atol=0)


def test_the_backbone_has_the_keys_of_the_published_one(make):
    assert sorted(make().backbone.clip.state_dict()) == GOLDEN.json("clip_keys")


def test_preprocessing():
    size = NUMBERS["preprocess/output"].shape[-1]
    image = adaclip.preprocess(Image.fromarray(NUMBERS["preprocess/input"]), size)
    np.testing.assert_allclose(image.numpy(), NUMBERS["preprocess/output"], rtol=0, atol=1e-6)
    mask = adaclip.preprocess_mask(Image.fromarray(NUMBERS["preprocess/mask_input"]), size)
    np.testing.assert_array_equal(mask.numpy(), NUMBERS["preprocess/mask_output"].astype(bool))


def test_metrics():
    expected = GOLDEN.json("metrics/json")
    image = image_metrics(NUMBERS["metrics/image_gt"], NUMBERS["metrics/image_pred"])
    assert image == pytest.approx(expected["image"], abs=1e-9)
    pixel = pixel_metrics()
    assert {name: pixel[name] for name in ("auroc", "f1_max", "ap")} == pytest.approx(
        {name: expected["pixel"][name] for name in ("auroc", "f1_max", "ap")}, abs=1e-9
    )


def pixel_metrics(fpr_limit: float = 0.3) -> dict[str, float]:
    meter = PixelMetrics(fpr_limit)
    meter.update(NUMBERS["metrics/gt"], NUMBERS["metrics/pred"])
    return meter.compute()


def published_thresholds() -> np.ndarray:
    scores = NUMBERS["metrics/pred"]
    return np.linspace(scores.min(), scores.max(), 200, endpoint=False, dtype=np.float32)


def test_aupro():
    """The published code reads the curve at 200 thresholds and ends at the last one whose false-positive rate is under
    0.3; ours is the exact area up to 0.3. With the same end the thresholds are all that differs.
    """
    expected = GOLDEN.json("metrics/json")["pixel"]["aupro"]
    assert pixel_metrics()["aupro"] == pytest.approx(expected, abs=5e-3)
    normal = NUMBERS["metrics/pred"][NUMBERS["metrics/gt"] == 0]
    rates = [float((normal > threshold).mean()) for threshold in published_thresholds()]
    last = max(rate for rate in rates if rate < 0.3)
    assert pixel_metrics(last)["aupro"] == pytest.approx(expected, abs=2e-4)
