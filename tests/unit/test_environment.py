"""What results were computed with."""

import hashlib
import json
import re
import subprocess
import sys

import pytest

from adaclip.data.fetched import Archive, write_note
from adaclip.errors import AdaclipError
from adaclip.report import environment
from tests.inventing import invent

CONFIG = {
    "backbones": {"tiny": {"model": "tiny", "image_size": 56}},
    "experiments": {
        "first": {"auxiliary": ["isic"], "evaluate": ["mpdd", "headct"], "seeds": [0, 1]},
        "again": {"auxiliary": ["isic"], "evaluate": ["mpdd"]},  # shares the run of the first
        "random": {"method": "random", "auxiliary": [], "evaluate": ["mpdd"]},
    },
}


@pytest.fixture
def plan(tmp_path):
    return invent(CONFIG, tmp_path)


def test_each_job_is_counted_once_under_its_device(plan):
    [one] = plan.parent.glob("runs/first/seed-1/headct/cost.json")
    one.write_text(json.dumps({**json.loads(one.read_text()), "device": "NVIDIA H100"}))
    # Two trainings with two sets each, and the control without a training.
    assert environment.collect(plan)["devices"] == {"NVIDIA H100": 1, "invented": 2 + 4 + 1 - 1}


def test_names_python_all_packages_and_the_program(plan):
    facts = environment.collect(plan)
    assert facts["system"]["python"] == sys.version.split()[0]
    assert facts["packages"]["numpy"] == __import__("numpy").__version__
    assert facts["packages"]["adaclip-bench"] in facts["program"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", facts["collected"])


def test_checksums_of_manifests_and_of_fetched_archives(plan, tmp_path):
    prepared = tmp_path / "data" / "prepared" / "mpdd"
    raw = tmp_path / "raw"
    raw.mkdir()
    write_note(raw / ".fetched.json", "mpdd", "http", [Archive("mpdd.zip", "a" * 64, 10, "https://example.org")])
    facts = json.loads((prepared / "prepared.json").read_text())
    (prepared / "prepared.json").write_text(json.dumps({**facts, "source": str(raw)}))
    data = environment.collect(plan)["data"]
    assert data["mpdd"]["manifest_sha256"] == hashlib.sha256((prepared / "manifest.csv").read_bytes()).hexdigest()
    assert data["mpdd"]["archives"] == {"mpdd.zip": "a" * 64}
    assert data["headct"]["archives"] == {}


def test_says_whether_the_code_differs_from_its_commit(plan, tmp_path, monkeypatch):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    (checkout / "code.py").write_text("1")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], cwd=checkout, check=True)
    monkeypatch.setattr(environment, "PACKAGE", checkout)
    code = environment.collect(plan)["code"]
    assert re.fullmatch(r"[0-9a-f]{40}", code["commit"])
    assert code["changed"] is False
    (checkout / "code.py").write_text("2")
    assert environment.collect(plan)["code"] == {**code, "changed": True}


def test_outside_a_checkout_there_is_no_commit(plan, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setattr(environment, "PACKAGE", tmp_path)
    assert environment.collect(plan)["code"] == {"commit": None, "changed": None}


def test_a_set_that_is_gone_is_one_line(plan, tmp_path):
    (tmp_path / "data" / "prepared" / "mpdd" / "prepared.json").unlink()
    with pytest.raises(AdaclipError, match="mpdd"):
        environment.collect(plan)
