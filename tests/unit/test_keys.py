"""The page of all configuration keys says what the schema says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from adaclip.cli import main
from adaclip.data.registry import load_registry
from adaclip.plan.config import parse_config
from adaclip.plan.reference import BEGIN, END, keys, write_keys
from adaclip.plan.resolve import make_plan
from adaclip.system.schema import load_schema

PAGE = Path(__file__).parents[2] / "config" / "README.md"
#: What the examples of the page build on.
BASE: dict[str, Any] = {
    "sets": ["mvtec", "colondb", "visa", "isic"],
    "backbones": {"tiny": {"model": "tiny"}},
    "experiments": {"x": {"auxiliary": ["mvtec"]}},
}


def test_the_page_is_up_to_date(tmp_path):
    shutil.copy(PAGE, tmp_path)
    assert not write_keys(tmp_path / "README.md")


def test_every_key_of_the_schema_has_a_row():
    schema = load_schema("config")
    named = {key for part in (schema, *schema["$defs"].values()) for key in part.get("properties", {})}
    shown = set(re.findall(r"^\| `(?:[\w.]*\.)?(\w+)` \|", keys(), re.MULTILINE))
    assert named - shown == set()


def test_a_row_says_default_and_limits():
    rows = {line.split("|")[1].strip(): line for line in keys().splitlines() if line.startswith("| `")}
    own = keys().split("### Method `adaclip`: `train:`")[1].split("###")[0]
    assert "| number > 0 | `0.01` |" in own
    assert "### Method `winclip`: `model:`" in keys()
    assert '| `warn`, `refuse`, `deduplicate` | `"warn"` |' in rows["`leakage`"]


def test_a_page_without_marks_is_refused_and_left_alone(tmp_path, capsys):
    page = tmp_path / "x.md"
    page.write_text("# Mine\n")
    assert main(["keys", str(page)]) == 1
    assert "lacks the line" in capsys.readouterr().err
    assert page.read_text() == "# Mine\n"


def test_only_the_block_changes(tmp_path):
    page = tmp_path / "x.md"
    page.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n")
    assert write_keys(page)
    assert page.read_text() == f"above\n{BEGIN}\n{keys()}\n{END}\nbelow\n"


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL))
def test_the_examples_are_valid(example):
    value = yaml.safe_load(example)
    extended = value.pop("extends", None)
    if extended:
        paper = yaml.safe_load((PAGE.parent / extended).read_text())
        value = {**paper, **value, "tables": {}, "curves": {}}
    elif "tables" in value:
        rates = {"auxiliary": ["mvtec"], "sweep": {"train.learning_rate": [0.1, 0.01]}}
        value = {**BASE, **value, "experiments": {"rates": rates}}
    elif "backbones" not in value:
        value = {**BASE, **value}
    config = parse_config(value, "example")
    assert make_plan(config, load_registry(config.datasets)).evaluations()
