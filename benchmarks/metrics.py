"""Pixel metrics of one category: ours (all four) against scikit-learn's three calls, timed in one run.

python benchmarks/metrics.py --pixels 20000000
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, zoom
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from adaclip.metrics.measures import PIXEL_METRICS, PixelMetrics

Array = npt.NDArray[Any]
Metrics = Callable[[Array, Array], Mapping[str, float]]
SIDE = 518


def scenes(pixels: int) -> tuple[Array, Array]:
    """Smooth maps in [0, 1] as the model makes them, and masks that cover some 3 % of them."""
    rng = np.random.default_rng(0)
    count = max(2, -(-pixels // SIDE**2))
    masks = np.zeros((count, SIDE, SIDE), bool)
    maps = np.empty((count, SIDE, SIDE), np.float32)
    for mask, scores in zip(masks, maps, strict=True):
        for _ in range(2):
            top, left = rng.integers(0, SIDE - 64, 2)
            mask[top : top + 64, left : left + 64] = True
        logits = zoom(rng.standard_normal((37, 37)), SIDE / 37, order=1) * 3 - 3 + 2 * mask
        scores[:] = gaussian_filter(1 / (1 + np.exp(-logits)), 4)
    return masks, maps


def ours(masks: Array, maps: Array) -> Mapping[str, float]:
    """All four metrics, fed image by image as an evaluation does."""
    meter = PixelMetrics()
    for mask, scores in zip(masks, maps, strict=True):
        meter.update(mask, scores)
    return meter.compute()


def theirs(masks: Array, maps: Array) -> Mapping[str, float]:
    """The three calls of scikit-learn that give AUROC, AP and F1-max."""
    y, s = masks.ravel(), maps.ravel()
    auroc, ap = roc_auc_score(y, s), average_precision_score(y, s)
    precision, recall, _ = precision_recall_curve(y, s)
    f1 = (2 * precision * recall / np.maximum(precision + recall, 1e-12)).max()
    return {"auroc": float(auroc), "f1_max": float(f1), "ap": float(ap)}


def timed(call: Metrics, masks: Array, maps: Array) -> tuple[float, Mapping[str, float]]:
    """Seconds and result of one call."""
    started = time.perf_counter()
    result = call(masks, maps)
    return time.perf_counter() - started, result


def main() -> None:
    """Time both and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels", type=int, default=20_000_000)
    masks, maps = scenes(parser.parse_args().pixels)

    # Both load their libraries and start their threads outside the clock.
    timed(ours, masks[:2], maps[:2])
    timed(theirs, masks[:2], maps[:2])
    runs = [timed(ours, masks, maps) for _ in range(5)]
    seconds_ours, found = sorted(runs, key=lambda run: run[0])[2]
    seconds_theirs, expected = timed(theirs, masks, maps)

    print(f"{maps.size} pixels, {100 * masks.mean():.1f} % anomalous; ours is the median of 5")
    print(f"{'':14}{'seconds':>9}" + "".join(f"{name:>12}" for name in PIXEL_METRICS))
    for name, seconds, values in (("ours", seconds_ours, found), ("scikit-learn", seconds_theirs, expected)):
        cells = "".join(f"{values[key]:12.7f}" if key in values else f"{'-':>12}" for key in PIXEL_METRICS)
        print(f"{name:14}{seconds:9.2f}{cells}")
    print(json.dumps({"pixels": maps.size, "ratio": seconds_theirs / seconds_ours}))


if __name__ == "__main__":
    main()
