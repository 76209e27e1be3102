"""Results that could be taken for those of another configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from adaclip.config import load_config
from adaclip.errors import UsageError
from adaclip.files import write_json
from adaclip.results_folder import finished, refuse_other

ROOT = Path(__file__).parents[2]
SMALL = {"backbones": {"tiny": {"model": "tiny"}}, "experiments": {"one": {"title": "One", "auxiliary": ["mvtec"]}}}


def write_config(path: Path, **changes: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({**SMALL, **changes}))
    return path


def write_plan(folder: Path, configuration: str, finished_at: int = 0) -> None:
    write_json(folder / "plan.json", {"configuration": configuration, "experiments": []})
    (folder / "report").mkdir()
    (folder / "report" / "index.html").write_text("")
    os.utime(folder / "report" / "index.html", (finished_at, finished_at))


def test_every_configuration_has_a_folder_of_its_own(tmp_path: Path) -> None:
    assert load_config(ROOT / "config" / "demo.yaml").results == "results/demo"
    assert load_config(ROOT / "config" / "paper.yaml").results == "results/paper"
    assert load_config(write_config(tmp_path / "own.yaml")).results == "results/own"
    assert load_config(write_config(tmp_path / "own.yaml", results="elsewhere/own")).results == "elsewhere/own"


def test_the_folder_of_a_file_is_not_that_of_the_one_that_extends_it(tmp_path: Path) -> None:
    write_config(tmp_path / "base.yaml", results="results/base", title="Base")
    (tmp_path / "above.yaml").write_text(yaml.safe_dump({"extends": "base.yaml"}))
    above = load_config(tmp_path / "above.yaml")
    assert (above.title, above.results) == ("Base", "results/above")
    (tmp_path / "above.yaml").write_text(yaml.safe_dump({"extends": "base.yaml", "results": "results/mine"}))
    assert load_config(tmp_path / "above.yaml").results == "results/mine"


def test_the_folder_of_another_configuration_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    refuse_other(folder, "one.yaml")
    write_plan(folder, "one.yaml")
    refuse_other(folder, "one.yaml")
    with pytest.raises(UsageError) as refused:
        refuse_other(folder, "two/one.yaml")
    said = str(refused.value)
    assert said.startswith(f"two/one.yaml: {folder} holds the results of one.yaml: ")
    assert f"remove {folder / 'plan.json'}" in said
    assert "\n" not in said


def test_a_configuration_is_the_same_however_its_path_is_written(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / "sub" / "own.yaml")
    written = ("sub/own.yaml", "./sub/own.yaml", str(tmp_path / "sub" / "own.yaml"), "sub/../sub/own.yaml")
    assert {load_config(path).source for path in written} == {"sub/own.yaml"}


def test_finished_results_are_listed_the_latest_first(tmp_path: Path, capsys) -> None:
    write_plan(tmp_path / "results" / "one", "one.yaml", finished_at=100)
    write_plan(tmp_path / "results" / "deep" / "two", "two.yaml", finished_at=200)
    write_json(tmp_path / "results" / "begun" / "plan.json", {"configuration": "begun.yaml"})
    assert [one.configuration for one in finished(tmp_path / "results")] == ["two.yaml", "one.yaml"]
