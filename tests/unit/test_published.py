"""Published figures: what may stand in their files, how a table chooses them, and whether they add up."""

import csv
from collections import defaultdict

import pytest

from adaclip.data.registry import load_registry
from adaclip.errors import AdaclipError, UsageError
from adaclip.literature.cautions import cautions, facts_of
from adaclip.literature.published import (
    CATEGORY_COLUMNS,
    COLUMNS,
    LITERATURE,
    Literature,
    check_tables,
    literature,
    read_published,
)
from tests.inventing import ROOT

SETS = {"mvtec": ["bottle", "grid"], "visa": []}
ROW = {
    "method": "M, quoted",
    "backbone": "B",
    "train_data": "T",
    "set": "mvtec",
    "level": "image",
    "metric": "auroc",
    "value": "91.25",
    "source": "S",
}
CATEGORY_ROW = {**{key: ROW.get(key, "") for key in CATEGORY_COLUMNS}, "category": "grid"}


def write(path, *rows):
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_row_is_read_with_its_line(tmp_path):
    other = {**ROW, "set": "average-medical", "value": "0"}
    first, second = read_published(write(tmp_path / "p.csv", ROW, other), SETS)
    assert (first.method, first.point, first.value, first.line) == (
        "M, quoted",
        ("mvtec", "", "image", "auroc"),
        91.25,
        2,
    )
    assert (second.set, second.value, second.line) == ("average-medical", 0.0, 3)
    (category,) = read_published(write(tmp_path / "c.csv", CATEGORY_ROW), SETS)
    assert category.point == ("mvtec", "grid", "image", "auroc")
    assert category.backbone == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"set": "mvtech"}, "unknown set 'mvtech'"),
        ({"set": "average-custom"}, "unknown set"),
        ({"metric": "pro"}, "no metric 'image.pro'"),
        ({"level": "image", "metric": "aupro"}, "no metric 'image.aupro'"),
        ({"value": "high"}, "'high' is not a number"),
        ({"value": "100.1"}, "not between 0 and 100"),
        ({"value": "-1"}, "not between 0 and 100"),
        ({"value": "nan"}, "not between 0 and 100"),
        ({"source": ""}, "source is ''"),
        ({"method": " M"}, "method is ' M'"),
    ],
)
def test_a_wrong_cell_is_named_with_its_line(tmp_path, change, message):
    path = write(tmp_path / "p.csv", ROW, {**ROW, **change})
    with pytest.raises(UsageError, match=message) as error:
        read_published(path, SETS)
    assert f"{path} line 3" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_category_is_refused_where_they_are_known(tmp_path):
    with pytest.raises(UsageError, match="mvtec has no category 'screw'"):
        read_published(write(tmp_path / "c.csv", {**CATEGORY_ROW, "category": "screw"}), SETS)
    assert read_published(write(tmp_path / "d.csv", {**CATEGORY_ROW, "set": "visa", "category": "any"}), SETS)


def test_a_duplicate_names_both_lines(tmp_path):
    # Another value does not make it another figure.
    with pytest.raises(UsageError, match=r"line 4: the same figure stands in line 2"):
        read_published(write(tmp_path / "p.csv", ROW, {**ROW, "source": "other"}, {**ROW, "value": "1"}), SETS)


def test_a_wrong_header_or_length_is_one_line(tmp_path):
    with pytest.raises(UsageError, match="line 1: the columns must be"):
        read_published(write(tmp_path / "p.csv", {"method": "M", "value": "1"}), SETS)
    path = write(tmp_path / "p.csv", ROW)
    path.write_text(path.read_text() + "M,B\n")
    with pytest.raises(UsageError, match=r"line 3: 2 cells under 8 columns"):
        read_published(path, SETS)
    with pytest.raises(AdaclipError, match="cannot read"):
        read_published(tmp_path / "none.csv", SETS)


def test_the_files_in_config_are_those_of_the_package():
    for name in ("published.csv", "published_per_category.csv", "cautions.yaml"):
        assert (ROOT / "config" / name).resolve() == (LITERATURE / name).resolve()


def test_choosing_by_all_columns():
    chosen = literature().choose({"method": ["AdaCLIP"], "source": "arXiv:2407.15795v1 Table 1"})
    assert {place[0] for place in chosen} == {
        *("mvtec", "visa", "mpdd", "btad", "ksdd", "dagm", "dtd"),
        "average-industrial",
    }
    assert chosen["mvtec", "", "pixel", "auroc"].value == 88.7
    assert chosen["visa", "", "pixel", "auroc"].value == 95.5
    assert chosen["visa", "", "image", "auroc"].value == 85.8
    backbone = {"method": "AdaCLIP", "source": "arXiv:2407.15795v1 Appendix Table 9", "backbone": "CLIP ViT-L/14@336"}
    assert literature().choose(backbone)["mvtec", "bottle", "image", "auroc"].value == 94.4


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"method": "WinCLIP"}, r"lines \d+ and \d+ both give image.auroc of mvtec"),
        ({"method": "WinKLIP"}, "no published figure fits"),
        ({"metod": "WinCLIP"}, "unknown column 'metod'"),
    ],
)
def test_a_choice_that_is_none_or_several_is_refused(where, message):
    with pytest.raises(UsageError, match=message):
        literature().choose(where)


def test_a_row_of_a_plan_that_chooses_nothing_is_named():
    row = {"title": "R", "experiments": [], "published": {"method": ["nobody"]}}
    with pytest.raises(UsageError, match=r"table 'table_9', row 'R': .*no published figure fits"):
        check_tables([{"name": "table_9", "rows": [{**row, "published": None}, row]}])


def test_a_users_own_set_may_be_added(tmp_path):
    write(tmp_path / "published.csv", {**ROW, "set": "nuts"})
    write(tmp_path / "published_per_category.csv", CATEGORY_ROW)
    with pytest.raises(UsageError, match="unknown set 'nuts'"):
        Literature(tmp_path)
    assert Literature(tmp_path, own=["nuts"]).figures[0].set == "nuts"
    assert Literature(tmp_path, own=None).figures[0].set == "nuts"


def test_published_averages_are_the_means_of_their_sets():
    """Within rounding: 0.05 of each figure and of the average. The sources that differ are named by a caution."""
    labels = {"image": "image", "pixel": "mask"}
    registry = load_registry()
    groups = defaultdict(dict)
    for figure in literature().figures:
        # In the paper's main tables two checkpoints share one row; its Table 5 has two rows of one name.
        split = figure.train_data if figure.method == "AdaCLIP (aux-data ablation)" else ""
        group = groups[figure.method, figure.backbone, figure.source, figure.level, figure.metric, split]
        assert figure.set not in group
        group[figure.set] = figure
    checked, apart = 0, set()
    for (_, _, _, level, *_), group in groups.items():
        for domain in ("industrial", "medical"):
            printed = group.get(f"average-{domain}")
            sets = [n for n, d in registry.items() if d.domain == domain and labels[level] in d.labels]
            if printed is None or not all(name in group for name in sets):
                continue
            checked += 1
            if abs(sum(group[name].value for name in sets) / len(sets) - printed.value) > 0.1 + 1e-9:
                apart.add(printed)
    mismatch = next(caution for caution in cautions() if caution.id == "average_mismatch")
    assert apart == {figure for figure in literature().figures if mismatch.fits(facts_of(figure))}
    assert len(apart) == 8
    assert checked > 200
    # AdaCLIP's own paper is consistent.
    assert not any("2407.15795" in figure.source for figure in apart)


def test_every_column_is_filled():
    for figure in literature().figures:
        assert all(getattr(figure, column) not in ("", None) for column in COLUMNS)


def test_figures_of_anomalyclips_own_paper_are_those_that_adaclips_quotes():
    """Two pages of which neither copied the other's slips: every figure that both print is the same."""
    own, quoted = {}, {}
    for figure in literature().figures:
        if figure.method == "AnomalyCLIP" and figure.source.startswith("AnomalyCLIP (ICLR 2024"):
            own[figure.point] = figure.value
        elif figure.method == "AnomalyCLIP" and figure.source.startswith("arXiv:2407.15795v1 Appendix"):
            quoted[figure.point] = figure.value
    shared = own.keys() & quoted.keys()
    assert len(own) == 42
    assert {point[3] for point in own} == {"auroc", "ap", "aupro"}
    assert len(shared) == 21
    assert all(own[point] == quoted[point] for point in shared)
