"""A page made of invented results, and the system's Chromium to open it in, cut off from any network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from adaclip.report.environment import write_environment
from adaclip.report.figures import write_figures
from adaclip.report.overview import write_overview
from adaclip.report.page.write import write_page
from adaclip.report.tables.write import write_tables
from tests.inventing import invent

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
#: So that Chromium asks nothing of the network by itself.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = "<script>window.hacked = 1</script>"
CONFIG: dict[str, Any] = {
    "title": "A page & its <tests>",
    "datasets": {"own": {"title": "Own <b>set</b>", "labels": ["image", "mask"], "categories": {HOSTILE: "thing"}}},
    "backbones": {"tiny": {"model": "tiny", "image_size": 56}},
    "experiments": {
        "first": {"title": "First", "auxiliary": ["isic"], "evaluate": ["mpdd", "headct", "own"], "seeds": [0, 1]},
        "plain": {"title": "Untrained", "method": "untrained", "auxiliary": [], "evaluate": ["mpdd", "headct", "own"]},
    },
    "tables": {
        "table_1_industrial": {
            "title": "Industrial sets",
            "answers": "Table 1",
            "sets": ["mpdd", "own"],
            "metrics": ["image.auroc", "pixel.auroc"],
            "rows": [{"title": "First", "experiments": ["first"]}, {"title": "Untrained", "experiments": ["plain"]}],
        }
    },
}


def missing(what: str, how: str) -> None:
    """Skip on a user's machine, fail where everything must be there."""
    reason = f"{what} is not installed: {how}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`index.html` of invented results."""
    folder = tmp_path_factory.mktemp("report")
    plan = invent(CONFIG, folder, pictures=True)
    results = plan.parent
    write_tables(plan, results / "tables", results / "summary.json")
    write_figures(plan, results / "figures")
    overviews = []
    for manifest in sorted((folder / "data" / "prepared").glob("*/manifest.csv")):
        out = results / "overview" / manifest.parent.name
        write_overview(manifest, out, jobs=1)
        overviews.append(out / "overview.json")
    page = results / "report" / "index.html"
    write_environment(plan, page.with_name("provenance.json"))
    write_page(
        plan,
        results / "summary.json",
        [results / "tables" / "index.json"],
        [results / "figures" / "index.json"],
        overviews,
        page,
        page.with_name("provenance.json"),
    )
    return page


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("ADACLIP_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        missing("Chromium", "apt-get install chromium, or name one in ADACLIP_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_report(report: Path, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens the page; at the end nothing may have gone to the console or to a network."""
    problems: list[str] = []
    contexts = []

    def open_it(width: int = 1280, scheme: Any = "light") -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(("file://", "data:")) else problems.append(f"request: {request.url}")
            ),
        )
        page.goto(report.as_uri())
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not problems


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    if not AXE.is_file():
        missing("axe-core", "make browser")
    return AXE.read_text(encoding="utf-8")
