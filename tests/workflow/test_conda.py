"""The rules' `conda:` names an environment that is there, and Snakemake runs the jobs in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.workflow.project import ROOT, make_project

pytestmark = pytest.mark.workflow

#: What Snakemake asks of conda: where it is, its version, and what an environment holds.
CONDA = """#!/bin/sh
case "$*" in
  "info --json") cat "$(dirname "$0")/info.json" ;;
  "--version") echo "conda 25.1.1" ;;
  "config --get channel_priority --json") echo '{"get": {"channel_priority": "strict"}}' ;;
  "env export --name adaclip-bench"|"env export --name 'adaclip-bench'") cat "$(dirname "$0")/../environment.yml" ;;
  *) echo "conda $*: not known here" >&2; exit 1 ;;
esac
"""
ACTIVATE = """echo "$1" >> "$(dirname "$BASH_SOURCE")/../activated"
"""


def make_conda(folder: Path) -> Path:
    """A conda that knows one environment, and notes what is activated; the folder for PATH."""
    commands = folder / "bin"
    commands.mkdir(parents=True)
    (commands / "info.json").write_text(json.dumps({"conda_prefix": str(folder), "platform": "linux-64"}))
    (commands / "conda").write_text(CONDA)
    (commands / "conda").chmod(0o755)
    (commands / "activate").write_text(ACTIVATE)
    (folder / "environment.yml").write_bytes((ROOT / "environment.yml").read_bytes())
    return commands


def test_jobs_run_in_the_environment_of_environment_yml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = yaml.safe_load((ROOT / "environment.yml").read_text())["name"]
    project = make_project(tmp_path / "project")
    commands = make_conda(tmp_path / "conda")
    monkeypatch.setenv("PATH", str(commands), prepend=":")
    said = project.run("--cores", "1", "--software-deployment-method=conda", "prepared")
    assert (project.folder / "data/prepared/alpha/manifest.csv").is_file(), said
    activated = (tmp_path / "conda/activated").read_text().split()
    assert activated == [name] * 3, "one job for each of three sets"
