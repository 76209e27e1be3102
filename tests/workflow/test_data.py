"""The rules of the data: drawn, fetched, prepared; the user's own; nothing fetched twice; terms accepted before."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from adaclip.data.registry import load_registry
from adaclip.data.simulate import draw_tree
from tests.servers import Fault, Page, Site, site
from tests.workflow.project import ROOT, Project, draw_original

pytestmark = pytest.mark.workflow

SHARED = {
    "backbones": {"tiny": {"model": "tiny", "image_size": 32}},
    "runtime": {"device": "cpu", "threads": 1, "workers": 0},
}
SIMULATED = {
    **SHARED,
    "simulate": {"images": 4, "size": 64},
    "sets": ["headct", "isic"],
    "experiments": {"probe": {"auxiliary": ["isic"], "evaluate": ["headct"]}},
}


def make(folder: Path, config: dict[str, object]) -> Project:
    for name in ("adaclip", "workflow", "profiles", "config"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", folder)
    project = Project(folder)
    write(project, config)
    return project


def write(project: Project, config: dict[str, object]) -> None:
    (project.folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def planned(project: Project) -> set[tuple[str, ...]]:
    """Jobs (rule, set) that a dry run of `prepared` lists."""
    said = project.run("-n", "-p", "prepared")
    found = set()
    for block in said.split("\nrule ")[1:]:
        name, _, rest = block.partition(":")
        if "wildcards: set=" in rest:
            found.add((name, rest.partition("wildcards: set=")[2].split()[0]))
    return found


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two drawn sets, prepared."""
    project = make(tmp_path_factory.mktemp("drawn") / "project", SIMULATED)
    project.run("--cores", "1", "prepared")
    return project


def test_drawn_sets_take_the_way_of_real_ones(drawn: Project) -> None:
    data = drawn.folder / "data"
    receipt = json.loads((data / "raw/isic.fetched.json").read_text())
    assert receipt["source"] == "drawn"
    assert [file["name"] for file in receipt["files"]] == [
        file.name for file in load_registry()["isic"].sources[0].files
    ]
    for name, counts in (("headct", (4, 4)), ("isic", (0, 4))):
        facts = json.loads((data / "prepared" / name / "prepared.json").read_text())
        assert tuple(facts["counts"]["test"].values()) == counts
        assert facts["raw_digest"] == "fetched"
    assert not (data / "checksums.lock.yaml").exists(), "drawn archives say nothing about real ones"


def test_what_is_prepared_is_not_fetched_again(drawn: Project, tmp_path: Path) -> None:
    project = drawn.copy(tmp_path / "copy")
    assert planned(project) == set()
    next((project.folder / "data/raw/headct").glob("*.zip")).unlink()
    assert planned(project) == set()
    # Unless it has to be prepared again.
    project.edit("data/prepare.py")
    assert planned(project) == {("fetch", "headct"), ("prepare", "headct"), ("prepare", "isic")}
    project.run("--cores", "1", "prepared")
    assert planned(project) == set()
    shutil.rmtree(project.folder / "data/raw")
    shutil.rmtree(project.folder / "data/mirror")
    assert planned(project) == set()


def test_a_change_that_concerns_no_file_plans_nothing(drawn: Project, tmp_path: Path) -> None:
    project = drawn.copy(tmp_path / "copy")
    project.edit("data/fetch/http.py")
    terms = {"licence": "mine", "citation": "Me, 2026.", "url": "https://example.org"}
    write(project, {**SIMULATED, "datasets": {"headct": terms, "isic": terms}})
    assert planned(project) == set()
    write(project, {**SIMULATED, "datasets": {"isic": {"test": {"normal": 0, "anomalous": 4}}}})
    assert planned(project) == {("prepare", "isic")}


def test_what_a_user_puts_there_is_used(drawn: Project, tmp_path: Path) -> None:
    project = drawn.copy(tmp_path / "copy")
    draw_tree("headct", project.folder / "data/raw/headct", images=5, size=64)
    assert planned(project) == {("prepare", "headct")}
    project.run("--cores", "1", "prepared")
    facts = json.loads((project.folder / "data/prepared/headct/prepared.json").read_text())
    assert facts["counts"]["test"] == {"normal": 5, "anomalous": 5}
    # It may go again, and what was prepared from it stays.
    shutil.rmtree(project.folder / "data/raw/headct")
    assert planned(project) == set()


def test_the_paper_plans_all_14_from_the_network(tmp_path: Path) -> None:
    project = make(tmp_path / "project", {"extends": "config/paper.yaml"})
    both = {(rule, name) for rule in ("fetch", "prepare") for name in load_registry()}
    assert planned(project) == both
    draw_tree("btad", project.folder / "data/raw/btad", images=4, size=64)
    draw_tree("visa", project.folder / "elsewhere/visa", images=4, size=64)
    write(project, {"extends": "config/paper.yaml", "datasets": {"visa": {"raw": "elsewhere/visa"}}})
    assert planned(project) == both - {("fetch", "btad"), ("fetch", "visa")}
    # A file that asks for nothing is no way to ask for the paper.
    write(project, {})
    assert "config.yaml: top level: it has no experiments" in project.run("-n", fails=True)
    # A fault in the configuration that is taken when none is named.
    with (project.folder / "config/paper.yaml").open("a", encoding="utf-8") as paper:
        paper.write("licens: {accept: all}\n")
    said = project.run("-n", fails=True, config=None)
    assert "\nadaclip: error: config/paper.yaml: top level: unknown key 'licens'" in said


def packed(folder: Path) -> bytes:
    """A small set in MVTec's layout, as a zip archive."""
    draw_original(folder, seed=1, category="nut")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(folder))
    return stream.getvalue()


@pytest.fixture
def web() -> Iterator[Site]:
    with site() as found:
        yield found


def own_set(url: str, **keys: object) -> dict[str, object]:
    nuts = {"sources": [{"kind": "http", "files": [{"name": "nuts.zip", "url": f"{url}/nuts.zip"}]}], **keys}
    experiments = {"probe": {"method": "untrained", "auxiliary": [], "evaluate": ["nuts"]}}
    return {**SHARED, "datasets": {"nuts": nuts}, "experiments": experiments}


def test_a_user_s_set_from_a_server_that_stumbles(web: Site, tmp_path: Path) -> None:
    content = packed(tmp_path / "original")
    # Refused in a way that the program takes for final; the rule tries once more.
    web.pages["/nuts.zip"] = Page(content, [Fault(404, b"")])
    config = own_set(web.url, accept=True, licence="CC BY-NC 4.0", title="Nuts")
    project = make(tmp_path / "project", config)

    said = project.run("--cores", "1", "prepared", fails=True)
    assert "Data sets are fetched once you accept their terms: Nuts: CC BY-NC 4.0" in said
    assert "licences: {accept: [nuts]}" in said
    assert web.asked == []
    assert planned(project) == {("fetch", "nuts"), ("prepare", "nuts")}, "a dry run needs no consent"

    assert "--config 'licences={accept: [nuts]}'" in said
    project.run("--cores", "1", "prepared", "--config", "licences={accept: [nuts]}")
    assert web.sent["/nuts.zip"] == len(content)
    facts = json.loads((project.folder / "data/prepared/nuts/prepared.json").read_text())
    assert facts["counts"]["test"] == {"normal": 2, "anomalous": 2}
    lock = yaml.safe_load((project.folder / "data/checksums.lock.yaml").read_text())
    assert lock["nuts"]["nuts.zip"]["bytes"] == len(content)
    # Consent is asked for before a download, and not for what is here.
    write(project, config)
    assert "Nothing to be done" in project.run("--cores", "1", "prepared")
