"""Configurations that were taken without a word, or refused in many lines: each is one line now, or is right.

The real Snakemake plans here, for what it reads before the workflow does is part of the fault.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from adaclip.cli import main
from adaclip.config import load_config, read_configs
from adaclip.errors import UsageError

ROOT = Path(__file__).parents[2]
OWN = {
    "datasets": {"bolts": {"raw": "photos/bolts"}, "nuts": {"raw": "photos/nuts"}},
    "backbones": {"tiny": {"model": "tiny", "image_size": 56}},
    "defaults": {"train": {"epochs": 3}},
    "experiments": {"on_bolts": {"auxiliary": ["bolts"], "evaluate": ["nuts"]}},
}


def plan(folder: Path, *words: str, code: int = 0, **environment: str) -> list[str]:
    """What `snakemake -n` says in a folder, without the line on the profile that comes before everything."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "-n", *words]
    known = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb", **environment}
    done = subprocess.run(command, cwd=folder, env=known, capture_output=True, text=True, check=False)
    said = (done.stderr + done.stdout).splitlines()
    assert done.returncode == code, said
    return [line for line in said if not line.startswith("Using workflow specific profile")]


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two sets of images and `own.yaml`."""
    for name in ("bolts", "nuts"):
        (tmp_path / "photos" / name / "good").mkdir(parents=True)
    write(tmp_path / "own.yaml", OWN)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            yaml.safe_dump(OWN) + "experiments:\n  other: {auxiliary: [nuts], evaluate: [bolts]}\n",
            "own.yaml, line 19, column 1: key 'experiments' stands twice",
        ),
        ("title: [one\nnote: two\n", "own.yaml, line 2, column 5: not valid YAML: expected ',' or ']', but got ':'"),
        ("title: one\n\tnote: two\n", "own.yaml, line 2, column 1: not valid YAML: found character"),
        ("extends: gone.yaml\n", "own.yaml: extends gone.yaml: no such file: gone.yaml"),
        ("extends: base.yaml\n", "base.yaml, line 2, column 1: key 'title' stands twice"),
        ("{}\n", "own.yaml: top level: it has no experiments"),
        (yaml.safe_dump({**OWN, "title": 3}), "own.yaml: title: 3 is not of type 'string'"),
    ],
)
def test_one_reader_says_the_same_on_every_way_in(folder, capsys, monkeypatch, text, said):
    monkeypatch.chdir(folder)
    write(folder / "own.yaml", text)
    write(folder / "base.yaml", "title: one\ntitle: two\n")
    [line] = plan(folder, "--configfile", "own.yaml", code=2)
    assert line.startswith(f"adaclip: error: {said}")
    assert main(["check", "own.yaml"]) == 2
    assert capsys.readouterr().err == f"{line}\n"


def test_a_missing_file_is_one_line(folder):
    assert plan(folder, "--configfile", "gone.yaml", code=2) == ["adaclip: error: no such file: gone.yaml"]


def test_a_target_after_the_configuration_is_explained(folder):
    [line] = plan(folder, "--configfile", "own.yaml", "table_1", code=2)
    assert line.startswith("adaclip: error: no such file: table_1 (--configfile takes every word after it for a file;")
    assert line.endswith("snakemake table_1 --configfile own.yaml)")


def test_two_files_and_overrides_are_merged_in_their_order(folder):
    write(folder / "more/base.yaml", {"defaults": {"seeds": [7], "train": {"epochs": 9, "batch_size": 2}}})
    second = write(folder / "more/second.yaml", {"extends": "base.yaml", "defaults": {"train": {"epochs": 4}}})
    overrides = ["defaults={train: {learning_rate: 0.5}}", "title=7 sets"]
    value = read_configs([folder / "own.yaml", second], overrides)
    assert value["defaults"] == {"train": {"epochs": 4, "batch_size": 2, "learning_rate": 0.5}, "seeds": [7]}
    assert value["title"] == "7 sets"
    assert list(value["experiments"]) == ["on_bolts"]
    with pytest.raises(UsageError, match="--config licences, line 1, column 15: key 'accept' stands twice"):
        read_configs([folder / "own.yaml"], ["licences={accept: all, accept: []}"])


def test_numbers_in_overrides_are_numbers(folder):
    said = plan(folder, "--configfile", "own.yaml", "--config", "defaults={train: {epochs: 2}, seeds: [1, 2]}", "-p")
    assert any('"epochs": 2' in line for line in said)
    assert any("/seed-2/" in line for line in said)


def test_the_plan_of_the_paper_is_read_by_people(tmp_path):
    said = plan(tmp_path)
    assert len(said) < 60
    assert sum(line.startswith("Job stats:") for line in said) == 1
    assert any(line.split() == ["total", "1944"] for line in said)
    assert any(line.startswith("cost: about ") for line in said)
    details = plan(tmp_path, "table_1", "-p")
    assert sum(line.startswith("rule train:") for line in details) == 6
    assert any("adaclip train" in line for line in details)


def test_home_and_variables_are_expanded(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("REAL", str(folder / "real"))
    sets = {"bolts": {"raw": "~/bolts"}, "nuts": {"raw": "$REAL/nuts"}, "rods": {"raw": "${REAL}/a b"}}
    backbone = {"model": "~/model.json", "pretrained": "$REAL/weights.pt"}
    write(folder / "own.yaml", {**OWN, "datasets": sets, "backbones": {"one": backbone}, "results": "$REAL/results"})
    config = load_config(folder / "own.yaml")
    assert [entry["raw"] for entry in config.datasets.values()] == [
        f"{folder}/home/bolts",
        f"{folder}/real/nuts",
        f"{folder}/real/a b",
    ]
    assert config.backbones["one"].model == f"{folder}/home/model.json"
    assert config.backbones["one"].pretrained == f"{folder}/real/weights.pt"
    assert config.results == f"{folder}/real/results"
    monkeypatch.delenv("REAL")
    with pytest.raises(UsageError, match=r"own.yaml: results: \$REAL in '\$REAL/results' is not set"):
        load_config(folder / "own.yaml")
