"""Released weights through the workflow: simulated, served here, fetched by id, checked, and in the tables."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from adaclip.data.weights import release
from adaclip.runs.simulate_release import simulate_release
from tests.servers import Page, Site, site
from tests.workflow.project import Project, make_project

pytestmark = pytest.mark.workflow

BACKBONE = {"model": "tiny", "pretrained": None, "image_size": 32}
#: One release of each method, and the settings that a tiny backbone needs.
RELEASED: dict[str, dict[str, Any]] = {
    "adaclip_mvtec_colondb": {},
    "anomalyclip_visa": {"dpam_blocks": 4},
    "april_gan_visa": {},
}


def configure(project: Project, entries: dict[str, Any], experiments: dict[str, Any]) -> None:
    def change(config: dict[str, Any]) -> None:
        config["datasets"] = {name: config["datasets"][name] for name in ("alpha", "beta")}
        config["backbones"] = {"tiny": {"model": "tiny", "image_size": 32}}
        config["weights"], config["experiments"] = entries, experiments
        config.pop("defaults", None)

    project.configure(change)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, dict[str, Any]]]:
    """A server with a simulated release of each method, and the entries that lead to it."""
    with site() as web:
        entries = {}
        for id, settings in RELEASED.items():
            (path,) = simulate_release(release(id), tmp_path_factory.mktemp(id), BACKBONE, settings)
            content = path.read_bytes()
            web.pages[f"/{path.name}"] = Page(content)
            places = [{"kind": "http", "url": f"{web.url}/{path.name}"}]
            file = {"name": path.name, "places": places, "sha256": hashlib.sha256(content).hexdigest()}
            entries[id] = {"auxiliary": ["beta"], "backbone": BACKBONE, "settings": settings, "files": [file]}
        yield web, entries


@pytest.fixture(scope="module")
def finished(served: tuple[Site, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("released") / "project")
    configure(project, served[1], {id: {"checkpoint": id, "evaluate": ["alpha"]} for id in RELEASED})
    project.run("--cores", "2")
    return project


def test_fetched_once_checked_and_evaluated(finished: Project, served: tuple[Site, dict[str, Any]]) -> None:
    web, entries = served
    assert len(web.asked) == len(RELEASED)
    for id in RELEASED:
        (file,) = json.loads((finished.folder / f"data/weights/{id}.fetched.json").read_text())["files"]
        assert file["sha256"] == entries[id]["files"][0]["sha256"]
        metrics = json.loads((finished.folder / f"results/runs/{id}/seed-0/alpha/metrics.json").read_text())
        assert metrics["set"] == "alpha"
    assert not list(finished.folder.rglob("checkpoint.safetensors")), "nothing is trained"
    assert finished.planned() == set()


def test_each_release_has_a_row_in_the_tables(finished: Project) -> None:
    rows = []
    for path in (finished.folder / "results/tables").glob("*.csv"):
        with path.open(newline="", encoding="utf-8") as stream:
            rows += [" ".join(row) for row in csv.reader(stream)]
    for id in RELEASED:
        assert any(id in row for row in rows), id


def test_weights_that_were_removed_are_fetched_when_they_are_needed(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    (project.folder / "data/weights/april_gan_visa/visa_pretrained.pth").unlink()
    assert project.planned() == set()
    (project.folder / "results/runs/april_gan_visa/seed-0/alpha/metrics.json").unlink()
    jobs = project.planned()
    assert {job for job in jobs if job[0] in ("weights", "evaluate")} == {
        ("weights", "april_gan_visa"),
        ("evaluate", "april_gan_visa", "0", "alpha"),
    }


def test_results_that_were_brought_back_without_the_weights_are_finished(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    shutil.rmtree(project.folder / "data/weights")
    project.run("--touch", "--cores", "1")
    assert project.planned() == set()


def test_a_wrong_checksum_is_one_line(served: tuple[Site, dict[str, Any]], finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    entries = yaml.safe_load(yaml.safe_dump(served[1]))
    entries["april_gan_visa"]["files"][0]["sha256"] = "0" * 64
    configure(project, entries, {"april_gan_visa": {"checkpoint": "april_gan_visa", "evaluate": ["alpha"]}})
    (project.folder / "data/weights/april_gan_visa/visa_pretrained.pth").unlink()
    project.run("--cores", "2", "--retries", "0", fails=True)
    said = (project.folder / "results/logs/weights/april_gan_visa.log").read_text().splitlines()
    assert [line for line in said if line.startswith("adaclip: error: ")] == said[-1:]
    assert f"expected {'0' * 64}" in said[-1]


def test_a_file_of_another_method_is_one_line(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    file = "data/weights/anomalyclip_visa/9_12_4_multiscale_epoch_15.pth"
    entry = {"checkpoint": file, "method": "april_gan", "auxiliary": ["beta"], "evaluate": ["alpha"]}
    configure(project, {}, {"mine": entry})
    project.run("--cores", "2", "--retries", "0", fails=True)
    said = (project.folder / "results/logs/evaluate/mine/seed-0/alpha.log").read_text().splitlines()
    assert "is not in APRIL-GAN's released layout" in said[-1]
    assert not any("Traceback" in line for line in said)


def test_a_set_that_the_weights_were_trained_on_is_refused_before_anything_runs(
    finished: Project, tmp_path: Path
) -> None:
    project = finished.copy(tmp_path / "project")
    entries = project.config["weights"]
    configure(project, entries, {"seen": {"checkpoint": "april_gan_visa", "evaluate": ["beta"]}})
    said = project.run("-n", fails=True)
    assert "beta" in said
    assert "zero-shot" in said
