"""Cases of the report: drawn images never compete with real ones, and what a page says agrees with its tables."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adaclip.data.prepare import prepare
from adaclip.data.registry import load_registry
from adaclip.data.simulate import draw_tree
from adaclip.literature.published import literature
from adaclip.metrics.names import METRICS
from adaclip.report.document import read_figures_index, read_tables_index
from adaclip.report.environment import write_environment
from adaclip.report.figures import write_figures
from adaclip.report.file_names import figure_names
from adaclip.report.page.headline import headline
from adaclip.report.page.write import write_page
from adaclip.report.results import Results
from adaclip.report.tables.compare import compare
from adaclip.report.tables.write import write_tables
from adaclip.system.files import read_json, write_json
from tests.inventing import invent

ROW: dict[str, Any] = {"published": {"method": "AdaCLIP", "source": "arXiv:2407.15795v1 Table 1"}}
OTHER: dict[str, Any] = {"published": {"method": "APRIL-GAN", "source": "arXiv:2407.15795v1 Table 1"}}
CONFIG: dict[str, Any] = {
    "title": "Simulated and real",
    "datasets": {"own": {"title": "Own parts", "labels": ["image", "mask"]}},
    "backbones": {"tiny": {"model": "tiny", "image_size": 56}},
    "experiments": {
        "first": {"title": "First", "auxiliary": ["isic"], "evaluate": ["mpdd", "btad", "own"]},
        "plain": {"title": "Plain", "method": "untrained", "auxiliary": [], "evaluate": ["mpdd", "btad", "own"]},
    },
    "tables": {
        "industrial": {
            "title": "Industrial sets",
            "sets": ["mpdd", "btad"],
            "metrics": ["image.auroc", "pixel.auroc"],
            "rows": [
                {"title": "Other", **OTHER},
                {"title": "AdaCLIP", "experiments": ["first"], **ROW},
                {"title": "Plain", "experiments": ["plain"]},
            ],
        }
    },
}


class Made:
    """The tables of an invented run."""

    def __init__(self, config: Mapping[str, Any], folder: Path, drawn: Mapping[str, bool] | None = None) -> None:
        self.plan = invent(config, folder)
        self.root = self.plan.parent
        for name, simulated in (drawn or {}).items():
            path = folder / "data" / "prepared" / name / "prepared.json"
            write_json(path, {**read_json(path), "simulated": simulated})
        write_tables(self.plan, self.root / "tables", self.root / "summary.json", self.root / "metrics")
        self.results = Results(self.plan)
        self.documents = {table.name: table for table in read_tables_index(self.root / "tables" / "index.json")}

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.root / "tables" / f"{name}.csv").open(encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    def text(self, name: str) -> str:
        return (self.root / "tables" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """All built-in sets are drawn."""
    return Made({**CONFIG, "simulate": {"images": 4}}, tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """MPDD is drawn, all others are real."""
    folder = tmp_path_factory.mktemp("mixed")
    return Made(CONFIG, folder, {"mpdd": True, "btad": False, "isic": False, "own": False})


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(CONFIG, tmp_path_factory.mktemp("real"))


def test_drawn_images_have_no_ranks_no_bold_and_no_differences(drawn):
    for row in drawn.rows("industrial"):
        assert not row["rank"], row
        assert (row["best"], row["second"]) == ("False", "False")
        assert row["kind"] != "difference"
        assert row["simulated"] == str(row["kind"] == "measured")
    assert not re.search(r"\*\*|<u>", drawn.text("industrial.md"))
    assert not re.search(r"\\textbf|\\underline", drawn.text("industrial.tex"))
    assert drawn.rows("reproduction") == []
    assert drawn.documents["reproduction"].rows == ()
    for name in ("summary.json", *(f"metrics/{name}.json" for name in ("first", "plain"))):
        assert "minus_published" not in (drawn.root / name).read_text(), name


def test_real_images_still_compete(real):
    rows = real.rows("industrial")
    assert any(row["rank"] for row in rows)
    assert any(row["kind"] == "difference" and row["value"] for row in rows)
    assert real.rows("reproduction")
    assert "minus_published" in (real.root / "summary.json").read_text()
    assert "§" not in real.text("industrial.md")
    assert any(row["kind"] == "measured" and row["rank"] for row in real.rows("leaderboard"))


def test_drawn_images_have_no_place_on_the_leaderboard(drawn):
    rows = drawn.rows("leaderboard")
    assert {row["set"] for row in rows if row["kind"] == "published"} <= {"mpdd", "btad", "own"}
    assert not any(row["kind"] == "measured" and row["set"] != "own" for row in rows)
    assert not any(row["rank"] for row in rows if row["set"] != "own")


def test_every_row_with_drawn_images_is_marked(drawn):
    for name in ("results", "averages", "categories", "seeds"):
        table = drawn.documents[name]
        for row, full in zip(table.rows, drawn.rows(name), strict=True):
            # First is trained on drawn images, Plain on nothing: on the user's own set only that is real.
            expected = not (full["experiment"] == "plain" and full.get("set", full.get("sets")) in ("own", "custom"))
            assert full["simulated"] == str(expected), (name, full)
            assert any("§" in cell.notes for cell in row) == expected, (name, full)
        assert "Simulated images" in table.notes["§"]
    summary = read_json(drawn.root / "summary.json")
    assert summary["first"]["mpdd"]["simulated"] is True
    assert "simulated" not in summary["plain"]["own"]
    assert read_json(drawn.root / "metrics" / "first.json")["simulated"] is True
    data = {row["set"]: row["simulated"] for row in drawn.rows("data")}
    assert data == {"mpdd": "True", "btad": "True", "isic": "True", "own": "False"}


def test_one_drawn_set_among_real_ones_competes_with_nothing(mixed):
    rows = mixed.rows("industrial")
    for row in rows:
        if row["set"] == "btad":
            continue
        # The average is over the drawn set too.
        assert not row["rank"], row
        assert row["kind"] != "difference" or not row["value"]
    assert all(row["rank"] for row in rows if row["set"] == "btad" and row["kind"] != "difference")
    assert all(row["value"] for row in rows if row["set"] == "btad" and row["kind"] == "difference")
    measured = {row["set"] for row in mixed.rows("leaderboard") if row["kind"] == "measured"}
    assert measured == {"btad", "own"}
    by_set = read_json(mixed.root / "summary.json")["first"]
    assert "simulated" in by_set["mpdd"]
    assert "simulated" not in by_set["btad"]
    assert "pixel_auroc_minus_published" in by_set["btad"]
    assert "MPDD" in headline(mixed.results, read_json(mixed.root / "summary.json")).sentences[0]


def test_a_model_that_drawn_images_trained_competes_with_nothing(tmp_path):
    made = Made(CONFIG, tmp_path, {"isic": True})
    rows = [row for row in made.rows("industrial") if row["row"] == "AdaCLIP" and row["kind"] == "measured"]
    assert rows
    assert not any(row["rank"] for row in rows)
    assert not [row for row in made.rows("industrial") if row["kind"] == "difference"]


def test_a_prepared_set_knows_that_it_was_drawn_wherever_it_was_copied(tmp_path):
    draw_tree("headct", tmp_path / "tree", images=4, size=64)
    registry = load_registry({"parts": {"raw": str(tmp_path / "tree")}})
    prepare(registry["parts"], tmp_path / "tree", tmp_path / "drawn", jobs=1)
    assert read_json(tmp_path / "drawn" / "prepared.json")["simulated"] is True
    (tmp_path / "tree" / "SIMULATED.txt").unlink()
    prepare(registry["parts"], tmp_path / "tree", tmp_path / "real", jobs=1)
    assert read_json(tmp_path / "real" / "prepared.json")["simulated"] is False


def test_own_data_show_only_leaderboards_of_their_own_sets(tmp_path):
    own = {
        "datasets": {"own": {"title": "Own", "labels": ["image", "mask"]}, "aux": {"labels": ["image", "mask"]}},
        "backbones": CONFIG["backbones"],
        "experiments": {
            "first": {"title": "First", "auxiliary": ["aux"], "evaluate": ["own"]},
            "plain": {"title": "Plain", "method": "untrained", "auxiliary": [], "evaluate": ["own"]},
        },
    }
    rows = Made(own, tmp_path).rows("leaderboard")
    assert {row["set"] for row in rows} == {"own"}
    for level, metric in METRICS:
        ours = [row for row in rows if (row["level"], row["metric"]) == (level, metric)]
        assert sorted(row["rank"] for row in ours) == ["1", "2"]


def test_headline_figures_agree_with_the_first_table(real):
    head = headline(real.results, read_json(real.root / "summary.json"))
    [sentence] = [one for one in head.sentences if "untrained has" in one]
    figures = re.findall(r"\d+\.\d", sentence)
    column = [column.key for column in head.table.columns].index("pixel_auroc")
    shown = [row[column].text for row in head.table.rows]
    assert len(figures) == 2
    assert all(figure in shown for figure in figures)
    # And that table with the averages, figure by figure, as printed.
    averages = {row["experiment"]: row for row in real.rows("averages") if row["sets"] == "all"}
    for row, name in zip(head.table.rows, ("first", "plain"), strict=True):
        assert row[column].value == pytest.approx(100 * float(averages[name]["pixel_auroc"]))


def test_headline_figures_over_shared_sets_stand_in_the_table_too(tmp_path):
    config = json.loads(json.dumps(CONFIG))
    config["experiments"]["plain"]["evaluate"] = ["mpdd", "own"]
    del config["tables"]
    made = Made(config, tmp_path)
    head = headline(made.results, read_json(made.root / "summary.json"))
    [sentence] = [one for one in head.sentences if "untrained has" in one]
    column = [column.key for column in head.table.columns].index("pixel_auroc")
    rows = {row[0].text: row[column].text for row in head.table.rows}
    assert re.findall(r"\d+\.\d", sentence) == [rows["First, on the sets of Plain"], rows["Plain"]]


def test_one_thing_is_never_called_many(tmp_path):
    config = {
        "datasets": {"own": {"labels": ["image", "mask"]}},
        "backbones": CONFIG["backbones"],
        "experiments": {"only": {"method": "clip", "evaluate": ["own"]}},
    }
    made = Made(config, tmp_path)
    facts = [f"{fact.number} {fact.what}" for fact in headline(made.results, {}).facts]
    assert facts[:4] == ["1 experiment", "1 checkpoint or baseline", "1 zero-shot evaluation", "1 set evaluated"]
    assert {row["source"] for row in made.rows("leaderboard")} == {"this run, 1 seed"}


def test_every_table_names_its_runs_and_its_file(real):
    for name, table in real.documents.items():
        assert table.csv == f"{name}.csv"
        assert (real.root / "tables" / table.csv).is_file()
        assert set(table.runs) <= {"first", "plain"}
        # What is known of data and of methods comes from no run.
        assert table.runs or name in ("data", "fairness"), name
        for run in table.runs:
            assert run in real.text(f"{name}.md").rpartition("From ")[2]


def test_comparison_of_drawn_images_says_why_there_is_no_difference(mixed):
    comparison = compare(mixed.results.plan["tables"][0], mixed.results, literature(own=None), ())
    [line] = [index for index, line in enumerate(comparison.lines) if line.kind == "difference"]
    point = next(point for point in comparison.points if point.set == "mpdd")
    assert comparison.at(line, point, ("image", "auroc")).reason == "measured on simulated images"


def test_figures_that_would_only_say_that_there_is_nothing_are_left_out(tmp_path):
    config = json.loads(json.dumps(CONFIG))
    del config["tables"]
    for experiment in config["experiments"].values():
        experiment["evaluate"] = ["headct"]
    plan = invent(config, tmp_path, pictures=True)
    # That HeadCT has no masks is known beforehand.
    assert not [name for name in figure_names(read_json(plan)) if "pixel" in name]
    # What the user's own set has may be known only when it is there.
    config["datasets"]["own"].pop("labels")
    for experiment in config["experiments"].values():
        experiment["evaluate"] = ["own"]
    plan = invent(config, tmp_path / "own", pictures=True)
    for metrics in plan.parent.glob("runs/*/*/own/metrics.json"):
        value = read_json(metrics)
        judged = (value, *value["protocols"].values())
        for part in (entry for one in judged for entry in (one["mean"], *one["categories"].values())):
            part["pixel"] = dict.fromkeys(part["pixel"])
        for part in value["categories"].values():
            part["undefined"] = {f"pixel.{metric}": "no masks" for metric in part["pixel"]}
        write_json(metrics, value)
        curves = metrics.with_name("curves.json")
        write_json(curves, {**read_json(curves), "pixel": {}})
    out = plan.parent / "figures"
    write_figures(plan, out)
    assert {path.name for path in out.iterdir()} == set(figure_names(read_json(plan)))
    shown = read_figures_index(out / "index.json")
    assert shown
    assert not [figure.name for figure in shown if "pixel" in figure.name]
    assert not [figure.name for figure in shown if re.search(r"No set has|has no labels", figure.alt + figure.caption)]


def test_captions_say_once_what_all_figures_share(tmp_path):
    plan = invent(CONFIG, tmp_path, pictures=True)
    root = plan.parent
    write_tables(plan, root / "tables", root / "summary.json")
    write_figures(plan, root / "figures")
    write_environment(plan, root / "provenance.json")
    indexes = [root / "tables" / "index.json"], [root / "figures" / "index.json"]
    page = root / "report" / "index.html"
    write_page(plan, root / "summary.json", *indexes, [], page, root / "provenance.json")
    text = page.read_text(encoding="utf-8")
    for sentence in ("hatched cells are sets that the row", "Best in bold"):
        assert text.count(sentence) == 1, sentence
    # Settings stand once in each section that has figures: with the methods, and with the measurements.
    assert text.count("maps smoothed with sigma") == 2
    for name in ("industrial", "results", "leaderboard"):
        assert f'<a href="../tables/{name}.csv">{name}.csv</a>. From ' in text


def test_figures_mark_drawn_sets_and_models_that_they_trained(tmp_path):
    plan = invent(CONFIG, tmp_path, pictures=True)
    for name, simulated in {"mpdd": True, "btad": False, "isic": False, "own": False}.items():
        path = tmp_path / "data" / "prepared" / name / "prepared.json"
        write_json(path, {**read_json(path), "simulated": simulated})
    results = Results(plan)
    assert (results.title("mpdd"), results.title("btad")) == ("MPDD §", "BTAD")
    assert results.marked("First", [results.by_name["first"]]) == "First"
    write_figures(plan, plan.parent / "figures")
    # Text is drawn as shapes; what stands for it in words has the sign.
    alt = {figure.name: figure.alt for figure in read_figures_index(plan.parent / "figures" / "index.json")}
    assert "MPDD §" in alt["roc_image"]
    path = tmp_path / "data" / "prepared" / "isic" / "prepared.json"
    write_json(path, {**read_json(path), "simulated": True})
    assert Results(plan).marked("First", [results.by_name["first"]]) == "First §"
