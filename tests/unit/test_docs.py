"""The pages about the data sets say what the table says, and hand-written text around it stays."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import pytest

from adaclip.cli import main
from adaclip.data.docs import BEGIN, END, facts, write_docs
from adaclip.data.registry import load_registry
from adaclip.errors import AdaclipError

PAGES = Path(__file__).parents[2] / "docs" / "datasets"
SECTIONS = ("The original", "What is done to it, and why", "What differs from the reference")


def test_pages_are_up_to_date(tmp_path: Path) -> None:
    shutil.copytree(PAGES, tmp_path / "pages")
    assert write_docs(load_registry(), tmp_path / "pages") == []


def test_every_set_has_a_page_with_every_section() -> None:
    registry = load_registry()
    assert {path.stem for path in PAGES.glob("*.md")} == {"README", *registry}
    for name in registry:
        headings = re.findall(r"^## (.*)$", (PAGES / f"{name}.md").read_text(encoding="utf-8"), re.MULTILINE)
        assert tuple(headings) == SECTIONS, name


def test_links_lead_somewhere() -> None:
    for page in PAGES.glob("*.md"):
        for target in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text(encoding="utf-8")):
            file, _, anchor = target.partition("#")
            text = (PAGES / file).read_text(encoding="utf-8")
            headings = [heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
            assert not anchor or anchor in headings, f"{page.name}: {target}"


def test_only_the_block_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "headct.md"
    page.write_text(f"# Mine\n\nabove\n\n{BEGIN}\nold facts\n{END}\n\nbelow\n", encoding="utf-8")
    assert main(["data", "docs", "--out", str(tmp_path)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# Mine\n\nabove\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nbelow\n")
    assert "old facts" not in text
    assert facts(load_registry()["headct"]) in text
    assert f"changed {page}" in capsys.readouterr().out
    assert write_docs(load_registry(), tmp_path) == []


def test_a_changed_fact_changes_its_page(tmp_path: Path) -> None:
    registry = load_registry()
    write_docs(registry, tmp_path)
    changed = dataclasses.replace(registry["btad"], licence="CC0", accept=False, test={"normal": 5, "anomalous": 7000})
    assert write_docs({**registry, "btad": changed}, tmp_path) == [tmp_path / "README.md", tmp_path / "btad.md"]
    text = (tmp_path / "btad.md").read_text(encoding="utf-8")
    assert "5 normal, 7,000 anomalous" in text
    assert f"[CC0]({changed.licence_url}) |" in text


def test_a_page_without_its_mark_is_named(tmp_path: Path) -> None:
    (tmp_path / "isic.md").write_text(f"{BEGIN}\n", encoding="utf-8")
    with pytest.raises(AdaclipError, match=r"isic\.md lacks the line '<!-- End"):
        write_docs(load_registry(), tmp_path)
