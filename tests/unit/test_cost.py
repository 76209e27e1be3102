"""The estimate of what a target costs."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import pytest

import adaclip.plan.cost
from adaclip.data.registry import load_registry
from adaclip.methods.registry import find_card
from adaclip.plan.config import load_config, parse_config
from adaclip.plan.cost import Cost, count_images, estimate, planned_jobs
from adaclip.plan.resolve import make_plan
from adaclip.system.files import write_json

ROOT = Path(__file__).parents[2]
BASE = {
    "backbones": {"large": {"model": "ViT-L-14-336", "image_size": 518}},
    "runtime": {"device": "cuda"},
    "experiments": {
        "main": {"auxiliary": ["mvtec", "colondb"], "evaluate": ["isic"], "train": {"epochs": 3}, "seeds": [0, 1]},
        "chosen": {"auxiliary": ["mvtec"], "evaluate": ["isic"], "train": {"epochs": 3, "selection": "visa"}},
        "untrained": {"method": "untrained", "evaluate": ["isic"]},
        "clip": {"method": "clip_adaclip_prompts", "evaluate": ["isic"]},
        "oracle": {"method": "oracle", "evaluate": ["isic"]},
    },
}
IMAGES = {"mvtec": 100, "colondb": 20, "isic": 7, "visa": 11}
RATES = {
    "gpu": {
        "start": 5,
        "sources": ["somewhere"],
        "models": [
            {"model": "ViT-L-14-336", "image_size": 518, "features": [1, 2], "evaluate": [3, 4], "train": [10, 20]}
        ],
    },
    "cpu": {
        "start": 0,
        "sources": [],
        "models": [{"model": "tiny", "image_size": 112, "features": [1, 1], "evaluate": [1, 1], "train": [1, 1]}],
    },
}


@pytest.fixture(autouse=True)
def _rates(monkeypatch):
    monkeypatch.setattr(adaclip.plan.cost, "_rates", lambda: RATES)


def plan_of(**changes):
    config = parse_config({**copy.deepcopy(BASE), **changes}, "c")
    return make_plan(config, load_registry())


def test_jobs_cost_their_images():
    plan = plan_of()
    cost = estimate(plan, IMAGES, [*planned_jobs(plan), ("tables", {}), ("prepare", {"set": "isic"})])
    assert cost.jobs == {"features": 4, "train": 4, "evaluate": 4, "baseline": 2, "tables": 1, "prepare": 1}
    low = {
        "features": 4 * 5 + (100 + 20 + 7 + 11) * 1,
        "train": 4 * 5 + 2 * 3 * 120 * 10 + 3 * 100 * 10 + 3 * 11 * 3,
        "evaluate": 4 * 5 + 4 * 7 * 3,
        "baseline": 5 + 7 * 3,
    }
    high = {
        "features": 4 * 5 + (100 + 20 + 7 + 11) * 2,
        "train": 4 * 5 + 2 * 3 * 120 * 20 + 3 * 100 * 20 + 3 * 11 * 4,
        "evaluate": 4 * 5 + 4 * 7 * 4,
        "baseline": 5 + 7 * 4,
    }
    assert cost.seconds == {rule: (low[rule], high[rule]) for rule in low}
    untrained = (2 * 5 + 7 * 3, 2 * 5 + 7 * 4)  # its checkpoint is written, and evaluated
    assert cost.methods["stored features"] == cost.seconds["features"]
    assert cost.methods["AdaCLIP, untrained"] == untrained
    assert cost.methods["CLIP, AdaCLIP's prompts"] == cost.seconds["baseline"]
    for end in (0, 1):
        assert sum(span[end] for span in cost.methods.values()) == sum(span[end] for span in cost.seconds.values())
    assert cost.device == "GPU"


def test_a_method_costs_the_passes_of_its_card():
    trained = {"auxiliary": ["mvtec"], "evaluate": ["isic"], "train": {"epochs": 3}}
    plan = plan_of(
        experiments={
            "winclip": {"method": "winclip", "evaluate": ["isic"]},
            "clip": {"method": "clip", "evaluate": ["isic"]},
            "april": {"method": "april_gan", **trained},
            "anomaly": {"method": "anomalyclip", **trained, "train": {"epochs": 3, "selection": "visa"}},
        }
    )
    cost = estimate(plan, IMAGES, planned_jobs(plan))
    # A frozen vision tower: an image of a training costs what one of an evaluation does, and a job starts for each.
    assert cost.methods == {
        "WinCLIP": pytest.approx((5 + 12.4 * 7 * 3, 5 + 12.4 * 7 * 4)),
        "CLIP": (5 + 7 * 3, 5 + 7 * 4),
        "APRIL-GAN": (10 + (3 * 100 + 7) * 3, 10 + (3 * 100 + 7) * 4),
        "AnomalyCLIP": (10 + 1.25 * (3 * 111 + 7) * 3, 10 + 1.25 * (3 * 111 + 7) * 4),
    }
    assert (
        "cost: by method: APRIL-GAN 0.26 to 0.34; AnomalyCLIP 0.36 to 0.47; WinCLIP 0.074 to 0.098; "
        "CLIP 0.0072 to 0.0092"
    ) in cost.lines()


def test_passes_are_what_the_arithmetic_of_the_published_backbones_says():
    def block(tokens, width):
        return 12 * tokens * width**2 + 2 * tokens**2 * width

    # ViT-B-16-plus-240: 15 x 15 patches, width 896.
    windows = 14**2 * block(1 + 2**2, 896) + 13**2 * block(1 + 3**2, 896)
    assert find_card("winclip").passes == pytest.approx(1 + windows / block(1 + 15**2, 896), abs=0.05)
    # ViT-L-14-336 at 518 px: 37 x 37 patches, width 1024. V-V attention has values and an out-projection, but no MLP.
    tokens, width = 1 + 37**2, 1024
    beside = 2 * tokens * width**2 + 2 * tokens**2 * width
    assert find_card("anomalyclip").passes == pytest.approx(1 + 19 * beside / (24 * block(tokens, width)), abs=0.005)
    layers = 4 * 37**2 * width * 768
    assert find_card("april_gan").passes == pytest.approx(1 + layers / (24 * block(tokens, width)), abs=0.01)


def test_another_backbone_is_scaled_by_its_arithmetic():
    plan = plan_of()
    smaller = plan_of(backbones={"large": {"model": "ViT-L-14-336", "image_size": 252}})
    jobs = [("evaluate", {"run": "main", "seed": "0", "set": "isic"})]
    full, less = (estimate(p, IMAGES, jobs).seconds["evaluate"][0] - 5 for p in (plan, smaller))
    tokens, fewer = 37**2 + 1, 18**2 + 1
    assert less / full == pytest.approx(
        (12 * fewer * 1024**2 + 2 * fewer**2 * 1024) / (12 * tokens * 1024**2 + 2 * tokens**2 * 1024)
    )


def test_a_cpu_has_rates_of_its_own():
    plan = plan_of(runtime={"device": "cpu"}, backbones={"large": {"model": "tiny", "image_size": 112}})
    cost = estimate(plan, IMAGES, [("features", {"backbone": "large", "set": "isic"})])
    assert (cost.device, cost.seconds["features"]) == ("CPU", (7, 7))


def test_prepared_sets_are_counted_and_others_expected(tmp_path):
    plan = plan_of(data=str(tmp_path))
    counts = {"test": {"normal": 3, "anomalous": 4}, "train": {"normal": 50, "anomalous": 0}}
    write_json(tmp_path / "prepared" / "isic" / "prepared.json", {"counts": counts})
    assert count_images(plan, {"mvtec": {"normal": 467, "anomalous": 1258}}) == {
        "mvtec": 1725,
        "visa": 0,
        "colondb": 0,
        "isic": 7,
    }


def test_what_is_printed():
    cost = Cost(
        {"train": 2, "evaluate": 3, "tables": 1},
        {"train": (3600, 7200), "evaluate": (360, 360)},
        {"AdaCLIP": (3960, 7560)},
        "GPU",
        ("x",),
    )
    assert cost.lines() == [
        "cost: 6 jobs: 2 train, 3 evaluate, 1 others",
        "cost: about 1.1 to 2.1 GPU-hours (training 1 to 2, evaluation 0.1)",
        "cost: by method: AdaCLIP 1.1 to 2.1",
        "cost: x",
    ]
    assert Cost({"tables": 1}, {}, {}, "GPU", ("x",)).lines() == ["cost: 1 jobs: 1 others"]


@pytest.mark.parametrize("name", ["paper", "demo"])
def test_the_shipped_configurations_have_a_price_that_names_its_sources(name, monkeypatch):
    monkeypatch.undo()
    config = load_config(ROOT / "config" / f"{name}.yaml")
    registry = load_registry(config.datasets)
    plan = make_plan(config, registry)
    cost = estimate(plan, dict.fromkeys(plan.sets, 100), planned_jobs(plan))
    assert set(cost.seconds) == {"features", "train", "evaluate", "baseline"}
    assert all(0 < low <= high for low, high in cost.seconds.values())
    assert cost.sources


def test_counting_costs_no_torch():
    code = (
        "import sys; from adaclip.cli import main; "
        f"assert main(['check', {str(ROOT / 'config' / 'paper.yaml')!r}]) == 0; assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "GPU-hours" in done.stdout


@pytest.mark.parametrize("name", ["paper", "released"])
def test_the_readme_has_the_hours_of_a_whole_configuration(name, monkeypatch):
    monkeypatch.undo()
    config = load_config(ROOT / "config" / f"{name}.yaml")
    registry = load_registry(config.datasets)
    plan = make_plan(config, registry)
    images = count_images(plan, {dataset: registry[dataset].test for dataset in plan.sets})
    [hours] = [line for line in estimate(plan, images, planned_jobs(plan)).lines() if "GPU-hours" in line]
    said = hours.removeprefix("cost: about ").partition(" GPU-hours")[0]
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert (f"| everything, three seeds | 2,456 | {said} |" if name == "paper" else f"{said} GPU-hours") in text
