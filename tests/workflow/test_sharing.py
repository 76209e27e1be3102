"""Finished results travel: stored with DVC, brought back elsewhere, and still known to Snakemake."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from adaclip.data.damage import verify_data
from adaclip.upkeep.verify import verify_results
from tests.workflow.project import ROOT, Project

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]
NAMED = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}


def command(folder: Path, *words: str) -> str:
    """Run a program of this environment, or git."""
    own = Path(sys.executable).with_name(words[0])
    done = subprocess.run(
        [str(own) if own.exists() else words[0], *words[1:]],
        cwd=folder,
        env={**os.environ, **NAMED, "PYTHONPATH": str(folder), "DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make(folder: Path, target: str, *variables: str) -> str:
    """Run a target of the Makefile with the programs of this environment."""
    return command(folder, "make", target, "READY=", f"BIN={Path(sys.executable).parent}", *variables)


def store(project: Project, remote: Path) -> None:
    """Put the finished project under git and DVC, as the documentation says."""
    for name in ("Makefile", "dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, project.folder)
    page = project.folder / "dvc.yaml"
    page.write_text(page.read_text().replace("shown: results/demo", "shown: results"))
    command(project.folder, "git", "init", "-q", "-b", "main")
    command(project.folder, "dvc", "init", "-q")
    command(project.folder, "dvc", "remote", "add", "-q", "-d", "store", str(remote))
    share(project)


def share(project: Project) -> None:
    make(project.folder, "share")
    command(project.folder, "git", "add", "-A")
    command(project.folder, "git", "commit", "-qm", "results")


def test_results_are_pushed_and_restored_elsewhere(project, tmp_path):
    remote = tmp_path / "remote"
    store(project, remote)
    command(project.folder, "dvc", "push", "-q")

    places = ("data/**/*.png", "results/overview/*/thumbnails/*", "results/figures/panels/**/*.svg")
    found = [[path.read_bytes() for path in project.folder.glob(place)] for place in places]
    assert all(found), "there is something to leave out"
    pictures = [content for contents in found for content in contents]
    stored = {path.read_bytes() for path in remote.rglob("*") if path.is_file()}
    assert not stored & set(pictures)

    clone = Project(tmp_path / "clone")
    command(tmp_path, "git", "clone", "-q", str(project.folder), str(clone.folder))
    assert not (clone.folder / "results").exists()
    make(clone.folder, "restore")
    assert clone.planned() == set()
    said = clone.run("--report", "report.zip")
    assert "Missing metadata" not in said
    assert (clone.folder / "report.zip").stat().st_size > 100_000
    for found in (verify_results(clone.folder / "results", jobs=1), verify_data(clone.folder / "data", jobs=1)):
        # What is not stored, pictures, is not missed either.
        assert found.files > 0
        assert found.faults == []
    page = (clone.folder / "results" / "report" / "index.html").read_text()
    assert "Three tiny sets" in page
    assert json.loads((clone.folder / "results" / "report" / "provenance.json").read_text())["packages"]["torch"]

    clone.configure(lambda config: config["experiments"]["on_beta"].update(train={"learning_rate": 0.02}))
    gathered = {("tables",), ("figures",), ("environment",), ("report",), ("plan",)}
    assert clone.planned() == {("train", "on_beta", "0"), ("evaluate", "on_beta", "0", "gamma")} | gathered


def test_metrics_of_two_commits_are_compared(project, tmp_path):
    store(project, tmp_path / "remote")
    before = json.loads((project.folder / "results" / "summary.json").read_text())
    shown = json.loads(command(project.folder, "dvc", "metrics", "show", "--json"))[""]["data"]
    assert set(shown) == {"results/metrics/on_alpha.json", "results/metrics/on_beta.json"}
    averages = shown["results/metrics/on_beta.json"]["data"]
    # It is evaluated on gamma alone.
    assert averages["custom"] == before["on_beta"]["gamma"]

    project.configure(lambda config: config["experiments"]["on_beta"].update(train={"learning_rate": 0.02}))
    project.run("--cores", "2")
    share(project)
    after = json.loads((project.folder / "results" / "summary.json").read_text())
    said = command(project.folder, "dvc", "metrics", "diff", "HEAD~1")
    assert re.search(r"results/metrics/on_beta.json +custom.pixel_auroc ", said)
    assert "on_alpha" not in said
    targets = ("--targets", "results/summary.json")
    said = command(project.folder, "dvc", "metrics", "diff", "HEAD~1", *targets, "--precision", "8")
    key = "on_beta.gamma.pixel_auroc"
    old, new = before["on_beta"]["gamma"]["pixel_auroc"], after["on_beta"]["gamma"]["pixel_auroc"]
    assert old != new
    line = next(line for line in said.splitlines() if re.search(rf"\b{re.escape(key)}\b(?!_)", line))
    assert [float(word) for word in line.split()[2:4]] == pytest.approx([old, new], abs=1e-3)
    assert "on_alpha" not in said
    command(project.folder, "dvc", "plots", "show")
    plots = (project.folder / "dvc_plots" / "index.html").read_text()
    assert "Pixel AUROC by set" in plots
    assert '"gamma"' in plots
