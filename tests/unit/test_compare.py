"""Ranks, ties, averages and differences of a comparison, on figures small enough to see through."""

import json
import math

import pytest

from adaclip.literature.cautions import cautions
from adaclip.literature.published import literature
from adaclip.report.results import Measured, Results, average
from adaclip.report.tables.compare import Figure, Line, Point, _ranked, compare
from tests.inventing import invent

PUBLISHED, MEASURED = Line(0, "p", "published"), Line(1, "m", "measured")


def rank(values, lines=None, **changes):
    figures = [Figure(value, **changes.get(str(index), {})) for index, value in enumerate(values)]
    return _ranked(figures, lines or [PUBLISHED] * len(values))


def test_ties_are_ties_in_print_and_share_their_mean_rank():
    ranked = rank([89.2, 89.249, 89.16, 70.0, 80.0])
    assert [figure.rank for figure in ranked] == [2, 2, 2, 5, 4]
    assert [figure.best for figure in ranked] == [True, True, True, False, False]
    assert [figure.second for figure in ranked] == [False, False, False, False, True]


def test_two_figures_have_a_best_but_no_second():
    ranked = rank([1.0, 2.0])
    assert [(figure.best, figure.second) for figure in ranked] == [(False, False), (True, False)]
    (alone,) = rank([1.0])
    assert (alone.rank, alone.best) == (None, False)


def test_all_equal_are_all_best():
    ranked = rank([3.0, 3.0, 3.0])
    assert all(figure.best and figure.rank == 2 and not figure.second for figure in ranked)


def test_who_takes_no_part():
    difference = Line(1, "m", "difference")
    ranked = rank(
        [50.0, 99.0, 99.0, None, 40.0, 60.0],
        [PUBLISHED, difference, MEASURED, MEASURED, MEASURED, MEASURED],
        **{"2": {"ranked": False}, "4": {"parts": (1, 3)}},
    )
    assert [figure.rank for figure in ranked] == [2, None, None, None, None, 1]
    assert [figure.best for figure in ranked] == [False, False, False, False, False, True]


def test_a_mean_over_sets_is_taken_seed_by_seed():
    found = average([Measured((0.1, 0.5)), Measured((0.3, 0.3)), Measured(reason="none")])
    assert found.values == pytest.approx((0.2, 0.4))
    assert found.sets == 2
    assert found.mean == pytest.approx(0.3)
    assert found.sd == pytest.approx(math.sqrt(0.02))
    # Not the spread of one set, and not that of all values.
    nothing = average([Measured(reason="no masks")])
    assert (nothing.values, nothing.reason, nothing.sets) == ((), "no masks", 0)
    assert math.isnan(nothing.mean)


def test_one_seed_has_a_mean_and_no_spread():
    found = Measured((0.25,))
    assert found.mean == 0.25
    assert math.isnan(found.sd)


CONFIG = {
    "sets": ["mvtec", "visa", "headct"],
    "backbones": {"tiny": {"model": "tiny"}},
    "experiments": {
        "a": {"auxiliary": ["isic"], "evaluate": ["mvtec", "visa", "headct"], "seeds": [0, 1]},
        "b": {"auxiliary": ["isic"], "evaluate": ["mvtec"], "seeds": [0], "train": {"epochs": 7}},
    },
    "tables": {
        "t": {
            "sets": ["mvtec", "visa"],
            "metrics": ["pixel.auroc"],
            "rows": [
                {
                    "title": "A",
                    "experiments": ["a"],
                    "published": {"method": "AdaCLIP", "source": "arXiv:2407.15795v1 Table 1"},
                },
                {"title": "B", "experiments": ["b"], "published": {"method": "AdaCLIP V1 no prompts"}},
            ],
        },
        "d": {
            "by": "domain",
            "metrics": ["image.auroc", "pixel.auroc"],
            "rows": [{"title": "A", "experiments": ["a"], "published": {"method": "AdaCLIP V1 no prompts"}}],
        },
    },
}


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory):
    results = Results(invent(CONFIG, tmp_path_factory.mktemp("compare")))
    return {t["name"]: compare(t, results, literature(), cautions()) for t in results.plan["tables"]}


def test_a_published_average_over_other_sets_is_not_used(comparisons):
    table = comparisons["t"]
    (point,) = (point for point in table.points if point.over)
    metric = ("pixel", "auroc")
    # The paper's average is over 7 sets, this table has 2 of them: their own mean.
    assert table.at(0, point, metric).value == pytest.approx((88.7 + 95.5) / 2)
    assert table.at(0, point, metric).source == "mean of arXiv:2407.15795v1 Table 1"
    measured = table.at(1, point, metric)
    assert table.at(2, point, metric).value == pytest.approx(measured.value - (88.7 + 95.5) / 2)
    # Of the ablation only the average over all 7 was published: it stands there, but compares with nothing.
    ablation = table.at(3, point, metric)
    assert (ablation.value, ablation.parts, ablation.rank) == (92.8, (7, 2), None)
    assert table.at(4, point, metric).parts == (1, 2)
    assert table.at(5, point, metric).value is None


def test_a_published_mean_over_more_sets_is_shown_and_not_compared(comparisons):
    table = comparisons["d"]
    (industrial, medical) = table.points
    assert (industrial.set, medical.set) == ("average-industrial", "average-medical")
    # Published over 7 sets, measured over the table's 2; over 3 medical sets with image labels, measured over 1.
    for point, metric, value, parts in (
        (industrial, ("pixel", "auroc"), 92.8, (7, 2)),
        (medical, ("image", "auroc"), 87.9, (3, 1)),
    ):
        theirs, ours, difference = (table.at(line, point, metric) for line in range(3))
        assert (theirs.value, theirs.parts, theirs.best) == (value, parts, False)
        assert ours.value is not None
        assert (difference.value, difference.reason) == (
            None,
            f"published over {parts[0]} sets, this table has {parts[1]}",
        )
    assert table.at(1, medical, ("pixel", "auroc")).reason == "no set has it"


def test_lines_and_points_keep_the_order_of_the_plan(comparisons):
    assert [(line.row, line.kind) for line in comparisons["t"].lines] == [
        (row, kind) for row in (0, 1) for kind in ("published", "measured", "difference")
    ]
    assert [point.set for point in comparisons["t"].points] == ["mvtec", "visa", "average-industrial"]
    assert comparisons["t"].points[-1].over == (Point("mvtec", "MVTec AD"), Point("visa", "VisA"))


def test_a_mean_rank_needs_every_set(comparisons):
    table = comparisons["t"]
    assert table.mean_rank(1, ("pixel", "auroc"))[1] == 2
    # Row B is ranked on one set of two.
    rank_b, number = table.mean_rank(4, ("pixel", "auroc"))
    assert (rank_b, number) == (None, 1)


def test_images_that_were_left_out_are_told(tmp_path):
    plan = invent({**CONFIG, "tables": {"t": CONFIG["tables"]["t"]}}, tmp_path)
    metrics = tmp_path / "results" / "runs" / "a" / "seed-0" / "visa" / "metrics.json"
    value = json.loads(metrics.read_text())
    # As many as the manifest has.
    first = next(iter(value["categories"].values()))
    first["images"], value["images"] = first["images"] - 5, value["images"] - 5
    first["anomalous"] = min(first["anomalous"], first["images"])
    metrics.write_text(json.dumps({**value, "left_out": {"identical": 4, "near": 1, "by_set": {"isic": 5}}}))
    results = Results(plan)
    table = compare(results.plan["tables"][0], results, literature(), cautions())
    figure = table.at(1, table.points[1], ("pixel", "auroc"))
    assert figure.cautions["left_out"] == "Without 5 images that the auxiliary data hold too."
    assert "left_out" not in table.at(1, table.points[0], ("pixel", "auroc")).cautions


def test_figures_of_simulated_weights_compete_with_nothing(tmp_path):
    plan = invent({**CONFIG, "tables": {"t": CONFIG["tables"]["t"]}}, tmp_path)
    first = json.loads(plan.read_text())["experiments"][0]
    name = first["evaluate"][0]
    assert not Results(plan).drawn(first["name"], name)
    path = plan.parent / "runs" / first["run"] / f"seed-{first['seeds'][0]}" / name / "metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "drawn_weights": True}))
    assert Results(plan).drawn(first["name"], name)
