"""Results of two configurations never mix, and what is deleted is made again as it was."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
import yaml

from adaclip.system.files import read_json
from tests.workflow.project import Project

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

#: What tells of one run and not of its results: times, and what the report says of them.
OF_A_RUN = ("logs/", "benchmarks/", "sha256/")
TIMED = (
    "cost.json",
    "provenance.json",
    "index.html",
    "cost.csv",
    "cost.md",
    "comparison.csv",
    "comparison.md",
    "accuracy_cost.svg",
    "accuracy_cost.png",
)


def adaclip(project: Project, *words: str) -> str:
    command = [sys.executable, "-m", "adaclip.cli", *words]
    environment = {**os.environ, "PYTHONPATH": str(project.folder)}
    done = subprocess.run(command, cwd=project.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def kept(project: Project) -> dict[str, bytes]:
    """Files that a run leaves, but for those that tell of the run itself."""
    files = project.files("results", "data/prepared")
    return {name: content for name, content in files.items() if not name.removeprefix("results/").startswith(OF_A_RUN)}


def write_other(project: Project, **changes: object) -> None:
    """A second configuration of the same sets, whose only experiment needs no training."""
    config = {**project.config, "title": "The other one", **changes}
    config["experiments"] = {"drawn": {"title": "Drawn by lot", "method": "random", "evaluate": ["gamma"]}}
    (project.folder / "other.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def test_two_configurations_in_turn_never_mix(project):
    first = project.files("results")
    write_other(project, results="results/other")
    said = project.run("--report", "report.zip", config="other.yaml", fails=True)
    assert "other.yaml: nothing in results/other is finished that --report could show" in said
    assert "Missing metadata" not in said
    project.run("--cores", "2", config="other.yaml")
    other = project.folder / "results" / "other"
    assert {name: content for name, content in project.files("results").items() if "/other/" not in name} == first
    assert [path.name for path in (other / "metrics").iterdir()] == ["drawn.json"]
    assert set(read_json(other / "summary.json")) == {"drawn"}
    assert "On alpha" not in (other / "report" / "index.html").read_text()
    assert "Nothing to be done" in project.run("-n")
    assert "Nothing to be done" in project.run("-n", config="other.yaml")

    # Told to use the folder of the first, it is refused, and nothing changes.
    write_other(project, results="results")
    before = project.files("results")
    said = project.run("--cores", "1", config="other.yaml", fails=True)
    assert "results holds the results of config.yaml" in said
    assert "Traceback" not in said
    assert project.files("results") == before

    # Unless it is told to take it over.
    (project.folder / "results" / "plan.json").unlink()
    said = project.run("--cores", "2", config="other.yaml")
    assert "no longer asks for" in said
    results = project.folder / "results"
    assert [path.name for path in (results / "metrics").iterdir()] == ["drawn.json"]
    assert set(read_json(results / "summary.json")) == {"drawn"}
    assert not [path.name for path in (results / "figures").rglob("*on_alpha*")]
    assert "On alpha" not in (results / "report" / "index.html").read_text()
    assert "On alpha" not in (results / "tables" / "results.csv").read_text()
    # What was costly stays until it is asked for by name.
    assert (results / "runs" / "on_alpha" / "seed-0" / "checkpoint.safetensors").is_file()

    # All of one configuration goes, with its provenance, and nothing of the other.
    write_other(project, results="results/other")
    (results / "plan.json").unlink()
    adaclip(project, "clean", "config.yaml", "--everything")
    assert [path.name for path in results.iterdir()] == ["other"]
    assert "Nothing to be done" in project.run("-n", config="other.yaml")
    records = project.folder / ".snakemake" / "metadata"
    assert {path.name for path in records.iterdir()} < records_of(project, before)
    assert {job for job in project.planned() if job[0] in ("prepare", "train")} == {
        ("train", "on_alpha", "0"),
        ("train", "on_beta", "0"),
    }


def records_of(project: Project, files: dict[str, bytes]) -> set[str]:
    """Snakemake's records of all files that it could have made."""
    return {urlsafe_b64encode(name.encode()).decode() for name in (*files, *project.files("data", "results"))}


def untimed(name: str, content: bytes) -> object:
    """What a file says but for times; indexes hold the figure and the table of them among others."""
    if Path(name).name != "index.json":
        return content
    return [entry for entry in json.loads(content) if entry["name"] not in ("accuracy_cost", "cost", "comparison")]


@pytest.mark.parametrize("seed", [0])
def test_deleted_files_are_made_again_as_they_were(project, seed):
    whole = kept(project)
    chosen = random.Random(seed).sample(sorted(whole), k=len(whole) // 10)
    # One of each kind that no rule names.
    chosen += ["results/overview/beta/thumbnails/000_normal.webp", "data/prepared/gamma/meta.json"]
    for name in chosen:
        (project.folder / name).unlink(missing_ok=True)
    project.run("--cores", "2")
    again = kept(project)
    assert again.keys() == whole.keys()
    different = [name for name in whole if untimed(name, again[name]) != untimed(name, whole[name])]
    assert [name for name in different if Path(name).name not in TIMED] == []
    assert "Nothing to be done" in project.run("-n")
