"""APRIL-GAN: what it refuses, what it keeps, and what its training shows."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import adaclip
from adaclip.clip.settings import BackboneSettings
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.april_gan.card import CARD
from adaclip.methods.april_gan.model import AprilGAN
from adaclip.methods.april_gan.sentences import sentences
from adaclip.methods.april_gan.settings import AprilGANTraining
from adaclip.methods.registry import find_card
from adaclip.methods.stages import Shown
from adaclip.runs.checkpoint import load_model
from adaclip.runs.train import Source, train

NAMES = ["bolt", "metal_nut", "bolt"]
PATH = Path("released.pth")


def images(count: int = 3, side: int = 56) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def make(backbone: adaclip.Backbone, **settings: object) -> AprilGAN:
    torch.manual_seed(1)
    return AprilGAN(backbone, **settings).eval()  # type: ignore[arg-type]


def shown(has_pixels: list[bool], masks: torch.Tensor, **options: object) -> Shown:
    values = {"images": images(), "class_names": NAMES, "frozen": {}, **options}
    return Shown(masks=masks, labels=torch.ones(3), has_pixels=torch.tensor(has_pixels), **values)  # type: ignore[arg-type]


def test_the_card_is_read_without_torch():
    code = "import sys, adaclip.methods.registry as r; r.find_card('april_gan'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
    assert find_card("april_gan") is CARD


def test_the_published_backbone():
    backbone = CARD.backbone
    assert (backbone.model, backbone.pretrained, backbone.image_size) == ("ViT-L-14-336", "openai", 518)
    assert CARD.numerics("reference").of(backbone, 336).activation == "gelu"
    assert CARD.smoothing == 0


def test_sentences_have_the_name_as_it_is():
    normal, abnormal = sentences("Pipe_fryum-2")
    assert (len(set(normal)), len(set(abnormal))) == (245, 175)
    assert not set(normal) & set(abnormal)
    assert all("Pipe_fryum-2" in line for line in normal + abnormal)
    assert "this is one Pipe_fryum-2 without damage in the scene." in normal


@pytest.mark.parametrize("blocks", [[], [0, 1], [1, 1], [1, 99], [-1]])
def test_blocks_that_the_tower_does_not_have_are_refused(tiny, blocks):
    with pytest.raises(UsageError, match=r"feature_blocks \[.*\]: give different blocks from 1 to \d+, which tiny has"):
        AprilGAN(tiny, blocks)
    with pytest.raises(UsageError, match="feature_blocks"):
        adaclip.load_method("april_gan", "tiny", image_size=56, feature_blocks=blocks)


def test_layers_belong_to_blocks_by_depth(tiny):
    one, other = make(tiny, feature_blocks=[3, 1]), make(tiny, feature_blocks=(1, 3))
    assert one.feature_blocks == (1, 3)
    first, second = one.predict(images(), NAMES), other.predict(images(), NAMES)
    torch.testing.assert_close(first.anomaly_map, second.anomaly_map, rtol=0, atol=0)
    assert one.map_range == (0, 2)
    assert (first.anomaly_map.min() >= 0) & (first.anomaly_map.max() <= 2)


def test_an_image_gets_the_result_that_it_gets_alone(tiny):
    method = make(tiny)
    together = method.predict(images(), NAMES)
    for index, name in enumerate(NAMES):
        alone = method.predict(images()[index : index + 1], [name])
        torch.testing.assert_close(together.anomaly_map[index], alone.anomaly_map[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(together.anomaly_score[index], alone.anomaly_score[0], rtol=0, atol=1e-5)
    assert together.anomaly_map.std(dim=0).max() > 1e-3


def test_what_is_known_is_not_computed_again(tiny, monkeypatch):
    method = make(tiny)
    expected = method.predict(images(), NAMES)
    frozen, text = method.frozen(images()), method.text(NAMES)
    partly = method.predict(images(), NAMES, {"embedding": frozen["embedding"]}, text)
    monkeypatch.setattr(tiny, "walk", None)
    monkeypatch.setattr(tiny, "walk_text", None)
    known = method.predict(images(), NAMES, frozen, text)
    kept = method.predict(images(), NAMES, frozen)
    for found in (partly, known, kept):
        torch.testing.assert_close(found.anomaly_map, expected.anomaly_map, rtol=0, atol=1e-6)
        torch.testing.assert_close(found.anomaly_score, expected.anomaly_score, rtol=0, atol=1e-6)


def test_the_score_has_nothing_learned_in_it(tiny):
    method = make(tiny)
    before = method.predict(images(), NAMES)
    with torch.no_grad():
        for value in method.parameters():
            value.add_(torch.randn(value.shape, generator=torch.Generator().manual_seed(2)))
    after = method.predict(images(), NAMES)
    torch.testing.assert_close(before.anomaly_score, after.anomaly_score, rtol=0, atol=0)
    assert (before.anomaly_map - after.anomaly_map).abs().max() > 1e-3


def test_unequal_numbers_are_refused(tiny):
    with pytest.raises(UsageError, match="3 images but 1 category: give one for each image"):
        make(tiny).predict(images(), ["bolt"])


def test_the_stage_is_the_published_training(tiny):
    method = make(tiny)
    [stage] = method.stages(AprilGANTraining())
    assert (stage.epochs, stage.batch_size) == (15, 8)
    assert (stage.view.mask, stage.view.mosaic, stage.view.mosaic_probability) == ("bilinear", "replaces", 0.2)
    assert stage.view.mosaic_sets == ("mvtec",)
    optimiser = stage.optimiser(stage.parameters)
    assert type(optimiser) is torch.optim.Adam
    assert optimiser.defaults["betas"] == (0.5, 0.999)
    learned = {id(value) for value in optimiser.param_groups[0]["params"]}
    assert learned == {id(value) for value in method.parameters()}


@pytest.mark.parametrize("unmasked", ["zero", "skip"])
def test_images_without_masks_count_only_when_they_should(tiny, unmasked):
    method = make(tiny)
    [stage] = method.stages(AprilGANTraining(unmasked=unmasked))
    masks = (torch.rand(3, 56, 56, generator=torch.Generator().manual_seed(3)) > 0.5).float()
    other = masks.clone()
    other[1] = 0
    whole, changed = (stage.loss(shown([True, False, True], each)) for each in (masks, other))
    assert list(whole) == ["focal", "dice"]
    for part in whole:
        assert (abs(whole[part] - changed[part]) < 1e-6) == (unmasked == "skip"), part


def test_a_batch_without_any_mask_changes_nothing(tiny):
    method = make(tiny)
    [stage] = method.stages(AprilGANTraining(unmasked="skip"))
    loss = sum(stage.loss(shown([False] * 3, torch.zeros(3, 56, 56))).values())
    assert isinstance(loss, torch.Tensor)
    assert loss.item() == 0
    loss.backward()
    assert all(not value.grad.any() for value in method.parameters())


def test_stored_patches_give_the_same_loss_and_only_layers_a_gradient(tiny, monkeypatch):
    method = make(tiny)
    [stage] = method.stages(AprilGANTraining())
    masks = torch.zeros(3, 56, 56)
    masks[:, 10:30, 20:40] = 1
    expected = stage.loss(shown([True] * 3, masks))
    frozen = method.frozen(images())
    monkeypatch.setattr(tiny, "walk", None)
    found = stage.loss(shown([True] * 3, masks, frozen=frozen))
    for part in expected:
        torch.testing.assert_close(found[part], expected[part], rtol=1e-5, atol=0)
    sum(found.values()).backward()
    assert all(value.grad.abs().sum() > 0 for value in method.parameters())
    assert all(value.grad is None for value in tiny.parameters())


def test_layers_and_loss_stay_in_fp32_under_autocast(tiny):
    method = make(tiny)
    [stage] = method.stages(AprilGANTraining())
    batch = shown([True] * 3, torch.zeros(3, 56, 56), frozen=method.frozen(images()))
    expected = stage.loss(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = make(tiny).stages(AprilGANTraining())[0].loss(batch)
    for part in expected:
        torch.testing.assert_close(found[part], expected[part], rtol=0, atol=0)


def test_released_files_go_there_and_back(tiny):
    method = make(tiny)
    content = method.to_released(method.state_dict())
    assert AprilGAN.settings_of_released(content, PATH) == {}
    state = make(tiny).from_released(content, PATH)
    assert list(state) == [f"fc.{index}.{name}" for index in range(4) for name in ("weight", "bias")]
    assert all(torch.equal(state[name], value) for name, value in method.state_dict().items())


@pytest.mark.parametrize(
    "content",
    [
        {"clip_model.patch_token_layer.head.0.weight": torch.zeros(2, 2)},
        {"prompt_learner": {"ctx_pos": torch.zeros(2)}},
        {"trainable_linearlayer": {"visual.conv1.weight": torch.zeros(2)}},
        {"trainable_linearlayer": {"fc.0.weight": "text"}},
        {"trainable_linearlayer": None},
        [torch.zeros(2)],
        {},
    ],
    ids=["adaclip", "prompts", "other_layers", "text", "nothing", "list", "empty"],
)
def test_other_files_are_refused_in_one_line(tiny, content):
    for read in (make(tiny).from_released, AprilGAN.settings_of_released):
        with pytest.raises(AdaclipError, match=r"^released\.pth is not in .*released layout") as caught:
            read(content, PATH)
        assert "\n" not in str(caught.value)


def test_another_number_of_blocks_is_refused(tiny):
    content = make(tiny, feature_blocks=[2, 4]).to_released(make(tiny, feature_blocks=[2, 4]).state_dict())
    with pytest.raises(
        AdaclipError,
        match=r"^released\.pth has 2 linear layers, but 4 feature blocks \(2, 4, 6, 8\) are read: give feature_blocks",
    ):
        make(tiny).from_released(content, PATH)


def trained(manifest: Path, out: Path, **options: object) -> tuple[AprilGAN, list[dict[str, str]]]:
    settings = AprilGANTraining(epochs=3, batch_size=4, mosaic_sets=("toy",), mosaic_probability=0.3)
    train(
        "run",
        "april_gan",
        BackboneSettings("tiny", image_size=56, activation="gelu", positions="bicubic_antialias"),
        CARD.settings(),
        settings,
        seed=0,
        auxiliary=[Source(manifest)],
        choose=None,
        out=out / "checkpoint.safetensors",
        history=out / "history.csv",
        cost=out / "cost.json",
        device=torch.device("cpu"),
        **options,  # type: ignore[arg-type]
    )
    method, provenance = load_model(out / "checkpoint.safetensors")
    assert isinstance(method, AprilGAN)
    assert provenance["method"] == "april_gan"
    with (out / "history.csv").open() as stream:
        return method, list(csv.DictReader(stream))


def test_it_is_trained_by_the_one_loop_with_or_without_kept_features(prepared, tmp_path):
    manifest = prepared("toy")
    method, history = trained(manifest, tmp_path / "plain")
    assert {"loss_focal", "loss_dice"} < history[0].keys()
    losses = [float(row["loss"]) for row in history]
    assert losses[2] < losses[0]
    kept, same = trained(manifest, tmp_path / "kept", cache=1.0)
    assert [float(row["loss"]) for row in same] == pytest.approx(losses, rel=1e-5)
    for name, value in method.state_dict().items():
        torch.testing.assert_close(kept.state_dict()[name], value, rtol=0, atol=1e-5)


def test_a_released_file_is_loaded_like_any_other(tiny, tmp_path):
    method, path = make(tiny), tmp_path / "released.pth"
    adaclip.save_checkpoint(method, path)
    found, provenance = load_model(path, backbone=tiny.settings, method="april_gan")
    assert provenance == {}
    assert all(torch.equal(found.state_dict()[name], value) for name, value in method.state_dict().items())
    two, path = make(tiny, feature_blocks=(2, 4)), tmp_path / "two.pth"
    adaclip.save_checkpoint(two, path)
    with pytest.raises(AdaclipError, match=r"two\.pth has 2 linear layers, but 4 feature blocks"):
        load_model(path, backbone=tiny.settings, method="april_gan")
    found, _ = load_model(path, backbone=tiny.settings, method="april_gan", settings={"feature_blocks": [2, 4]})
    assert isinstance(found, AprilGAN)
    assert found.feature_blocks == (2, 4)
