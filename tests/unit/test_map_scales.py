"""Maps and scores have no common scale: nothing that keeps or draws them saturates, or turns their order round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.data.rows import Row
from adaclip.errors import AdaclipError
from adaclip.metrics.kept_maps import Panels
from adaclip.report.figures import words
from adaclip.report.figures.histograms import ends
from adaclip.report.panels import coloured, read_kept
from adaclip.runs.score import _write_map

SIDE = 16
#: By name, the range that a method states and the one that its maps have.
SCALES = {"summed": ((0.0, 4.0), (0.0, 4.0)), "unbounded": (None, (-30.0, -2.0)), "fraction": ((0.0, 1.0), (0.0, 1.0))}


def row(label: int, pixels: bool = True) -> Row:
    return Row("toy", "bolt", "bolt", Path("i.png"), "bolt.png", None, label, "", pixels)


def ramp(low: float, high: float) -> np.ndarray:
    """A map that rises from left to right, (1, SIDE, SIDE)."""
    return np.broadcast_to(np.linspace(low, high, SIDE, dtype=np.float32), (1, SIDE, SIDE)).copy()


def keep(folder: Path, map_range: tuple[float, float] | None, *maps: np.ndarray, count: int = 1) -> Panels:
    panels = Panels([row(0) for _ in maps], count, map_range)
    for index, values in enumerate(maps):
        panels.update([index], np.zeros(values.shape, bool), values, np.zeros(1))
    panels.write(folder / "panels.npz", np.zeros(len(maps)))
    return panels


@pytest.mark.parametrize("name", SCALES)
def test_kept_maps_keep_their_values_and_are_drawn_without_saturation(name, tmp_path):
    stated, (low, high) = SCALES[name]
    keep(tmp_path, stated, ramp(low, high))
    kept = read_kept(tmp_path)
    [one] = kept.images
    np.testing.assert_array_equal(one.values, ramp(low, high)[0])
    assert (kept.low, kept.high) == (low, high)
    brightness = np.asarray(coloured(one.values, kept.low, kept.high).convert("L"), int)[0]
    assert (np.diff(brightness) > 0).all()


def test_without_bounds_the_range_is_that_of_all_maps_also_of_those_not_kept(tmp_path):
    panels = keep(tmp_path, None, ramp(-1, 0), ramp(-7, -6), ramp(3, 5))
    kept = read_kept(tmp_path)
    assert len(kept.images) == len(panels.roles()) == 1
    assert (kept.low, kept.high) == (-7, 5)


def test_stated_bounds_hold_whatever_the_maps_have(tmp_path, capsys):
    keep(tmp_path, (0.0, 4.0), ramp(1, 2))
    kept = read_kept(tmp_path)
    assert (kept.low, kept.high) == (0, 4)
    assert capsys.readouterr().err == ""


def test_maps_outside_their_stated_bounds_are_told_and_shown_whole(tmp_path, capsys):
    keep(tmp_path, (0.0, 1.0), ramp(0, 1.7))
    kept = read_kept(tmp_path)
    assert kept.high == pytest.approx(1.7)
    assert "reach from 0 to 1.7, but their method states 0 to 1" in capsys.readouterr().err


def test_autocast_may_pass_a_bound_by_its_rounding(tmp_path, capsys):
    keep(tmp_path, (0.0, 1.0), ramp(0, 1.004))
    assert read_kept(tmp_path).high == 1
    assert capsys.readouterr().err == ""


def rewrite(folder: Path, **changed: np.ndarray) -> None:
    """The kept maps with another range, or none."""
    with np.load(folder / "panels.npz") as stored:
        columns = {key: stored[key] for key in stored if key != "range"}
    np.savez_compressed(folder / "panels.npz", **columns, **changed)


def test_maps_of_an_earlier_version_run_from_0_to_1(tmp_path):
    keep(tmp_path, None, ramp(0, 0.5))
    rewrite(tmp_path)
    assert (read_kept(tmp_path).low, read_kept(tmp_path).high) == (0, 1)


@pytest.mark.parametrize("bounds", [(2.0, 1.0), (0.0, np.inf), (np.nan, 1.0), (0.0,)])
def test_a_range_that_cannot_be_is_refused(bounds, tmp_path):
    keep(tmp_path, None, ramp(1, 2))
    rewrite(tmp_path, range=np.array(bounds))
    with pytest.raises(AdaclipError, match=r"cannot read .*panels\.npz: .*evaluate again"):
        read_kept(tmp_path)


def test_a_map_without_any_range_is_dark():
    assert np.asarray(coloured(np.full((4, 4), 7.0), 7.0, 7.0)).max() < 10


@pytest.mark.parametrize(("factor", "shift"), [(1, 0), (50, 0), (1, -40), (0.001, 5)])
def test_best_and_worst_do_not_depend_on_the_scores_scale(factor, shift):
    labels = (0, 0, 0, 0, 1, 1, 1, 1)
    scores = np.array([0.9, 0.1, 0.5, 0.4, 0.95, 0.2, 0.6, 0.7])
    rows = [row(label, pixels=False) for label in labels]
    for batch in (1, 8):
        panels = Panels(rows, 6)
        panels.spread = frozenset()
        for start in range(0, 8, batch):
            index = list(range(start, start + batch))
            maps = np.zeros((batch, SIDE, SIDE), np.float32)
            panels.update(index, maps > 0, maps, factor * scores[index] + shift)
        # The medians, 0.45 and 0.65, leave the middle at 0.55: 1 and 4 lie furthest on their side, 0 and 5 beyond it.
        assert panels.roles() == {0: "worst", 1: "best", 4: "best", 5: "worst"}


def test_few_maps_are_held_however_many_images_there_are():
    """The best and worst of each label until all scores are known."""
    rng = np.random.default_rng(0)
    rows = [row(index % 2, pixels=False) for index in range(60)]
    panels = Panels(rows, 6)
    panels.spread = frozenset()
    maps = np.zeros((1, SIDE, SIDE), np.float32)
    for index in range(60):
        panels.update([index], maps > 0, maps, rng.normal(size=1))
    assert len(panels._maps) == 2 * 2 * panels.extremes
    assert sorted(panels.roles().values()) == ["best", "best", "worst", "worst"]


@pytest.fixture
def picture(tmp_path):
    Image.new("RGB", (SIDE, SIDE)).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


@pytest.mark.parametrize("name", SCALES)
def test_heat_maps_use_all_of_their_8_bits(name, tmp_path, picture):
    stated, (low, high) = SCALES[name]
    _write_map(tmp_path / "map.png", ramp(low, high)[0], picture, stated)
    heat = np.asarray(Image.open(tmp_path / "map.png"), int)[0]
    np.testing.assert_array_equal(heat, np.linspace(0, 255, SIDE).round())


def test_heat_maps_of_one_method_share_its_stated_scale(tmp_path, picture):
    _write_map(tmp_path / "map.png", ramp(1, 2)[0], picture, (0.0, 4.0))
    heat = np.asarray(Image.open(tmp_path / "map.png"), int)[0]
    assert (heat[0], heat[-1]) == (64, 128)


def test_a_heat_map_that_would_saturate_is_refused(tmp_path, picture):
    with pytest.raises(AdaclipError, match=r"picture\.png: its map reaches from 0 to 1.7, .* states 0 to 1"):
        _write_map(tmp_path / "map.png", ramp(0, 1.7)[0], picture, (0.0, 1.0))
    assert not (tmp_path / "map.png").exists()


def test_a_heat_map_without_any_range_is_dark(tmp_path, picture):
    _write_map(tmp_path / "map.png", np.full((SIDE, SIDE), -3.0, np.float32), picture, None)
    assert np.asarray(Image.open(tmp_path / "map.png")).max() == 0


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(-3.14159, 250.0, ["-3.14", "250"]), (0.123456, 0.123499, ["0.12346", "0.1235"]), (0.0, 1.0, ["0", "1"])],
)
def test_the_ends_of_an_axis_are_told_apart(low, high, words):
    assert ends(low, high) == words


def test_a_setting_that_is_left_to_the_method_is_not_called_by_what_python_has_for_it():
    assert words.values([{"feature_blocks": None}, {"feature_blocks": []}], "feature_blocks") == "none given"
    assert words.values([{"feature_blocks": [2, 4]}, {"feature_blocks": None}], "feature_blocks") == "2 4 / none given"
