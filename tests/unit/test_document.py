"""Tables and figures written for the page and read back."""

import json

import pytest

from adaclip.errors import AdaclipError
from adaclip.report.document import (
    Cell,
    Column,
    FigureDoc,
    TableDoc,
    read_figures_index,
    read_tables_index,
    write_figures_index,
    write_tables_index,
)

TABLE = TableDoc(
    name="table_1",
    title="Main",
    caption="What it shows.",
    section="paper",
    columns=(Column("set", "Set", filter=True), Column("auroc", "AUROC", "percent", group="Image")),
    rows=(
        (Cell("MVTec AD", href="#mvtec"), Cell("0.0 ± 0.1", 0.0, best=True, notes=("a", "†"))),
        (Cell("VisA"), Cell("\N{EN DASH}", notes=("a",))),
        (Cell("MPDD"), Cell("76.0", 76.0, second=True)),
    ),
    notes={"a": "A caution.", "†": "Selected on."},
    group="Main",
    marked=(2,),
)


def test_a_table_is_read_back_as_it_was(tmp_path):
    write_tables_index(tmp_path / "index.json", [TABLE])
    assert read_tables_index(tmp_path / "index.json") == [TABLE]


def test_a_figure_is_read_back_as_it_was(tmp_path):
    figure = FigureDoc("roc", "ROC", "Caption.", "Curves.", "measured")
    write_figures_index(tmp_path / "index.json", [figure])
    assert read_figures_index(tmp_path / "index.json") == [figure]


def test_what_is_at_its_default_is_not_written(tmp_path):
    write_tables_index(tmp_path / "index.json", [TABLE])
    (entry,) = json.loads((tmp_path / "index.json").read_text())
    assert entry["rows"][1][0] == "VisA"
    assert entry["rows"][0][1] == {"text": "0.0 ± 0.1", "value": 0.0, "best": True, "notes": ["a", "†"]}
    assert entry["columns"][1] == {"key": "auroc", "title": "AUROC", "kind": "percent", "group": "Image"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": ((Cell("x"),),)}, "1 cells under 2 columns"),
        ({"notes": {"a": "A caution."}}, "no note '†'"),
        ({"columns": (Column("set", "Set"), Column("set", "Again"))}, "two columns have one key"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        TableDoc(**{**vars(TABLE), **change})


@pytest.mark.parametrize(
    "content",
    ["{}", "[1]", '[{"name": "x", "section": "nowhere"}]', '[{"section": "paper", "colour": "red"}]', "["],
)
def test_a_damaged_index_is_one_line(tmp_path, content):
    (tmp_path / "index.json").write_text(content)
    for read in (read_tables_index, read_figures_index):
        with pytest.raises(AdaclipError, match=r"index\.json") as error:
            read(tmp_path / "index.json")
        assert "\n" not in str(error.value)
