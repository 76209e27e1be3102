"""The paper is planned whole, with nothing downloaded: every experiment, shared jobs, zero-shot only, and its cost."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from adaclip.cli import main
from adaclip.data.registry import load_registry
from adaclip.plan.config import load_config
from adaclip.plan.resolve import make_plan, plan_document, targets

pytestmark = pytest.mark.workflow

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "config" / "paper.yaml"
MASKED = ("mvtec", "visa", "mpdd", "btad", "ksdd", "dagm", "dtd", "isic", "colondb", "clinicdb", "tn3k")


def dry_run(folder: Path, *words: str) -> str:
    return snakemake(folder, "--dry-run", "--printshellcmds", *words)


def snakemake(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(folder), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def jobs(text: str) -> Counter[tuple[str, str]]:
    """(rule, wildcards) of every job that a dry run names."""
    found: Counter[tuple[str, str]] = Counter()
    for block in re.split(r"\n(?=(?:local)?rule )", text):
        rule = re.match(r"(?:local)?rule (\w+):", block)
        if rule:
            wildcards = re.search(r"\n    wildcards: (.*)", block)
            found[rule.group(1), wildcards.group(1) if wildcards else ""] += 1
    return found


@pytest.fixture(scope="module")
def plan():
    config = load_config(PAPER)
    return make_plan(config, load_registry(config.datasets))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return dry_run(tmp_path_factory.mktemp("paper"))


def test_every_job_of_every_experiment_is_planned_once(plan, whole):
    found = jobs(whole)
    assert set(found.values()) == {1}
    trained = {f"run={run}, seed={seed}" for run, seed, _ in plan.evaluations() if run in plan.trained_runs()}
    evaluated = {f"run={run}, seed={seed}, set={name}" for run, seed, name in plan.evaluations()}
    assert {wildcards for rule, wildcards in found if rule == "train"} == trained
    assert {wildcards for rule, wildcards in found if rule in ("evaluate", "baseline")} == evaluated
    assert {wildcards for rule, wildcards in found if rule == "prepare"} == {f"set={name}" for name in plan.sets}
    features = [wildcards for rule, wildcards in found if rule == "features"]
    assert len(features) == len(set(features)) == 3 * 14


def test_the_plan_is_read_by_people(tmp_path, whole):
    said = snakemake(tmp_path, "--dry-run").splitlines()
    assert len(said) < 60
    assert [line for line in said if line.split() == ["total", str(sum(jobs(whole).values()))]] != []
    assert sum(line.startswith("Job stats:") for line in said) == 1
    assert any(line.startswith("cost: about ") for line in said)


def test_the_plan_that_is_written_names_the_runs_that_are_planned(plan, tmp_path):
    snakemake(tmp_path, "--cores", "1", "results/paper/plan.json")
    written = tmp_path / "results" / "paper" / "plan.json"
    document = json.loads(written.read_text())
    assert {experiment["name"]: experiment["run"] for experiment in document["experiments"]} == plan.run_of
    part = tmp_path / "part.json"
    words = [
        "part",
        "table_4",
        "--plan",
        str(written),
        "--root",
        "..",
        "--out",
        str(part),
    ]
    assert main(words) == 0
    assert {experiment["run"] for experiment in json.loads(part.read_text())["experiments"]} == {
        f"{name}_{auxiliary}" for name in ("main", "no_fusion") for auxiliary in ("mvtec+colondb", "visa+clinicdb")
    }


def test_the_cost_is_printed_with_its_source(whole):
    assert re.search(r"cost: \d+ jobs: 42 features, \d+ train, \d+ evaluate, \d+ baseline", whole)
    assert re.search(r"cost: about \d+ to \d+ GPU-hours", whole)
    assert "not measured here" in whole


def test_no_set_is_evaluated_that_was_trained_on(plan):
    for run, _, name in plan.evaluations():
        assert name not in plan.runs[run].experiment.auxiliary


def test_main_serves_all_sets_and_is_trained_once(plan):
    shared = ("main", "prompts_SD", "backbone_large", "branch_VL", "clusters_20", "depth_4", "length_5")
    for auxiliary in ("mvtec+colondb", "visa+clinicdb"):
        runs = {plan.run_of[f"{name}_{auxiliary}"] for name in (*shared, "preset_reference", "precision_fp32")}
        assert runs == {f"main_{auxiliary}"}
    served = [name for part in ("mvtec+colondb", "visa+clinicdb") for name in plan.evaluated[f"main_{part}"]]
    assert sorted(served) == sorted(plan.sets)
    # AnomalyCLIP's protocol, Table 5 and the transfer matrix share theirs.
    assert plan.run_of["one_auxiliary_mvtec"] == plan.run_of["transfer_mvtec"] == plan.run_of["industrial_only_mvtec"]


def test_the_transfer_matrix_is_full(plan):
    for name in MASKED:
        assert plan.evaluated[f"transfer_{name}"] == tuple(other for other in plan.sets if other != name)
    assert f"transfer_{'headct'}" not in plan.run_of


def test_the_papers_settings(plan):
    paper = plan.runs["main_mvtec+colondb"].experiment
    backbone = plan.computed["main_mvtec+colondb"]
    assert (backbone.model, backbone.pretrained, backbone.image_size) == ("ViT-L-14-336", "openai", 518)
    assert (paper.preset, backbone.activation, backbone.positions) == ("reference", "gelu", "bicubic")
    other = plan.computed["preset_corrected_mvtec+colondb"]
    assert (other.activation, other.positions) == ("as_trained", "bicubic_antialias")
    assert (paper.train.epochs, paper.train.batch_size, paper.train.learning_rate, paper.train.betas) == (
        5,
        1,
        0.01,
        (0.5, 0.999),
    )
    assert (paper.model.prompt_depth, paper.model.prompt_length, paper.model.clusters) == (4, 5, 20)
    assert paper.seeds == (0, 1, 2)
    assert paper.train.selection is None


def test_every_table_and_figure_of_the_paper_is_asked_for(plan):
    document = plan_document(plan, {name: {} for name in plan.sets})
    asked = {"fig_5", "transfer", "transfer_domains", "presets", "precision", "selection", "baselines", "controls"}
    asked |= {"methods_by_auxiliary", *(f"table_{number}" for number in range(1, 7))}
    asked |= {f"appendix_table_{number}" for number in (2, 3, 5, 6, 7, 9, 10, 11, 12, 13, 14)}
    assert asked <= set(targets(document))


def test_the_demo_asks_for_the_same_tables_and_curves(plan):
    config = load_config(ROOT / "config" / "demo.yaml")
    demo = make_plan(config, load_registry(config.datasets))
    assert [(table["name"], table["answers"]) for table in demo.tables] == [
        (table["name"], table["answers"]) for table in plan.tables
    ]
    assert [curve["name"] for curve in demo.curves] == [curve["name"] for curve in plan.curves]
    assert {experiment.method for experiment in demo.config.experiments} == {
        experiment.method for experiment in plan.config.experiments
    }
    for table in demo.tables:
        assert all(
            set(table["sets"]) & {name for e in row["experiments"] for name in demo.evaluated[e]}
            for row in table["rows"]
            if row["experiments"]
        ), table["name"]
    for curve in demo.curves:
        assert len(curve["points"]) >= 3


@pytest.mark.parametrize(
    ("target", "runs"),
    [
        ("table_1", {"main", "april", "winclip"}),
        ("fig_5", {"depth", "length", "main"}),
        ("controls", {"random", "oracle"}),
        ("prepared", set()),
    ],
)
def test_a_target_plans_its_part(tmp_path, target, runs):
    found = jobs(dry_run(tmp_path, target))
    assert {
        re.search(r"run=([a-z]+)", wildcards).group(1) for rule, wildcards in found if rule in ("train", "baseline")
    } == runs
    if target == "table_1":
        first, second = ("visa", "mpdd", "btad", "ksdd", "dagm", "dtd"), ("mvtec",)
        served = {
            "main_mvtec+colondb": first,
            "main_visa+clinicdb": second,
            "april_gan_mvtec": first,
            "april_gan_visa": second,
        }
        assert {wildcards for rule, wildcards in found if rule == "evaluate"} == {
            f"run={run}, seed={seed}, set={name}"
            for run, names in served.items()
            for seed in (0, 1, 2)
            for name in names
        }
