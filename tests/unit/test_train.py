"""Training: equal seeds give equal checkpoints, and what fails leaves no file."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

import adaclip
from adaclip.clip.settings import BackboneSettings
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.adaclip.settings import AdaCLIPSettings, AdaCLIPTraining
from adaclip.metrics.settings import EvaluateSettings
from adaclip.runs.checkpoint import read_metadata
from adaclip.runs.device import computing
from adaclip.runs.features import compute_features
from adaclip.runs.selection import Selection
from adaclip.runs.train import HEAD, LAST, Source, train

TINY = BackboneSettings("tiny", image_size=32)
MODEL = AdaCLIPSettings(prompt_depth=2, prompt_length=2, clusters=2)
FAST = AdaCLIPTraining(epochs=2, batch_size=4, mosaic_sets=("toy",), mosaic_probability=0.5)
CPU = torch.device("cpu")


@pytest.fixture
def source(prepared, tmp_path):
    def make(name: str, **options: object) -> Source:
        manifest = prepared(name, **options)
        features = tmp_path / "features" / f"{name}.safetensors"
        compute_features(TINY, manifest, features, device=CPU)
        return Source(manifest, features)

    return make


def run(out: Path, sources, settings: AdaCLIPTraining = FAST, **options):
    arguments = {
        "method": "adaclip",
        "model": MODEL,
        "seed": 0,
        "workers": 0,
        **options,
    }
    checkpoint = out / arguments.pop("file", "checkpoint.safetensors")
    selection = arguments.pop("selection", None)
    if selection is not None:
        selection = Selection(
            selection.manifest, selection.features, TINY, EvaluateSettings(smoothing=1.0, size=32, protocol="common")
        )
    train(
        "run",
        arguments.pop("method"),
        TINY,
        arguments.pop("model"),
        settings,
        auxiliary=sources,
        choose=selection,
        out=checkpoint,
        history=out / "history.csv",
        cost=out / "cost.json",
        device=CPU,
        **arguments,
    )
    return checkpoint


def test_writes_checkpoint_history_and_cost(source, tmp_path):
    path = run(tmp_path / "out", [source("toy"), source("other", categories=("nut", "pill"))])
    model, provenance = adaclip.load_model(path)
    assert model.settings == MODEL
    assert provenance == {
        "run": "run",
        "method": "adaclip",
        "seed": 0,
        "auxiliary": ["toy", "other"],
        "selection": None,
        "selected_epoch": None,
        "train": {**dataclasses.asdict(FAST), "betas": [0.5, 0.999], "mosaic_sets": ["toy"]},
        "steps": 2 * 5,  # 18 images in batches of 4
    }
    with (tmp_path / "out" / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == (*HEAD, "loss_image", "loss_focal", "loss_dice", LAST)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    for row in rows:
        assert row["images"] == "18"
        parts = [float(row[name]) for name in ("loss_image", "loss_focal", "loss_dice")]
        assert float(row["loss"]) == pytest.approx(sum(parts), rel=1e-5)
        assert row["selection_pixel_f1_max"] == ""
    cost = json.loads((tmp_path / "out" / "cost.json").read_text())
    assert cost["steps"] == 10
    assert cost["seconds"] > 0
    assert cost["device"].startswith("CPU")
    assert cost["peak_gpu_bytes"] is None


def test_learns_where_defects_are(source, tmp_path):
    toy = source("toy", normal=4, anomalous=6)
    settings = AdaCLIPTraining(epochs=6, batch_size=2, mosaic_probability=0.0)
    run(tmp_path / "out", [toy], settings)
    losses = [float(row["loss"]) for row in csv.DictReader((tmp_path / "out" / "history.csv").open())]
    assert losses[-1] < 0.7 * losses[0]


def test_equal_seeds_equal_bytes_whatever_decodes(source, tmp_path):
    toy = source("toy")
    torch.manual_seed(5)
    first = run(tmp_path / "a", [toy]).read_bytes()
    torch.manual_seed(6)  # the state of the caller's generator has no say
    assert run(tmp_path / "b", [toy]).read_bytes() == first
    assert run(tmp_path / "c", [toy], workers=2).read_bytes() == first
    assert run(tmp_path / "d", [toy], seed=1).read_bytes() != first
    history = (tmp_path / "a" / "history.csv").read_bytes()
    assert (tmp_path / "c" / "history.csv").read_bytes() == history


def test_untrained_is_what_training_starts_from(source, tmp_path):
    toy = source("toy")
    untrained = adaclip.load_model(run(tmp_path / "a", [], method="untrained"))[0].state_dict()
    frozen = dataclasses.replace(FAST, learning_rate=0.0, weight_decay=0.0)
    start = adaclip.load_model(run(tmp_path / "b", [toy], frozen))[0].state_dict()
    for name, value in untrained.items():
        assert torch.equal(start[name], value)
    provenance = read_metadata(tmp_path / "a" / "checkpoint.safetensors")["provenance"]
    assert provenance["auxiliary"] == []
    assert provenance["train"] is None
    assert (tmp_path / "a" / "history.csv").read_text().splitlines() == [",".join((*HEAD, LAST))]


def test_a_loss_that_is_not_finite_ends_with_a_clear_error_and_no_file(source, tmp_path):
    settings = dataclasses.replace(FAST, learning_rate=1e38)
    with pytest.raises(AdaclipError, match=r"loss is not finite at epoch 1, step \d+: nothing was saved") as caught:
        run(tmp_path / "out", [source("toy")], settings)
    assert "learning_rate (now 1e+38)" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_parameters_that_the_last_step_broke_are_not_saved(source, tmp_path):
    """The loss of the last step was still finite."""
    settings = dataclasses.replace(FAST, learning_rate=1e38, epochs=1, batch_size=6)
    with pytest.raises(AdaclipError, match="is not finite"):
        run(tmp_path / "out", [source("toy")], dataclasses.replace(settings, learning_rate=float("inf")))
    assert not (tmp_path / "out").exists()


def test_selection_keeps_the_best_epoch_and_marks_it(source, tmp_path, monkeypatch):
    toy, chosen = source("toy"), source("chosen", categories=("nut",))
    settings = dataclasses.replace(FAST, epochs=4, selection="chosen")
    values = iter([0.2, 0.6, 0.6, 0.4])
    states = []

    def judge(model, *arguments, **options):
        assert not model.training
        states.append({name: value.clone() for name, value in model.state_dict().items()})
        return next(values)

    monkeypatch.setattr("adaclip.runs.selection.pixel_f1_max", judge)
    path = run(tmp_path / "out", [toy], settings, selection=chosen)
    provenance = read_metadata(path)["provenance"]
    assert provenance["selection"] == "chosen"
    assert provenance["selected_epoch"] == 2  # of two equal ones the earlier
    state = adaclip.load_model(path)[0].state_dict()
    for name, value in states[1].items():
        assert torch.equal(state[name], value)
    assert any(not torch.equal(states[3][name], value) for name, value in states[1].items())
    rows = list(csv.DictReader((tmp_path / "out" / "history.csv").open()))
    assert [float(row["selection_pixel_f1_max"]) for row in rows] == [0.2, 0.6, 0.6, 0.4]


def test_selection_is_measured_on_the_selection_set(source, tmp_path):
    toy, chosen = source("toy"), source("chosen", categories=("nut",))
    path = run(tmp_path / "out", [toy], dataclasses.replace(FAST, selection="chosen"), selection=chosen)
    values = [float(row["selection_pixel_f1_max"]) for row in csv.DictReader((tmp_path / "out" / "history.csv").open())]
    assert all(0 < value <= 1 for value in values)
    best = read_metadata(path)["provenance"]["selected_epoch"]
    assert values[best - 1] == max(values)


def test_training_itself_does_not_depend_on_selection(source, tmp_path):
    toy, chosen = source("toy"), source("chosen", categories=("nut",))
    settings = dataclasses.replace(FAST, epochs=1)
    without = adaclip.load_model(run(tmp_path / "a", [toy], settings))[0].state_dict()
    selecting = dataclasses.replace(settings, selection="chosen")
    selected = adaclip.load_model(run(tmp_path / "b", [toy], selecting, selection=chosen))[0].state_dict()
    assert all(torch.equal(selected[name], value) for name, value in without.items())


@pytest.mark.parametrize(
    ("settings", "selection", "words"),
    [
        (dataclasses.replace(FAST, selection="toy"), "toy", "'toy' is part of the auxiliary data"),
        (dataclasses.replace(FAST, selection="labels"), "labels", "cannot select on 'labels'"),
        (dataclasses.replace(FAST, selection="labels"), None, "its manifest must be given"),
        (FAST, "toy", "its manifest must not be given"),
    ],
)
def test_wrong_selections(source, tmp_path, settings, selection, words):
    sources = {"toy": source("toy"), "labels": source("labels", masks=False, labels=["image"])}
    with pytest.raises(AdaclipError, match=words):
        run(tmp_path / "out", [sources["toy"]], settings, selection=sources.get(selection))
    assert not (tmp_path / "out").exists()


def test_images_without_masks_count_as_empty_or_not_at_all(source, tmp_path):
    plain, masked = source("plain", masks=False, labels=["image"]), source("toy")
    losses = {}
    for unmasked in ("zero", "skip"):
        settings = dataclasses.replace(FAST, epochs=1, batch_size=1, unmasked=unmasked)
        run(tmp_path / unmasked, [plain, masked], settings)
        [losses[unmasked]] = csv.DictReader((tmp_path / unmasked / "history.csv").open())
    assert float(losses["zero"]["loss_dice"]) > float(losses["skip"]["loss_dice"])
    assert float(losses["skip"]["loss_image"]) > 0


def test_a_checkpoint_that_cannot_hold_its_settings_is_refused_before_training(tmp_path):
    # Without data, so that it would fail otherwise if it came to that.
    with pytest.raises(UsageError, match=r"mine\.pth: end its name in \.safetensors"):
        run(tmp_path / "out", [], file="mine.pth")


def test_nothing_to_train_on(tmp_path):
    with pytest.raises(UsageError, match="no auxiliary data"):
        run(tmp_path / "out", [])


def test_features_of_another_set_are_refused(source, tmp_path):
    toy, other = source("toy"), source("other")
    with pytest.raises(AdaclipError, match="computed for another manifest"):
        run(tmp_path / "out", [Source(toy.manifest, other.features)])


def test_bfloat16_trains(source, tmp_path):
    toy = source("toy")
    half = adaclip.load_model(run(tmp_path / "a", [toy], dataclasses.replace(FAST, precision="bf16")))[0].state_dict()
    full = adaclip.load_model(run(tmp_path / "b", [toy]))[0].state_dict()
    assert all(value.dtype == torch.float32 for value in half.values())
    assert any(not torch.equal(half[name], value) for name, value in full.items())
    rows = {key: list(csv.DictReader((tmp_path / key / "history.csv").open())) for key in "ab"}
    for a, b in zip(rows["a"], rows["b"], strict=True):
        assert math.isclose(float(a["loss"]), float(b["loss"]), rel_tol=0.1)


def test_half_precision_on_a_cpu_is_refused(source, tmp_path):
    with pytest.raises(UsageError, match="fp16 needs a GPU: use bf16 or fp32 on a CPU"):
        run(tmp_path / "out", [source("toy")], dataclasses.replace(FAST, precision="fp16"))
    with pytest.raises(UsageError, match="fp16"), computing(CPU, "fp16"):
        pass


def test_the_loss_is_measured_in_full_precision(source, tmp_path, monkeypatch):
    from adaclip.methods.adaclip import model as module

    seen = []
    original = module.training_loss

    def loss(score, maps, *arguments):
        seen.extend([score.dtype, *(block.dtype for block in maps)])
        return original(score, maps, *arguments)

    monkeypatch.setattr(module, "training_loss", loss)
    run(tmp_path / "out", [source("toy")], dataclasses.replace(FAST, precision="bf16", epochs=1))
    assert set(seen) == {torch.float32}


def test_frozen_projections_stay_as_they_were_drawn(source, tmp_path):
    toy = source("toy")
    start = adaclip.load_model(run(tmp_path / "a", [], method="untrained"))[0].state_dict()
    frozen = dataclasses.replace(FAST, epochs=1, freeze_projections=True)
    state = adaclip.load_model(run(tmp_path / "b", [toy], frozen))[0].state_dict()
    same = {name for name, value in start.items() if torch.equal(state[name], value)}
    # Level 0 of the text branch is never used.
    assert same == {name for name in start if "token_layer" in name} | {"text_prompter.static_prompts.0"}
