"""docs/methods.md shows the very files that are installed and benchmarked by tests/workflow/test_plugin.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adaclip import check_method
from adaclip.methods.registry import GROUP
from adaclip.runs.check_method import CHECKS

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests" / "toy_method"
PAGE = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
#: Fenced code that is called by the name of a file in the line before.
SHOWN = dict(re.findall(r"^`([\w./]+)`[^\n]*:\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
FILES = sorted(
    path.relative_to(TOY).as_posix() for path in TOY.rglob("*") if path.is_file() and "__pycache__" not in path.parts
)


def test_every_file_is_shown_and_nothing_else():
    assert sorted(SHOWN) == FILES


@pytest.mark.parametrize("file", FILES)
def test_what_is_shown_is_the_file(file):
    assert SHOWN[file] == (TOY / file).read_text(encoding="utf-8")


def test_the_entry_point_is_in_the_group_that_is_looked_at():
    assert f'[project.entry-points."{GROUP}"]' in SHOWN["pyproject.toml"]


def test_every_check_is_told_in_order():
    table = PAGE.partition("## What is checked")[2]
    assert re.findall(r"^\| ([^|]+) \| [^|]+ \|$", table, re.MULTILINE) == [title for title, _, _ in CHECKS]


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).is_file(), target


@pytest.mark.parametrize("method", ["toy_method.card:CARD", "my_module:MyMethod"])
def test_the_examples_keep_the_contract(method, monkeypatch):
    monkeypatch.syspath_prepend(str(TOY))
    assert check_method(method)[0] == "the card"
