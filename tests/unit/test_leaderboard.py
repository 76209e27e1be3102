"""The leaderboard: every published figure, ours among them, ranked by method."""

import numpy as np
import pandas as pd
import pytest

from adaclip.literature.cautions import cautions
from adaclip.literature.published import literature
from adaclip.report.results import Results
from adaclip.report.tables.compare import Figure
from adaclip.report.tables.leaderboard import Entry, leaderboard, ranks_of
from tests.inventing import ROOT

PUBLISHED = pd.read_csv(ROOT / "config" / "published.csv")


@pytest.fixture(scope="module")
def made(paper):
    return leaderboard(Results(paper), literature(), cautions())


@pytest.fixture(scope="module")
def frame(made):
    return made[1]


def by_hand(value):
    """One decimal, halves up."""
    return np.floor(10 * value + 0.5 + 1e-9) / 10


def entry(method, value, **changes):
    return Entry("mvtec", "image", "auroc", method, "B", "T", "S", Figure(value, **changes))


def test_every_published_figure_stands_once_with_its_protocol(frame):
    columns = ["method", "backbone", "train_data", "set", "level", "metric", "value", "source"]
    ours = frame[frame["kind"] == "published"]
    assert len(ours) == len(PUBLISHED)
    key = [*columns[:-2], "source"]
    both = PUBLISHED.merge(ours, on=key, suffixes=("", "_found"), validate="one_to_one")
    assert len(both) == len(PUBLISHED)
    assert (both["value"] == both["value_found"]).all()


def test_ours_stand_among_them_and_are_marked(made):
    document, frame = made
    measured = frame.index[frame["kind"] == "measured"].tolist()
    assert list(document.marked) == measured
    assert len(document.rows) == len(frame)
    main = frame[(frame["kind"] == "measured") & (frame["method"] == "AdaCLIP")]
    visa = main[(main["set"] == "visa") & (main["level"] == "image") & (main["metric"] == "auroc")]
    # The main experiment, and the one with one auxiliary set.
    assert set(visa["train_data"]) == {"MVTec AD", "MVTec AD + CVC-ColonDB"}
    assert visa["seeds"].tolist() == [3, 3]
    assert set(visa["backbone"]) == {"ViT-L-14-336 (openai), 518 px"}
    average = main[(main["set"] == "average-medical") & (main["level"] == "pixel") & (main["metric"] == "auroc")]
    assert set(average["train_data"]) == {"MVTec AD", "MVTec AD + CVC-ColonDB / VisA + CVC-ClinicDB"}
    # A row that lacks sets of a domain has no average of it.
    transfer = frame[(frame["kind"] == "measured") & (frame["method"] == "VisA")]
    assert "average-industrial" not in set(transfer["set"])
    assert "average-medical" in set(transfer["set"])
    assert not frame["method"].isin(["random score", "ground truth"]).any()


def test_each_group_is_in_the_order_of_its_figures(frame):
    for _, group in frame.groupby(["set", "level", "metric"], sort=False):
        assert group["value"].is_monotonic_decreasing
        assert group["rank"].dropna().is_monotonic_increasing


def test_ranks_against_a_plain_count(frame):
    """1 + the number of published methods that have a better figure in print."""
    group = frame[(frame["set"] == "mvtec") & (frame["level"] == "image") & (frame["metric"] == "auroc")]
    fair = group[(group["kind"] == "published") & ~group["method"].isin(["PatchCore", "CDO", "MuSc"])]
    best = by_hand(fair.groupby(fair["method"].str.split().str[0])["value"].max())
    for row in group.to_dict("records"):
        if row["method"] in ("PatchCore", "CDO", "MuSc") or row["selected"]:
            assert pd.isna(row["rank"])
            continue
        assert row["rank"] == 1 + (best > by_hand(row["value"]) + 1e-6).sum(), row["method"]
    assert best["AnomalyVFM"] == best.max() == pytest.approx(96.5)


def test_reruns_and_quotations_do_not_count_twice():
    group = [
        entry("Other", 95.0),
        entry("Other (re-run)", 94.0),
        entry("AdaCLIP", 92.0),
        entry("AdaCLIP (user re-run)", 91.0),
        entry("ours", 92.04, seeds=3),
        entry("Full", 99.0, ranked=False),
        entry("ours too", 90.0, seeds=3, ranked=False),
    ]
    assert ranks_of(group) == [1, 2, 2, 3, 2, None, None]


def test_what_the_page_can_filter(made):
    document, _ = made
    assert {column.key for column in document.columns if column.filter} == {
        *("set", "metric", "method", "kind", "backbone", "train_data"),
    }
    assert document.section == "leaderboard"


def test_cautions_of_a_figure_are_its_notes(made):
    document, frame = made
    for index in frame.index[frame["cautions"].str.contains("average_mismatch")]:
        texts = " ".join(document.notes[note] for note in document.rows[index][4].notes)
        assert "differs by more than rounding" in texts
    assert frame["cautions"].str.contains("average_mismatch").sum() == 8
    ksdd = frame[(frame["set"] == "ksdd") & (frame["kind"] == "measured")]
    assert ksdd["cautions"].str.contains("ksdd_measured").all()


def test_the_best_published_figures_are_those_known(frame):
    """A sample of the best zero-shot figures through 2026."""
    ranked = frame[(frame["kind"] == "published") & (frame["rank"] == 1)].set_index(["set", "level", "metric"])
    for place, method, value in (
        (("mvtec", "image", "auroc"), "AnomalyVFM", 96.5),
        (("mvtec", "pixel", "auroc"), "PSMP-CLIP", 93.7),
        (("visa", "pixel", "auroc"), "AF-CLIP", 96.3),
        (("colondb", "pixel", "auroc"), "AdaCLIP", 90.4),
        (("btad", "pixel", "auroc"), "AA-CLIP", 97.0),
    ):
        best = ranked.loc[[place]].sort_values("value").iloc[-1]
        assert (best["method"].split()[0], by_hand(best["value"])) == (method, pytest.approx(value))
