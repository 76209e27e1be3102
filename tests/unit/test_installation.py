"""What is installed: requirements.lock has all that pyproject.toml asks for, and environment.yml installs the lock."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())

WANTED = [
    requirement
    for lines in (PROJECT["dependencies"], *EXTRAS.values())
    for requirement in map(Requirement, lines)
    if requirement.name != PROJECT["name"]  # an extra that takes in others
]
LOCKED = {
    canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", LOCK, re.MULTILINE)
}


@pytest.mark.parametrize("wanted", [pytest.param(wanted, id=wanted.name) for wanted in WANTED])
def test_the_lock_has_what_is_asked_for(wanted: Requirement):
    assert LOCKED[canonicalize_name(wanted.name)] in wanted.specifier


def test_the_lock_was_made_by_make_lock():
    command = re.search(r"^#    (uv pip compile .*)$", LOCK, re.MULTILINE)
    assert command is not None
    assert "--extra all --extra dev " in command[1]
    assert f"$(BIN)/{command[1]}\n" in (ROOT / "Makefile").read_text()


def test_the_environment_installs_the_lock():
    plain = [line for line in ENVIRONMENT["dependencies"] if isinstance(line, str)]
    pip = [line["pip"] for line in ENVIRONMENT["dependencies"] if isinstance(line, dict)]
    assert pip == [["-r requirements.lock"]]
    assert "pip" in plain
    (python,) = (line.removeprefix("python=") for line in plain if line.startswith("python="))
    assert f"--python-version {python} " in LOCK
    assert python in SpecifierSet(PROJECT["requires-python"])
