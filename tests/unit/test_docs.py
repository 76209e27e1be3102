"""What pages lead to is there. Those about the data sets say what the table says; hand-written text around it stays."""

from __future__ import annotations

import dataclasses
import importlib
import re
import shutil
from pathlib import Path

import pytest

from adaclip.cli import main
from adaclip.data.docs import BEGIN, END, facts, write_docs
from adaclip.data.registry import load_registry
from adaclip.errors import AdaclipError

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "datasets"
#: Every page, by its path.
TEXTS = {
    page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8")
    for folder in ("", "config", "docs", "docs/datasets", "tests/golden")
    for page in sorted((ROOT / folder).glob("*.md"))
}
#: Folders of this tree; what stands below `data` and `results` is made by a run.
FOLDERS = "adaclip|benchmarks|config|docs|profiles|tests|workflow"
#: Files that a reader is told to write.
WRITTEN = {"config/shallow.yaml"}
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


def anchors(text: str) -> list[str]:
    """What headings are called in a link: small letters, without punctuation, hyphens between the words."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\((?!http)([^)\s]+)\)", TEXTS[page]):
        file, _, anchor = target.partition("#")
        path = (ROOT / page).parent / file if file else ROOT / page
        assert path.exists(), f"{page}: {target}"
        assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), f"{page}: {target}"


@pytest.mark.parametrize("page", TEXTS)
def test_paths_in_this_tree_are_there(page: str) -> None:
    named = re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", TEXTS[page])
    assert [path for path in named if path not in WRITTEN and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", [page for page in TEXTS if page != "CHANGELOG.md"])
def test_public_names_are_there(page: str) -> None:
    for name in re.findall(r"\badaclip((?:\.[A-Za-z_]\w*)+)", re.sub(r"https?://\S+", "", TEXTS[page])):
        found = importlib.import_module("adaclip")
        for part in name.split(".")[1:]:
            if not hasattr(found, part):
                importlib.import_module(f"{found.__name__}.{part}")
            found = getattr(found, part)


def test_the_pages_name_what_is_looked_for() -> None:
    """No pattern above may come to nothing when pages are written anew."""
    everything = "\n".join(TEXTS.values())
    assert len(re.findall(r"\]\((?!http)[^)\s]+#[^)\s]+\)", everything)) >= 2
    assert len(re.findall(rf"`(?:{FOLDERS})/[\w./-]*`", everything)) >= 20
    assert len(re.findall(r"\badaclip\.load_method\b", everything)) >= 1


def test_the_house_has_the_files_of_its_picture() -> None:
    house = TEXTS["docs/design.md"].partition("## The house")[2]
    rows = re.findall(r"^\| `(\w+)/` \| (.*) \| [^|]* \|$", house, re.MULTILINE)
    assert len(rows) >= 10
    for room, files in rows:
        for file in re.findall(r"`([\w/]+(?:\.\w+|/))`", files):
            assert list((ROOT / "adaclip" / room).rglob(file)) or (ROOT / "adaclip" / file).exists(), f"{room}: {file}"
    for room, file in re.findall(r"\b([a-z]+)/([a-z_]+)\b", "".join(re.findall(r"```(.*?)```", house, re.DOTALL))):
        if (room, file) != ("data", "raw"):
            place = ROOT / ("workflow" if room == "workflow" else f"adaclip/{room}") / file
            assert place.exists() or place.with_suffix(".py").exists(), f"{room}/{file}"


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
