"""The methods of docs/methods.md: a package that is built, installed and benchmarked, and a module of one's own."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflow.project import Job, Project, make_project

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("plugin")]

TOY = Path(__file__).parents[1] / "toy_method"
#: What the page leaves to a machine: how it computes, and where results go.
HERE = {"results": "results", "runtime": {"device": "cpu", "threads": 1, "workers": 0}}
LINEAR: set[Job] = {("train", "linear", "0"), ("evaluate", "linear", "0", "beta")}
SENTENCES: set[Job] = {("baseline", "sentences", "0", "beta")}


def install(folder: Path) -> None:
    """What pip does with the package, without the network, into `site` of a project."""
    # Building leaves files beside the source.
    source = folder / "toy_source"
    shutil.copytree(TOY, source, ignore=shutil.ignore_patterns("__pycache__"))
    flags = [
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *flags, "--target", str(folder / "site"), str(source)], check=True
    )
    shutil.rmtree(source)


@pytest.fixture(scope="module")
def benchmarked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with both methods, whose workflow has run to its end."""
    project = make_project(tmp_path_factory.mktemp("plugin") / "finished")
    install(project.folder)
    shutil.copy(TOY / "my_module.py", project.folder)
    config = yaml.safe_load((TOY / "toy.yaml").read_text())
    (project.folder / "config.yaml").write_text(yaml.safe_dump(config | HERE, sort_keys=False))
    project.run("--cores", "2")
    return project


@pytest.fixture
def plugged(benchmarked: Project, tmp_path: Path) -> Project:
    """A copy of the finished one."""
    return benchmarked.copy(tmp_path / "project")


def refused(project: Project) -> str:
    """The one line in which a dry run ends."""
    said = project.run("-n", fails=True)
    assert "Traceback" not in said
    [line] = [line for line in said.splitlines() if line.startswith("adaclip: error: ")]
    return line


def test_both_methods_are_rows_of_the_results(benchmarked):
    with (benchmarked.folder / "results/tables/results.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = {row["experiment"]: row for row in rows}
    assert set(found) == {"linear", "sentences"}
    for run, method in (("linear", "toy_linear"), ("sentences", "my_module:MyMethod")):
        folder = benchmarked.folder / "results/runs" / run / "seed-0"
        metrics = json.loads((folder / "beta/metrics.json").read_text())
        assert metrics["method"] == method
        assert 0 <= metrics["mean"]["pixel"]["auroc"] <= 1
        assert (folder / "checkpoint.safetensors").exists() == (run == "linear")
    assert metrics["smoothing"]["published"] == 0
    # Its training is that of its own settings: three epochs instead of two.
    history = (benchmarked.folder / "results/runs/linear/seed-0/history.csv").read_text().splitlines()
    assert "loss_pixels" in history[0]
    assert len(history) == 4
    assert benchmarked.planned() == set()


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("site/toy_method/model.py", LINEAR),
        ("site/toy_method/__init__.py", LINEAR),
        ("my_module.py", SENTENCES),
    ],
)
def test_an_edit_of_a_method_plans_exactly_its_jobs(plugged, file, wanted):
    path = plugged.folder / file
    path.write_text(path.read_text() + "\n# Edited.\n")
    planned = plugged.planned()
    assert {job for job in planned if job[0] in ("features", "train", "evaluate", "baseline", "prepare")} == wanted


def test_a_wrong_setting_of_a_method_is_one_line(plugged):
    plugged.configure(lambda config: config["experiments"]["linear"].update(model={"scoer": "max"}))
    assert refused(plugged).endswith(
        "config.yaml: experiments.linear.model: unknown key 'scoer' (did you mean 'score'?)"
    )
    plugged.configure(lambda config: config["experiments"]["linear"].update(model={"score": "median"}))
    assert refused(plugged).endswith("experiments.linear.model.score: 'median' is not one of max, mean")
    plugged.configure(lambda config: config["experiments"]["linear"].update(model={}, train={"epochs": 0}))
    assert "experiments.linear.train.epochs: 0 is less than the minimum of 1" in refused(plugged)


def test_a_package_that_is_gone_is_one_line(plugged):
    shutil.rmtree(plugged.folder / "site")
    line = refused(plugged)
    assert "config.yaml: experiments.linear: unknown method 'toy_linear'" in line
    assert "entry point in the group adaclip.methods" in line


def test_a_package_that_cannot_be_imported_is_one_line(plugged):
    (plugged.folder / "site/toy_method/card.py").write_text("def card(:\n")
    assert "experiments.linear: method 'toy_linear': cannot import toy_method.card: SyntaxError: " in refused(plugged)


def test_a_module_that_is_gone_is_one_line(plugged):
    (plugged.folder / "my_module.py").rename(plugged.folder / "your_module.py")
    assert "experiments.sentences: method 'my_module:MyMethod': cannot import my_module: No module" in refused(plugged)
