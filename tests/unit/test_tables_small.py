"""Tables of small plans: one seed, a set that nobody evaluates, sets that share images."""

import json

import pandas as pd
import pytest

from adaclip.report.document import read_tables_index
from adaclip.report.tables.write import write_tables
from tests.inventing import invent

SMALL = {
    "sets": ["mvtec", "isic", "headct", "dtd"],
    "backbones": {"tiny": {"model": "tiny"}},
    "experiments": {
        "one": {"auxiliary": ["mvtec"], "evaluate": ["isic", "headct"], "title": "100 % of R&D_1 | <b>", "seeds": [4]},
        "two": {"auxiliary": ["visa"], "evaluate": ["mvtec"], "seeds": [0, 1]},
        "idle": {"auxiliary": ["mvtec"], "evaluate": ["tn3k"], "seeds": [0]},
    },
    "tables": {
        "mixed": {
            "sets": ["mvtec", "isic", "headct", "dtd"],
            "note": "A note with 5 % & more.",
            "rows": [{"title": "R&D_1", "experiments": ["one"]}, {"title": "both", "experiments": ["two"]}],
        }
    },
}


@pytest.fixture
def small(tmp_path):
    plan_file = invent(SMALL, tmp_path)
    write_tables(plan_file, tmp_path / "tables", tmp_path / "summary.json")
    return tmp_path


def test_a_single_seed_has_no_spread_and_says_so(small):
    (document, *_) = read_tables_index(small / "tables" / "index.json")
    one = document.rows[0]
    assert one[2].text == "measured, 1 seed"
    cells = dict(zip([column.title for column in document.columns], one, strict=True))
    assert "±" not in cells["HeadCT"].text
    assert cells["HeadCT"].value is not None
    two = document.rows[1]
    assert two[2].text == "measured, 2 seeds"
    assert "±" in two[3].text


def test_a_set_that_no_experiment_evaluates_is_a_column_of_dashes(small):
    frame = pd.read_csv(small / "tables" / "mixed.csv", keep_default_na=False)
    dtd = frame[frame["set"] == "dtd"]
    assert len(dtd) == 2 * 4
    assert set(dtd["value"]) == {""}
    assert set(dtd["reason"]) == {"not evaluated in this row"}
    # Averages over different numbers of sets are neither ranked nor best, and say what they are over.
    average = frame[(frame["set"] == "average") & (frame["level"] == "pixel")]
    assert set(average["rank"]) == {""}
    (document, *_) = read_tables_index(small / "tables" / "index.json")
    cells = dict(zip([column.title for column in document.columns], document.rows[-1], strict=True))
    assert "Mean over 1 of 3 sets; not ranked." in {document.notes[key] for key in cells["Average"].notes}


def test_overlap_with_the_auxiliary_data_is_marked(tmp_path):
    config = {
        "backbones": {"tiny": {"model": "tiny"}},
        "defaults": {"seeds": [0], "train": {"unmasked": "skip"}},  # Br35H has no masks
        "experiments": {
            "a": {"auxiliary": ["br35h"], "evaluate": ["brain_mri", "headct"], "seeds": [0]},
            "b": {"auxiliary": ["mvtec"], "evaluate": ["brain_mri", "headct"], "seeds": [0]},
        },
        "tables": {"t": {"metrics": ["image.auroc"], "rows": [{"experiments": ["a"]}, {"experiments": ["b"]}]}},
    }
    plan_file = invent(config, tmp_path)
    overlaps = {"brain_mri": {"br35h": {"identical": ["images/x.jpg", "images/y.jpg"], "near": ["images/z.jpg"]}}}
    names = ("br35h", "brain_mri", "headct", "mvtec")
    audit = {"rule": "", "sets": {name: {} for name in names}, "overlaps": overlaps}
    (tmp_path / "results" / "audit").mkdir()
    (tmp_path / "results" / "audit" / "leakage.json").write_text(json.dumps(audit))
    write_tables(plan_file, tmp_path / "tables", tmp_path / "summary.json")
    frame = pd.read_csv(tmp_path / "tables" / "t.csv").set_index(["row", "set"])
    assert frame["overlap"].to_dict() == {
        ("a", "brain_mri"): 3,
        ("b", "brain_mri"): 0,
        ("a", "headct"): 0,
        ("b", "headct"): 0,
        ("a", "average-medical"): 3,
        ("b", "average-medical"): 0,
    }
    (document, *_) = read_tables_index(tmp_path / "tables" / "index.json")
    assert ["‡" in cell.notes for cell in document.rows[0][3:6]] == [True, False, True]
    assert not any("‡" in cell.notes for cell in document.rows[1])
    assert not document.rows[0][3].best
