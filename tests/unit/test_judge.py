"""What an evaluation keeps: panels of the best, the worst and other images, and figures by category."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adaclip.data.rows import Row
from adaclip.metrics.collect import Judge, PixelJudge
from adaclip.metrics.kept_maps import PANEL_SIDE, Panels
from adaclip.metrics.protocols import smoothings
from adaclip.metrics.settings import EvaluateSettings

SIDE = 8


def row(label: int, category: str = "bolt", pixels: bool = True) -> Row:
    return Row("toy", category, category, Path("i.png"), f"{category}.png", None, label, "", pixels)


def judge_of(rows: list[Row], panels: int = 0, own: float = 4.0, **settings) -> Judge:
    """A judge whose two protocols smooth alike unless told otherwise."""
    evaluation = EvaluateSettings(**{"size": SIDE, "panels": panels, **settings})
    return Judge(rows, ["image", "mask"], evaluation, smoothings(evaluation, own), (0.0, 1.0))


def masks(count: int) -> np.ndarray:
    found = np.zeros((count, SIDE, SIDE), bool)
    found[:, 2:4, 2:5] = True
    return found


def maps(qualities: list[float]) -> np.ndarray:
    """Maps that differ by the given quality between inside and outside of `masks`."""
    return np.where(masks(len(qualities)), np.array(qualities)[:, None, None], 0.0).astype(np.float32)


@pytest.mark.parametrize("batch", [1, 4, 10])
def test_panels_are_the_best_the_worst_and_some_others(batch):
    qualities = [0.5, 0.1, 0.9, 0.4, 0.8, 0.2, 0.6, 0.3, 0.7, 0.55]
    rows = [row(1) for _ in qualities]
    panels = Panels(rows, 6)
    for start in range(0, len(rows), batch):
        index = list(range(start, min(start + batch, len(rows))))
        panels.update(index, masks(len(index)), maps([qualities[i] for i in index]), np.zeros(len(index)))
    roles = panels.roles()
    others = [i for i in range(len(rows)) if i not in panels.spread]
    ranked = sorted(others, key=lambda i: qualities[i])
    assert len(panels.spread) == 2
    assert {i for i, role in roles.items() if role == "sample"} == panels.spread
    assert {i for i, role in roles.items() if role == "worst"} == set(ranked[:2])
    assert {i for i, role in roles.items() if role == "best"} == set(ranked[-2:])


def test_without_masks_the_score_says_what_is_best():
    rows = [row(label, pixels=False) for label in (0, 0, 0, 1, 1, 1, 0, 1)]
    scores = np.array([0.9, 0.1, 0.5, 0.9, 0.2, 0.5, 0.5, 0.5])
    panels = Panels(rows, 3)
    panels.spread = frozenset({6})
    panels.update(list(range(8)), np.zeros((8, SIDE, SIDE), bool), np.zeros((8, SIDE, SIDE), np.float32), scores)
    roles = panels.roles()
    # Image 0 is normal with a high score; 1 (normal, low) and 3 (anomalous, high) are equally good.
    assert roles[0] == "worst"
    assert [i for i, role in roles.items() if role == "best"] == [3]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_no_more_panels_than_asked_for_or_than_there_are(count, tmp_path):
    rows = [row(i % 2) for i in range(5)]
    judge = judge_of(rows, count)
    judge.update(
        list(range(5)), masks(5) & (np.arange(5) % 2 > 0)[:, None, None], {"common": maps([0.1] * 5)}, np.arange(5) / 5
    )
    judge.panels.write(tmp_path / "p.npz", judge.scores)
    kept = np.load(tmp_path / "p.npz")
    assert len(kept["maps"]) == len(kept["role"]) == len(kept["score"]) <= min(count, 5)
    assert len(kept["maps"]) >= min(count, 2)


def test_large_maps_are_kept_small():
    panels = Panels([row(1)], 1)
    large = np.zeros((1, 2 * PANEL_SIDE, 2 * PANEL_SIDE), np.float32)
    large[:, : PANEL_SIDE // 2] = 1
    panels.update([0], large > 0, large, np.ones(1))
    [kept] = panels._maps.values()
    assert kept.shape == (PANEL_SIDE, PANEL_SIDE)
    assert kept.mean() == pytest.approx(0.25, abs=0.01)


def test_pixels_are_judged_by_category_and_unknown_ones_left_out():
    rows = [row(1, "a"), row(1, "a", pixels=False), row(1, "b")]
    judge = PixelJudge(rows, 0.3)
    perfect, wrong = masks(3).astype(np.float32), 1 - masks(3).astype(np.float32)
    judge.update([0, 1, 2], masks(3), np.stack([perfect[0], wrong[1], wrong[2]]))
    assert judge.results["a"]["auroc"] == 1
    assert judge.results["b"]["auroc"] == 0
    assert judge.mean_f1_max() == pytest.approx((1 + judge.results["b"]["f1_max"]) / 2)


def test_an_evaluation_that_is_cut_short_leaves_no_earlier_metrics_beside_its_scores(tmp_path, monkeypatch):
    rows = [row(label) for label in (0, 1)]

    def judged(scores: list[float]) -> Judge:
        judge = judge_of(rows)
        found = masks(2)
        found[0] = False
        judge.update([0, 1], found, {"published": maps([0.5, 0.5])}, np.array(scores))
        return judge

    judged([0.1, 0.9]).write(tmp_path, {}, {}, {})
    assert (tmp_path / "metrics.json").is_file()
    monkeypatch.setattr(Panels, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        judged([0.8, 0.2]).write(tmp_path, {}, {}, {})
    assert not (tmp_path / "metrics.json").exists()
