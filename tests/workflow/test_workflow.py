"""The workflow itself, run by Snakemake on three tiny sets of a user's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.workflow.project import Job, Project, kill_tree, make_project, save, wait_for

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

#: What gathers everything, and so runs again after any change of a result.
GATHERED: set[Job] = {("tables",), ("figures",), ("environment",), ("report",)}
#: Images beside the maps of the first experiment that has a set.
PANELS: set[Job] = {("panels", "beta"), ("panels", "gamma")}
ON_ALPHA: set[Job] = {
    ("train", "on_alpha", "0"),
    ("evaluate", "on_alpha", "0", "beta"),
    ("evaluate", "on_alpha", "0", "gamma"),
}
ON_BETA: set[Job] = {("train", "on_beta", "0"), ("evaluate", "on_beta", "0", "gamma")}
EVALUATIONS = {job for job in ON_ALPHA | ON_BETA if job[0] == "evaluate"}


def results(project: Project) -> dict[str, bytes]:
    """Files whose bytes equal seeds must give: everything but times and what the page puts together."""
    wanted = ("checkpoint.safetensors", "history.csv", "scores.csv", "metrics.json", "curves.json", "manifest.csv")
    files = project.files("data", "results/features", "results/runs")
    return {name: content for name, content in files.items() if name.endswith((*wanted, "alpha.safetensors"))}


def hidden(project: Project) -> list[str]:
    return [name for name in project.files("data", "results") if "/." in name]


def test_a_run_ends_with_everything(finished):
    for name in ("plan.json", "summary.json", "tables/results.csv", "tables/results.md", "report/index.html"):
        assert (finished.folder / "results" / name).stat().st_size > 0, name
    assert list((finished.folder / "results" / "figures").glob("*.svg"))
    for run, dataset in (("on_alpha", "beta"), ("on_alpha", "gamma"), ("on_beta", "gamma")):
        metrics = json.loads((finished.folder / f"results/runs/{run}/seed-0/{dataset}/metrics.json").read_text())
        assert metrics["set"] == dataset
        assert metrics["auxiliary"] == [run.removeprefix("on_")]
        assert 0 <= metrics["mean"]["pixel"]["auroc"] <= 1
        assert metrics["categories"]["nut"]["images"] == 4
    assert not (finished.folder / "results/runs/on_alpha/seed-0/alpha").exists()
    assert hidden(finished) == []


def test_then_nothing_is_left_to_be_done(finished):
    assert "Nothing to be done" in finished.run("-n")
    assert finished.planned() == set()


def test_an_edited_learning_rate_plans_exactly_the_jobs_behind_it(project):
    project.configure(lambda config: config["experiments"]["on_beta"].update(train={"learning_rate": 0.02}))
    assert project.planned() == ON_BETA | GATHERED | {("plan",)}


def test_evaluation_settings_train_nothing_again(project):
    project.configure(lambda config: config["defaults"].update(evaluate_with={"size": 32, "smoothing": 2.0}))
    assert project.planned() == EVALUATIONS | GATHERED | PANELS | {("plan",)}


def test_processes_and_titles_compute_nothing_again(project):
    project.configure(lambda config: config["runtime"].update(workers=1, threads=2, verify=False))
    project.configure(lambda config: config["experiments"]["on_beta"].update(title="Trained on beta"))
    assert project.planned() <= GATHERED | {("plan",)}


def test_a_new_experiment_leaves_the_others_alone(project):
    new = {"title": "On gamma", "auxiliary": ["gamma"], "evaluate": ["beta"]}
    project.configure(lambda config: config["experiments"].update(on_gamma=new))
    assert project.planned() == GATHERED | {
        ("plan",),
        ("train", "on_gamma", "0"),
        ("evaluate", "on_gamma", "0", "beta"),
    }


def test_a_replaced_image_runs_again_what_is_behind_it(project):
    path = project.folder / "originals" / "beta" / "nut" / "test" / "good" / "000.png"
    save(path, np.asarray(Image.open(path))[::-1])
    behind = {(rule, "beta") for rule in ("prepare", "overview", "fingerprint")} | {
        ("audit",),
        ("features", "tiny", "beta"),
    }
    behind |= {("evaluate", "on_alpha", "0", "beta"), ("panels", "beta")}
    assert project.planned() == behind | ON_BETA | GATHERED


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("metrics/collect.py", EVALUATIONS | GATHERED | PANELS),
        ("runs/train.py", ON_ALPHA | ON_BETA | GATHERED | PANELS),
        ("methods/adaclip/fusion.py", ON_ALPHA | ON_BETA | GATHERED | PANELS),
        ("methods/winclip/model.py", set()),
        ("report/figures/cost.py", {("figures",), ("report",)} | PANELS),
        ("runs/selection.py", set()),
        ("runs/score.py", set()),
        ("cli/model.py", set()),
    ],
)
def test_an_edited_module_plans_the_steps_that_use_it(project, module, expected):
    project.edit(module)
    assert project.planned() == expected


def test_killed_in_the_middle_and_resumed_it_gives_the_same(finished, tmp_path):
    project = make_project(tmp_path / "killed")
    process = project.start("--cores", "2")
    # The first checkpoint is there, the second being made.
    wait_for(lambda: any((project.folder / "results/runs").glob("*/seed-0/checkpoint.safetensors")), process)
    kill_tree(process)
    whole = results(project)
    assert 0 < len(whole) < len(results(finished))
    for name, content in whole.items():
        assert content == results(finished)[name], name
    project.run("--unlock")
    project.run("--cores", "2")
    assert results(project) == results(finished)
    assert hidden(project) == []
    assert project.planned() == set()


def test_an_experiment_on_its_own_auxiliary_set_is_refused(project):
    project.configure(lambda config: config["experiments"]["on_beta"].update(evaluate=["gamma", "beta"]))
    process = project.start("-n")
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 2
    assert "experiment 'on_beta': 'beta' is part of the auxiliary data (beta)" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"experimnts": {}}, "unknown key 'experimnts' (did you mean 'experiments'?)"),
        ({"sets": ["delta"]}, "unknown data set 'delta'"),
    ],
)
def test_a_wrong_config_is_one_clear_line(project, change, words):
    project.configure(lambda config: config.update(change))
    said = project.run("-n", fails=True)
    assert words in said
    assert "Traceback" not in said


def test_a_step_that_fails_says_why_and_loses_nothing(finished, tmp_path):
    project = finished.copy(tmp_path / "project")
    path = project.folder / "originals" / "gamma" / "nut" / "test" / "good" / "002.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:300])
    said = project.run("--cores", "1", fails=True)
    assert str(Path("nut/test/good/002.png")) in said
    assert "Traceback" not in said
    assert hidden(project) == []
    path.write_bytes(whole)
    project.run("--cores", "1", "data/prepared/gamma/manifest.csv")
    assert results(project)["data/prepared/gamma/manifest.csv"] == results(finished)["data/prepared/gamma/manifest.csv"]
