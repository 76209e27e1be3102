"""What the pages print is tried: every block of YAML is planned, and every command is one that its program takes."""

from __future__ import annotations

import argparse
import functools
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml

from adaclip.cli import build_parser
from adaclip.cli.snakemake import words_of
from adaclip.data.registry import public_facts
from adaclip.plan.beforehand import plan_of
from adaclip.plan.config import load_config
from adaclip.plan.resolve import plan_document, targets
from adaclip.system.reading import parse_yaml

ROOT = Path(__file__).parents[2]
FOLDERS = ("", "docs", "docs/datasets", "config")
PAGES = sorted(page.relative_to(ROOT).as_posix() for name in FOLDERS for page in (ROOT / name).glob("*.md"))
#: Programs that are not ours to try, and words of the shell.
OTHERS = {"git", "cd", "source", "npm", "apt-get", "pip", "dvc"}
#: Configurations that a page prints, or that stand for the reader's own.
PRINTED = {"own.yaml", "toy.yaml", "config/shallow.yaml", "FILE", "a.yaml", "b.yaml"}


@dataclass(frozen=True)
class Printed:
    """Something that a page prints, and where."""

    page: str
    line: int
    text: str


def blocks(kind: str) -> Iterator[Printed]:
    """Fenced blocks of one language."""
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for found in re.finditer(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            yield Printed(page, text.count("\n", 0, found.start()) + 2, found[1])


def commands() -> Iterator[Printed]:
    """Single commands: of blocks, and of code in a sentence that begins with one of our programs."""
    for block in blocks("bash"):
        joined = re.sub(r"\\\n\s*", " ", block.text)
        for line in joined.splitlines():
            for command in line.partition(" #")[0].split("&&"):
                yield Printed(block.page, block.line, command.strip())
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for found in re.finditer(r"`((?:adaclip|snakemake|make|python) [^`]+)`", text):
            yield Printed(page, 0, " ".join(found[1].split()))


def is_open(command: str) -> bool:
    """Whether something is left for the reader to put in, so that no program takes it as it stands."""
    return "..." in command or "<" in command or "|" in command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with what the pages speak of: images, weights, and methods of the reader's own."""
    place = tmp_path_factory.mktemp("printed")
    shutil.copytree(ROOT / "config", place / "config")
    shutil.copytree(ROOT / "tests" / "toy_method", place, dirs_exist_ok=True)
    install_toy(place)
    (place / "weights").mkdir()
    torch.save({}, place / "weights" / "visa_pretrained.pth")
    for name in ("hazelnut_toy", "mvtec_grid", "headct", "bolts", "nuts"):
        (place / "photos" / name / "good").mkdir(parents=True)
        (place / "photos" / name / "good" / "1.png").touch()
    for name in ("alpha", "beta"):
        (place / "originals" / name / "good").mkdir(parents=True)
        (place / "originals" / name / "good" / "1.png").touch()
    return place


def install_toy(place: Path) -> None:
    """Beside the package, what an installation writes of its entry point."""
    facts = place / "toy_method-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-method\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[adaclip.methods]\ntoy_linear = toy_method.card:CARD\n")


def test_there_is_something_to_try():
    assert len(list(blocks("yaml"))) >= 10
    assert len(list(commands())) >= 40


@pytest.mark.parametrize("page", sorted({block.page for block in blocks("yaml")}))
def test_every_block_of_yaml_can_be_planned(folder, monkeypatch, page):
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    paper = {"extends": "paper.yaml"}
    for block in blocks("yaml"):
        if block.page != page:
            continue
        value = parse_yaml(block.text, f"{page}, line {block.line}")
        if not {"experiments", "extends"} <= value.keys() and "backbones" not in value:
            # A fragment changes the paper's configuration, with the fragments before it.
            for key, part in value.items():
                paper[key] = {**paper.get(key, {}), **part}
            value = paper
        elif "experiments" not in value:
            value = {**paper, **value}
        path = folder / "config" / "tried.yaml"
        path.write_text(yaml.safe_dump(value, sort_keys=False))
        plan_of(load_config(path))


@pytest.mark.parametrize("command", [pytest.param(one, id=f"{one.page}: {one.text}") for one in commands()])
def test_every_command_is_one(command, capsys):
    if is_open(command.text) or not command.text:
        return
    program, *words = shlex.split(command.text)
    if program == "adaclip":
        try_adaclip(words, whole=bool(command.line))
    elif program == "make":
        made = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert [word for word in words if "=" not in word and word not in made] == []
    elif program == "snakemake":
        try_snakemake(words)
    elif program == "python":
        assert (ROOT / words[0]).is_file()
        for option in words[1:]:
            assert not option.startswith("--") or option in (ROOT / words[0]).read_text()
    else:
        assert program in OTHERS, command


def try_adaclip(words: list[str], whole: bool) -> None:
    """Its parser takes the words; in a sentence, where the rest may be left out, it has the verb and the options."""
    parser = build_parser()
    if whole:
        parser.parse_args(words)
        return
    words = list(words)
    while words and (verbs := [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]):
        if words[0].startswith("-"):
            break
        parser = verbs[0].choices[words.pop(0)]
    assert [word for word in words if word.startswith("--") and word not in parser._option_string_actions] == []


def try_snakemake(words: list[str]) -> None:
    """Its parser takes the words, the configurations are there or printed, and the targets are in the paper's plan."""
    from snakemake.cli import get_argument_parser

    taken = get_argument_parser().parse_args(words)
    files, _ = words_of(words)
    assert [file for file in files if file not in PRINTED and not (ROOT / file).is_file()] == []
    known = {"all", "prepared", "table_rates", *targets(paper_document())}
    assert [target for target in taken.targets if target not in known and target != "NAME"] == []


@functools.cache
def paper_document() -> dict[str, object]:
    registry, plan = plan_of(load_config(ROOT / "config" / "paper.yaml"))
    return plan_document(plan, {name: public_facts(registry[name]) for name in plan.sets})
