"""All tables of the paper from invented results, against values worked out by another route.

The other route: the invention itself (`tests.inventing.invented`), NumPy for means and spreads, the published files
read anew, and the set that a column's heading names.
"""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest

from adaclip.report.document import read_tables_index
from adaclip.report.file_names import metric_names, table_names
from adaclip.report.results import Results
from adaclip.report.tables import layout, measured, write
from adaclip.report.tables.write import write_tables
from tests.inventing import LEVELS, invented
from tests.latex import check_latex, compile_latex, needs_pdflatex
from tests.tables_anew import (
    BY_TITLE,
    CHECKS,
    METRICS,
    REGISTRY,
    check_results,
    check_tables,
    expected,
    of_seed,
    published,
)


@pytest.fixture(scope="module")
def written(paper, tmp_path_factory):
    """The folder of write."""
    out = tmp_path_factory.mktemp("written")
    write_tables(paper, out / "tables", out / "summary.json", out / "metrics")
    return out


@pytest.fixture(scope="module")
def documents(written):
    """By name, as the page reads them."""
    return {document.name: document for document in read_tables_index(written / "tables" / "index.json")}


@pytest.fixture(scope="module")
def results(paper):
    return Results(paper)


@pytest.fixture(scope="module")
def plan(paper):
    return json.loads(paper.read_text())


def test_every_promised_file_is_there_and_no_other(written, plan):
    assert sorted(path.name for path in (written / "tables").iterdir()) == sorted(table_names(plan))


def test_every_table_of_the_paper_has_its_values(documents, plan):
    assert len(plan["tables"]) >= 20
    check_tables(plan, documents)


def test_all_results_have_their_values(documents, plan):
    check_results(plan, documents["results"])


@pytest.mark.parametrize(("name", "first", "second"), [("_by_set", 3, 4), ("_by_domain", 2, 3), ("_by_category", 1, 4)])
def test_two_exchanged_columns_are_noticed(results, plan, monkeypatch, name, first, second):
    """The check above would fail if the code put figures under each other's heading."""
    original = getattr(layout, name)

    def exchanged(*arguments):
        columns, rows, marked = original(*arguments)
        swapped = list(columns)
        swapped[first], swapped[second] = swapped[second], swapped[first]
        return swapped, rows, marked

    table = next(table for table in plan["tables"] if f"_by_{table['by']}" == name)
    assert_table = partial(CHECKS[table["by"]], plan, table)
    assert_table(paper_table(results, table))
    monkeypatch.setattr(layout, name, exchanged)
    with pytest.raises(AssertionError):
        assert_table(paper_table(results, table))


def test_two_exchanged_metrics_are_noticed_in_all_results(results, plan, monkeypatch):
    check_results(plan, measured.MAKERS["results"](results)[0])
    columns = list(measured._METRIC_COLUMNS)
    columns[0], columns[3] = columns[3], columns[0]
    monkeypatch.setattr(measured, "_METRIC_COLUMNS", tuple(columns))
    with pytest.raises(AssertionError):
        check_results(plan, measured.MAKERS["results"](results)[0])


def paper_table(results, table):
    comparison = write.compare(table, results, write.Literature(), write.cautions())
    return layout.paper_table(table, comparison, results)


def test_averages_ranks_and_marks_of_table_1(written, documents, plan):
    frame = pd.read_csv(written / "tables" / "table_1_industrial.csv")
    table = next(table for table in plan["tables"] if table["name"] == "table_1_industrial")
    row = next(row for row in table["rows"] if row["title"] == "AdaCLIP")
    for metric in (("image", "auroc"), ("pixel", "f1_max")):
        own = frame[(frame["level"] == metric[0]) & (frame["metric"] == metric[1])]
        average = own[own["set"] == "average-industrial"].set_index(["row", "kind"])
        mean, sd = expected(plan, row, metric, table["sets"])
        ours = average.loc[("AdaCLIP", "measured")]
        assert (ours["value"], ours["sd"]) == pytest.approx((mean, sd), abs=1e-9)
        assert (ours["seeds"], ours["parts"], ours["parts_of"]) == (3, 7, 7)
        theirs = published(row, metric, "average-industrial")
        assert average.loc[("AdaCLIP", "published"), "value"] == theirs
        assert average.loc[("AdaCLIP", "difference"), "value"] == pytest.approx(mean - theirs, abs=1e-9)
        for name in (*table["sets"], "average-industrial"):
            at = own[(own["set"] == name) & (own["kind"] != "difference")]
            assert len(at) == 6 + 3  # published, and three of them measured too
            values = at["value"].round(1)
            assert at["rank"].tolist() == values.rank(ascending=False).tolist()
            assert at.loc[at["best"], "value"].round(1).unique() == [values.max()]
            assert at["best"].sum() == (values == values.max()).sum()
            assert at.loc[at["second"], "value"].round(1).unique() == [values[values < values.max()].max()]
    document = documents["table_1_industrial"]
    ours = next(
        cells
        for cells in document.rows
        if [cell.text for cell in cells[:3]] == ["Image AUROC", "AdaCLIP", "measured, 3 seeds"]
    )
    ranks = frame[(frame["level"] == "image") & (frame["metric"] == "auroc") & (frame["kind"] == "measured")]
    ranks = ranks[ranks["row"] == "AdaCLIP"]
    assert ours[-1].text == f"{ranks[ranks['set'] != 'average-industrial']['rank'].mean():.1f}"


def test_cautions_stand_at_the_figures_that_they_concern(written, documents):
    frame = pd.read_csv(written / "tables" / "table_1_industrial.csv", keep_default_na=False)

    def said(name, level, metric, row, kind="published"):
        chosen = frame[
            (frame["set"] == name)
            & (frame["level"] == level)
            & (frame["metric"] == metric)
            & (frame["row"] == row)
            & (frame["kind"] == kind)
        ]
        (cautions,) = chosen["cautions"]
        return set(cautions.split())

    assert "winclip_visa" in said("visa", "image", "f1_max", "WinCLIP")
    assert "winclip_visa" not in said("visa", "image", "auroc", "WinCLIP")
    assert said("ksdd", "image", "f1_max", "SAM") == {"ksdd_constant", "ksdd_paper"}
    assert said("ksdd", "image", "f1_max", "DINOv2") == {"ksdd_paper"}
    assert said("dagm", "image", "auroc", "AdaCLIP", "measured") == {"dagm_measured"}
    assert said("mvtec", "pixel", "auroc", "AdaCLIP", "measured") == {"spread_of_reruns"}
    assert said("mpdd", "pixel", "auroc", "SAA") == set()
    document = documents["table_1_industrial"]
    dagm = [column.title for column in document.columns].index("DAGM 2007")
    cell = next(row for row in document.rows if row[2].text.startswith("measured"))[dagm]
    sentences = " ".join(document.notes[key] for key in cell.notes)
    # 10 categories of 2 normal and 3 anomalous images were invented.
    assert "Measured on 20 normal and 30 anomalous test images" in sentences


def test_a_figure_on_a_set_that_chose_the_epoch_is_marked_everywhere(documents, plan):
    titles = {e["title"]: e for e in plan["experiments"]}
    marked = 0
    for cells in documents["results"].rows:
        experiment, dataset = titles[cells[0].text], BY_TITLE[cells[1].text]
        for cell in cells[4:]:
            wanted = experiment["selection"] == dataset.id and cell.value is not None
            assert ("†" in cell.notes) == wanted
            marked += wanted
    assert marked > 0
    selection = documents["selection"]
    visa, mpdd = ([column.title for column in selection.columns].index(title) for title in ("VisA", "MPDD"))
    for cells in selection.rows:
        assert ("†" in cells[visa].notes) == cells[1].text.startswith("best epoch")
        assert "†" not in cells[mpdd].notes
        assert not ("†" in cells[visa].notes and (cells[visa].best or cells[visa].second))


def test_an_undefined_figure_is_a_dash_with_its_reason(written):
    frame = pd.read_csv(written / "tables" / "table_2_medical.csv", keep_default_na=False)
    reasons = {
        (row["set"], row["level"], row["kind"]): row["reason"]
        for row in frame.to_dict("records")
        if row["row"] == "AdaCLIP" and row["value"] == ""
    }
    assert reasons["isic", "image", "measured"] == "the set has no image labels"
    assert reasons["headct", "pixel", "measured"] == "the set has no masks"
    assert reasons["isic", "image", "published"] == "not published"
    transfer = pd.read_csv(written / "tables" / "transfer.csv", keep_default_na=False)
    trained = transfer[(transfer["row"] == "VisA") & (transfer["set"] == "visa") & (transfer["level"] == "pixel")]
    assert set(trained["reason"]) == {"auxiliary data of this row"}
    assert set(trained["value"]) == {""}


def test_controls_take_no_part(written):
    frame = pd.read_csv(written / "tables" / "controls.csv")
    assert frame["rank"].isna().all()
    assert not frame[["best", "second"]].any(axis=None)
    oracle = frame[(frame["row"] == "ground truth") & frame["value"].notna()]
    assert set(oracle["value"]) == {100.0}


def test_the_summary_nests_sets_and_differences(written, plan):
    summary = json.loads((written / "summary.json").read_text())
    assert list(summary) == [e["name"] for e in plan["experiments"]]
    main = next(e for e in plan["experiments"] if e["name"] == "main_mvtec+colondb")
    value, _ = expected(plan, {"experiments": [main["name"]]}, ("pixel", "auroc"), ["visa"])
    assert summary[main["name"]]["visa"]["pixel_auroc"] == pytest.approx(value, abs=1e-4)
    assert summary[main["name"]]["visa"]["pixel_auroc_minus_published"] == pytest.approx(value - 95.5, abs=1e-4)
    assert "pixel_ap_minus_published" not in summary[main["name"]]["visa"]
    assert "image_auroc" not in summary[main["name"]]["isic"]
    pixels = [of_seed(main, s, REGISTRY[n], "pixel", "auroc") for n in main["evaluate"] for s in main["seeds"]]
    assert summary[main["name"]]["average"]["pixel_auroc"] == pytest.approx(np.nanmean(pixels), abs=1e-4)


def test_averages_of_each_experiment_are_a_file(written, plan):
    assert sorted(path.name for path in (written / "metrics").iterdir()) == sorted(metric_names(plan))
    main = next(e for e in plan["experiments"] if e["name"] == "main_mvtec+colondb")
    found = json.loads((written / "metrics" / "main_mvtec+colondb.json").read_text())
    industrial = [name for name in main["evaluate"] if REGISTRY[name].domain == "industrial"]
    values = [of_seed(main, s, REGISTRY[n], "image", "ap") for n in industrial for s in main["seeds"]]
    assert found["industrial"]["image_ap"] == pytest.approx(np.mean(values), abs=1e-4)
    row = {"published": {"method": ["AdaCLIP"], "source": [f"arXiv:2407.15795v1 Table {n}" for n in (1, 2)]}}
    gaps = [
        np.mean([of_seed(main, s, REGISTRY[n], "pixel", "auroc") for s in main["seeds"]])
        - published(row, ("pixel", "auroc"), n)
        for n in main["evaluate"]
        if "mask" in REGISTRY[n].labels
    ]
    assert found["minus_published"]["pixel_auroc"] == pytest.approx(np.mean(gaps), abs=1e-3)
    control = json.loads((written / "metrics" / "oracle.json").read_text())
    assert set(control["medical"].values()) == {100.0}


def test_what_was_reproduced_is_counted(written, plan):
    frame = pd.read_csv(written / "tables" / "reproduction.csv").set_index(["table", "row", "level", "metric"])
    row = frame.loc[("table_1_industrial", "AdaCLIP", "pixel", "auroc")]
    table = next(table for table in plan["tables"] if table["name"] == "table_1_industrial")
    line = next(row for row in table["rows"] if row["title"] == "AdaCLIP")
    gaps = np.array(
        [
            expected(plan, line, ("pixel", "auroc"), [name])[0] - published(line, ("pixel", "auroc"), name)
            for name in table["sets"]
        ]
    )
    assert row["figures"] == 7
    assert row["close"] == (np.abs(gaps) <= 1.5).sum()
    assert row["mean_difference"] == pytest.approx(gaps.mean())
    assert row["mean_absolute"] == pytest.approx(np.abs(gaps).mean())
    assert row["largest"] == pytest.approx(gaps[np.abs(gaps).argmax()])


def test_seeds_and_categories_are_listed_in_full_precision(written, plan):
    frame = pd.read_csv(written / "tables" / "seeds.csv")
    assert len(frame) == sum(len(e["evaluate"]) * len(e["seeds"]) for e in plan["experiments"])
    found = frame[(frame["experiment"] == "no_fusion_visa+clinicdb") & (frame["set"] == "mvtec")].set_index("seed")
    experiment = next(e for e in plan["experiments"] if e["name"] == "no_fusion_visa+clinicdb")
    for seed in experiment["seeds"]:
        value = of_seed(experiment, seed, REGISTRY["mvtec"], "pixel", "aupro")
        assert found.loc[seed, "pixel_aupro"] == pytest.approx(value / 100, abs=1e-15)
    frame = pd.read_csv(written / "tables" / "categories.csv", dtype={"category": str})
    found = frame[
        (frame["experiment"] == "main_mvtec+colondb") & (frame["set"] == "btad") & (frame["category"] == "02")
    ]
    head = ("adaclip", "main_mvtec+colondb")
    values = [invented(*head, seed, "btad", "02", "image", "ap") for seed in (0, 1, 2)]
    assert found["image_ap"].item() == pytest.approx(np.mean(values), abs=1e-15)
    assert found["image_ap_sd"].item() == pytest.approx(np.std(values, ddof=1), abs=1e-15)


def test_the_papers_tables_are_well_formed_latex(written, documents, plan):
    for table in plan["tables"]:
        text = (written / "tables" / f"{table['name']}.tex").read_text()
        check_latex(text, len(documents[table["name"]].columns))
    main = (written / "tables" / "table_1_industrial.tex").read_text()
    assert r"\textbf{" in main
    assert r"\underline{" in main


@needs_pdflatex
def test_the_papers_tables_compile(written, plan, tmp_path):
    compile_latex(tmp_path, *((written / "tables" / f"{table['name']}.tex").read_text() for table in plan["tables"]))


def test_levels_of_the_invention_are_those_of_the_tables():
    assert [(level, metric) for level, names in LEVELS.items() for metric in names] == list(METRICS.values())
