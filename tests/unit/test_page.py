"""The report page, without a browser."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.errors import AdaclipError
from adaclip.report.document import Cell, Column, FigureDoc, TableDoc, write_figures_index, write_tables_index
from adaclip.report.environment import write_environment
from adaclip.report.page.headline import headline
from adaclip.report.page.write import write_page
from adaclip.report.panels import panels_of
from adaclip.report.results import Results
from tests.inventing import invent

CONFIG = {
    "datasets": {"own": {"labels": ["image", "mask"]}},
    "backbones": {"tiny": {"model": "tiny", "image_size": 56}},
    "experiments": {
        "first": {"title": "First", "auxiliary": ["isic"], "evaluate": ["mpdd", "own"]},
        "plain": {"method": "untrained", "auxiliary": [], "evaluate": ["mpdd", "own"]},
    },
}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = invent(CONFIG, tmp_path_factory.mktemp("page"), pictures=True)
    results = plan.parent
    note = {"a": "First note.", "b": "Second note."}
    row = (Cell("MPDD"), Cell("89.2", 89.2, best=True, notes=("b",)))
    table = TableDoc("t", "T", "", "measured", (Column("set", "Set"), Column("x", "X", "percent")), (row,), note)
    write_tables_index(results / "tables" / "index.json", [table])
    figure = FigureDoc("f", "F", "Caption.", "Alt.", "measured")
    write_figures_index(results / "figures" / "index.json", [figure])
    (results / "figures" / "f.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    Image.new("RGB", (30, 20)).save(results / "figures" / "f.png")
    write_environment(plan, results / "provenance.json")
    (results / "summary.json").write_text("{}")
    return plan


def write(plan: Path, out: Path, **options: bool) -> str:
    root = plan.parent
    tables, figures = [root / "tables" / "index.json"], [root / "figures" / "index.json"]
    write_page(plan, root / "summary.json", tables, figures, [], out, root / "provenance.json", **options)
    return out.read_text()


def test_asks_nothing_of_a_network(plan, tmp_path):
    page = write(plan, tmp_path / "index.html")
    asked = re.findall(r'(?:src|href)="(?!data:|#|https://doi|https://arxiv)([^"]*)"', page)
    # Files beside the page may be followed, but nothing is loaded from them.
    assert all(re.fullmatch(r"[\w./-]+\.csv", address) for address in asked), asked


def test_a_note_stands_at_its_figure_under_its_key(plan, tmp_path):
    page = write(plan, tmp_path / "index.html")
    assert re.search(
        r'89\.2<span class="sr"> \(best\)</span><sup><a href="#t-note-2" aria-label="note b">b</a></sup>', page
    )
    assert '<li id="t-note-2"><sup>b</sup> Second note.</li>' in page


def test_pictures_of_others_are_left_out_on_demand(plan, tmp_path):
    results = Results(plan)
    [found] = [e for e in results.evaluations if e.set == "mpdd" and e.experiment["name"] == "first"]
    image = panels_of(found, results.sets["mpdd"]).panels[0].image
    assert image in write(plan, tmp_path / "all.html")
    public = write(plan, tmp_path / "public.html", third_party=False)
    assert image not in public
    assert "belong to others" in public
    [own] = [e for e in results.evaluations if e.set == "own" and e.experiment["name"] == "first"]
    assert panels_of(own, results.sets["own"]).panels[0].image in public


def test_the_overlay_is_brightest_where_the_map_is_highest(plan):
    results = Results(plan)
    found = next(e for e in results.evaluations if e.set == "mpdd")
    group = panels_of(found, results.sets["mpdd"], pictures=False)
    with np.load(found.folder / "panels.npz") as stored:
        index = int(stored["maps"].max(axis=(1, 2)).argmax())
        highest = float(stored["maps"][index].mean())
        lowest = float(stored["maps"].mean(axis=(1, 2)).min())
    assert group.high >= highest > lowest >= group.low
    content = base64.b64decode(group.panels[index].overlay.partition(",")[2])
    bright = np.asarray(Image.open(io.BytesIO(content)).convert("L")).mean()
    darkest = min(
        np.asarray(Image.open(io.BytesIO(base64.b64decode(p.overlay.partition(",")[2]))).convert("L")).mean()
        for p in group.panels
    )
    assert bright > darkest


def test_equal_files_give_an_equal_page(plan, tmp_path):
    assert write(plan, tmp_path / "one.html") == write(plan, tmp_path / "two.html")


def test_shows_what_was_recorded_and_not_this_machine(plan, tmp_path):
    recorded = json.loads((plan.parent / "provenance.json").read_text())
    recorded["packages"]["torch"] = "9.9.9"
    recorded["devices"] = {"NVIDIA <H100>": 3}
    recorded["data"]["mpdd"]["archives"] = {"mpdd.zip": "f" * 64}
    other = tmp_path / "provenance.json"
    other.write_text(json.dumps(recorded))
    root = plan.parent
    write_page(plan, root / "summary.json", [], [], [], tmp_path / "index.html", other)
    page = (tmp_path / "index.html").read_text()
    assert "torch 9.9.9" in page
    assert "NVIDIA &lt;H100&gt; (3 jobs)" in page
    assert f"<td>mpdd.zip</td><td><code>{'f' * 64}</code></td>" in page


def test_only_the_pages_own_scripts_may_run(plan, tmp_path):
    page = write(plan, tmp_path / "index.html")
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    allowed = re.findall(r"script-src ([^;]*);", page)[0].split()
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert allowed == [f"'sha256-{digest}'" for digest in digests]
    assert len(allowed) == 2


def test_what_comes_from_data_is_escaped(plan, tmp_path):
    hostile = "<script>alert(1)</script>"
    column = Column("x", hostile, filter=True, group=hostile)
    cell = Cell(hostile, notes=("*",), href='javascript:"><script>alert(1)</script>')
    table = TableDoc("t", hostile, hostile, "paper", (column,), ((cell,),), {"*": hostile}, group=hostile)
    write_tables_index(tmp_path / "index.json", [table])
    root = plan.parent
    out = tmp_path / "index.html"
    write_page(plan, root / "summary.json", [tmp_path / "index.json"], [], [], out, root / "provenance.json")
    page = out.read_text()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_a_picture_has_its_size_so_that_the_page_does_not_move(plan, tmp_path):
    page = write(plan, tmp_path / "index.html")
    images = re.findall(r"<img [^>]*>", page)
    assert len(images) > 5
    assert all(re.search(r'width="\d+" height="\d+"', image) for image in images)
    assert any('width="30" height="20"' in image for image in images)


def test_a_missing_index_is_one_line(plan, tmp_path):
    root = plan.parent
    with pytest.raises(AdaclipError, match="nowhere"):
        write_page(
            plan, root / "summary.json", [tmp_path / "nowhere"], [], [], tmp_path / "x", root / "provenance.json"
        )


def test_a_missing_figure_is_one_line(plan, tmp_path):
    broken = tmp_path / "figures"
    broken.mkdir()
    write_figures_index(broken / "index.json", [FigureDoc("gone", "F", "C.", "A.", "measured")])
    root = plan.parent
    with pytest.raises(AdaclipError, match="gone"):
        write_page(
            plan,
            root / "summary.json",
            [],
            [broken / "index.json"],
            [],
            tmp_path / "x.html",
            root / "provenance.json",
        )
    assert not (tmp_path / "x.html").exists()


def test_headline_counts_what_lies_near_the_published_figures(plan):
    results = Results(plan)
    summary = {
        "first": {
            "average": {"pixel_auroc": 90.0},
            "mpdd": {"pixel_auroc_minus_published": 1.2, "image_auroc_minus_published": -8.0},
            "own": {"pixel_auroc": 90.0},
        }
    }
    first, second, *_ = headline(results, summary).sentences
    assert first.startswith("2 figures stand beside a published one. 1 of them lies within 1.5 points")
    assert "Image AUROC on MPDD by First (\N{MINUS SIGN}8.0)" in second
    assert "median distance is 4.6" in first


def test_panels_say_why_they_were_kept(plan, tmp_path):
    page = write(plan, tmp_path / "index.html")
    results = Results(plan)
    found = next(e for e in results.evaluations if e.set == "mpdd" and e.experiment["name"] == "first")
    with np.load(found.folder / "panels.npz") as stored:
        roles = stored["role"].tolist()
    assert [panel.role for panel in panels_of(found, results.sets["mpdd"]).panels] == roles
    for role in set(roles):
        assert f"<b>{role}</b> " in page
