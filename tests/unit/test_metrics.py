"""Metrics against scikit-learn's exact figures, and against a plain computation of AUPRO."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from adaclip.errors import AdaclipError
from adaclip.metrics import sorted_scores
from adaclip.metrics.measures import PixelMetrics, UndefinedMetricWarning, image_curves, image_metrics

TOLERANCE = 0.00005  # 0.005 points


def exact(masks, maps):
    y, s = masks.ravel(), maps.astype(np.float32).ravel()
    precision, recall, _ = precision_recall_curve(y, s)
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
    return {"auroc": roc_auc_score(y, s), "f1_max": f1.max(), "ap": average_precision_score(y, s)}


def plain_aupro(masks, maps, limit=0.3):
    """Threshold by threshold, region by region, without any of the tricks of the product."""
    maps = maps.astype(np.float32)
    regions = []
    for mask, scores in zip(masks, maps, strict=True):
        found, count = label(mask, structure=np.ones((3, 3)))
        regions += [scores[found == i] for i in range(1, count + 1)]
    normal = maps[~masks]
    x, y = [0.0], [0.0]
    for threshold in np.unique(maps)[::-1]:
        x.append((normal >= threshold).mean())
        y.append(np.mean([(region >= threshold).mean() for region in regions]))
    x, y = np.array(x), np.array(y)
    area = 0.0
    for i in range(1, len(x)):
        if x[i - 1] >= limit:
            break
        end = min(x[i], limit)
        top = y[i] if x[i] <= limit else y[i - 1] + (y[i] - y[i - 1]) * (limit - x[i - 1]) / (x[i] - x[i - 1])
        area += (end - x[i - 1]) * (y[i - 1] + top) / 2
    return area / limit


def sorted_aupro(masks, maps, limit=0.3):
    """The same for many pixels: every threshold at once, from the highest score down."""
    scores = maps.astype(np.float32)
    share = np.zeros(scores.shape)
    count = 0
    for mask, part in zip(masks, share, strict=True):
        found, regions = label(mask, structure=np.ones((3, 3)))
        count += regions
        part[mask] = (1 / np.bincount(found.ravel()))[found[mask]]
    order = np.argsort(-scores, axis=None, kind="stable")
    last = np.append(np.diff(scores.ravel()[order]) != 0, True)
    x = np.append(0, (~masks.ravel()[order]).cumsum()[last] / (~masks).sum())
    y = np.append(0, share.ravel()[order].cumsum()[last] / count)
    end = np.searchsorted(x, limit, side="right")
    top = np.interp(limit, x[end - 1 : end + 1], y[end - 1 : end + 1])
    return np.trapezoid(np.append(y[:end], top), np.append(x[:end], limit)) / limit


def scenes(kind, rng, count=6, side=48):
    """Masks (count, side, side) with a few regions, and maps of a kind that is hard for some shortcut."""
    masks = np.zeros((count, side, side), bool)
    for mask in masks[1:]:
        for _ in range(3):
            top, left = rng.integers(0, side - 12, 2)
            mask[top : top + rng.integers(2, 12), left : left + rng.integers(2, 12)] = True
    u = rng.random(masks.shape)
    signal = 0.3 * masks + u
    maps = {
        "uniform": u,
        "normal": rng.standard_normal(masks.shape) + masks,
        "tied": np.floor(signal * 4) / 4,
        "constant": np.full(masks.shape, 0.25),
        "tiny": signal * 1e-30,
        "denormal": np.round(signal * 40) * 1e-44,
        "crowded at both ends": 1 / (1 + np.exp(-40 * (signal - 0.6))),
        "narrow": 0.5 + 1e-6 * signal,
        "negative": -signal,
        "reversed": 1 - signal,
        "drifting": signal * 10.0 ** np.linspace(-8, 8, count)[:, None, None],
    }
    return masks, maps[kind]


KINDS = [
    "uniform",
    "normal",
    "tied",
    "constant",
    "tiny",
    "denormal",
    "crowded at both ends",
    "narrow",
    "negative",
    "reversed",
    "drifting",
]


@pytest.mark.parametrize("capacity", [sorted_scores.CAPACITY, 4096], ids=["one by one", "thinned"])
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_scikit_learn(kind, capacity, monkeypatch):
    masks, maps = scenes(kind, np.random.default_rng(7))
    monkeypatch.setattr(sorted_scores, "CAPACITY", capacity)
    meter = PixelMetrics()
    for mask, scores in zip(masks, maps, strict=True):
        meter.update(mask, scores)
    result = meter.compute()
    for name, value in {**exact(masks, maps), "aupro": plain_aupro(masks, maps)}.items():
        assert result[name] == pytest.approx(value, abs=TOLERANCE), name
    assert meter.pixels == masks.size


def test_the_two_plain_computations_of_aupro_agree():
    for kind in KINDS:
        masks, maps = scenes(kind, np.random.default_rng(7), side=24)
        assert sorted_aupro(masks, maps) == pytest.approx(plain_aupro(masks, maps), abs=1e-9), kind


@pytest.mark.parametrize("share", [0.5, 0.03, 0.005])
@pytest.mark.parametrize("kind", ["normal", "tied", "crowded at both ends", "drifting"])
def test_thinning_many_pixels_with_many_and_few_positives(kind, share, monkeypatch):
    rng = np.random.default_rng(3)
    masks, maps = scenes(kind, rng, count=12, side=256)
    masks &= rng.random(masks.shape) < share
    monkeypatch.setattr(sorted_scores, "CAPACITY", 1 << 18)
    meter = PixelMetrics()
    meter.update(masks, maps)
    assert len(meter._negatives._values) < 0.8 * masks.size
    result = meter.compute()
    for name, value in {**exact(masks, maps), "aupro": sorted_aupro(masks, maps)}.items():
        assert result[name] == pytest.approx(value, abs=TOLERANCE), name


def test_memory_does_not_grow_with_the_number_of_images(monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(sorted_scores, "CAPACITY", 1 << 16)
    meter = PixelMetrics()
    kept = []
    for _ in range(40):
        meter.update(rng.random((256, 256)) < 0.3, rng.random((256, 256)))
        kept.append(sum(part._pending_count + part._values.size for part in (meter._positives, meter._negatives)))
    # Thinning to one entry for each SHARE of the whole leaves about 1 / SHARE entries and one unfilled buffer.
    assert max(kept[20:]) < 1.5 * max(kept[:20])
    assert meter.pixels == 40 * 256 * 256


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_small_input(data):
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)))
    size = int(np.prod(shape))
    masks = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size))).reshape(shape)
    values = st.one_of(st.sampled_from([0.0, -0.0, 0.5, 1.0]), st.floats(-(2.0**100), 2.0**100, width=32))
    maps = np.array(data.draw(st.lists(values, min_size=size, max_size=size))).reshape(shape)
    meter = PixelMetrics()
    meter.update(masks, maps)
    if masks.all() or not masks.any():
        with pytest.warns(UndefinedMetricWarning):
            result = meter.compute()
        assert all(np.isnan(value) for value in result.values())
        assert set(result.undefined) == set(result)
        assert meter.curves() is None
        return
    result = meter.compute()
    for name, value in {**exact(masks, maps), "aupro": plain_aupro(masks, maps)}.items():
        assert result[name] == pytest.approx(value, abs=TOLERANCE), name


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.floats(-1, 1)), min_size=2, max_size=30))
def test_image_metrics_are_what_their_definitions_say(pairs):
    labels, scores = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    if len(set(labels)) == 1:
        with pytest.warns(UndefinedMetricWarning):
            result = image_metrics(labels, scores)
        assert np.isnan(result["auroc"])
        assert "no " in result.undefined["auroc"]
        assert image_curves(labels, scores) is None
        return
    result = image_metrics(labels, scores)
    assert result == pytest.approx(plain_image_metrics(labels, scores), abs=1e-12)
    curves = image_curves(labels, scores)
    assert (curves["roc"]["fpr"][0], curves["roc"]["tpr"][-1], curves["pr"]["recall"][-1]) == (0, 1, 1)
    assert np.trapezoid(curves["roc"]["tpr"], curves["roc"]["fpr"]) == pytest.approx(result["auroc"], abs=1e-12)


def plain_image_metrics(labels, scores):
    """By definition: pairs that are in order, and the counts at every threshold."""
    positives, negatives = scores[labels == 1], scores[labels == 0]
    won = (positives[:, None] > negatives).mean() + (positives[:, None] == negatives).mean() / 2
    f1_max, ap, recall_before = 0.0, 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        hits, alarms = (positives >= threshold).sum(), (negatives >= threshold).sum()
        precision, recall = hits / (hits + alarms), hits / len(positives)
        f1_max = max(f1_max, 2 * hits / (hits + alarms + len(positives)))
        ap += precision * (recall - recall_before)
        recall_before = recall
    return {"auroc": won, "f1_max": f1_max, "ap": ap}


def test_batches_and_orders_do_not_matter():
    masks, maps = scenes("normal", np.random.default_rng(1))
    together, apart = PixelMetrics(), PixelMetrics()
    together.update(masks, maps)
    for mask, scores in zip(masks[::-1], maps[::-1], strict=True):
        apart.update(mask.astype(int), scores)
    assert together.compute() == pytest.approx(apart.compute(), abs=1e-9)


def test_computing_twice_and_going_on():
    masks, maps = scenes("uniform", np.random.default_rng(1))
    meter = PixelMetrics()
    meter.update(masks[:3], maps[:3])
    first = meter.compute()
    assert meter.compute() == first
    meter.update(masks[3:], maps[3:])
    for name, value in exact(masks, maps).items():
        assert meter.compute()[name] == pytest.approx(value, abs=1e-6)


def test_images_of_different_sizes():
    meter = PixelMetrics()
    rng = np.random.default_rng(2)
    parts = [(rng.random((h, w)) < 0.2, rng.random((h, w))) for h, w in [(5, 9), (20, 3), (8, 8)]]
    for mask, scores in parts:
        meter.update(mask, scores)
    y, s = (np.concatenate([part[i].ravel() for part in parts]) for i in (0, 1))
    assert meter.compute()["auroc"] == pytest.approx(roc_auc_score(y, s.astype(np.float32)), abs=1e-6)


def test_perfect_and_reversed_detectors():
    masks = np.zeros((2, 16, 16), bool)
    masks[0, 4:8, 4:8] = True
    perfect, opposite = PixelMetrics(), PixelMetrics()
    perfect.update(masks, masks.astype(float))
    opposite.update(masks, 1 - masks.astype(float))
    assert perfect.compute() == {"auroc": 1.0, "f1_max": 1.0, "ap": 1.0, "aupro": 1.0}
    assert opposite.compute()["auroc"] == 0.0
    assert opposite.compute()["aupro"] == 0.0


def test_curves_end_where_they_should():
    masks, maps = scenes("normal", np.random.default_rng(5))
    meter = PixelMetrics()
    meter.update(masks, maps)
    curves = meter.curves(points=50)
    for name, (x, y) in {"roc": ("fpr", "tpr"), "pro": ("fpr", "pro")}.items():
        assert len(curves[name][x]) <= 50
        assert (curves[name][x][0], curves[name][y][0]) == (0, 0)
        assert (curves[name][x][-1], curves[name][y][-1]) == (1, 1)
        assert np.all(np.diff(curves[name][x]) >= 0)
    area = np.trapezoid(curves["roc"]["tpr"], curves["roc"]["fpr"])
    assert area == pytest.approx(meter.compute()["auroc"], abs=0.005)
    assert curves["pr"]["recall"][-1] == 1


@pytest.mark.parametrize(
    ("masks", "maps", "words"),
    [
        (np.zeros((2, 3, 3), bool), np.zeros((2, 3, 4)), "masks are"),
        (np.full((3, 3), 2), np.zeros((3, 3)), "0 and 1"),
        (np.zeros((3, 3), bool), np.full((3, 3), np.nan), "not finite"),
        (np.zeros((3, 3), bool), np.full((3, 3), np.inf), "not finite"),
    ],
)
def test_bad_pixels_are_refused(masks, maps, words):
    with pytest.raises(AdaclipError, match=words):
        PixelMetrics().update(masks, maps)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_tensors_of_any_kind_give_what_arrays_give(precision):
    masks = torch.zeros(2, 6, 6, dtype=torch.bool)
    masks[0, 1:3, 1:4] = True
    maps = torch.linspace(0, 1, 72).reshape(2, 6, 6).to(precision)
    expected, meter = PixelMetrics(), PixelMetrics()
    expected.update(masks.numpy(), maps.float().numpy())
    meter.update(masks.float(), maps.requires_grad_())
    assert meter.compute() == expected.compute()
    scores = torch.tensor([0.25, 0.5, 0.75], dtype=precision, requires_grad=True)
    assert image_metrics(torch.tensor([0, 1, 0]), scores) == image_metrics([0, 1, 0], [0.25, 0.5, 0.75])


def test_bad_image_scores_are_refused():
    for labels, scores in [([0, 1], [0.1]), ([0, 2], [0.1, 0.2]), ([0, 1], [0.1, float("nan")])]:
        with pytest.raises(AdaclipError):
            image_metrics(labels, scores)
    with pytest.raises(AdaclipError):
        PixelMetrics(fpr_limit=0)


def test_no_warning_where_everything_is_defined():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image_metrics([0, 1], [0.2, 0.1])
