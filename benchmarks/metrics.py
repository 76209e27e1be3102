"""Pixel metrics of one category: ours (all four) against scikit-learn's three calls, timed in one run.

    python benchmarks/metrics.py --pixels 20000000
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from scipy.ndimage import gaussian_filter, zoom
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from adaclip.metrics import PixelMetrics

SIDE = 518


def scenes(pixels: int) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Smooth maps in [0, 1] as the model makes them, and masks that cover some 3 % of them."""
    rng = np.random.default_rng(0)
    count = max(2, pixels // SIDE**2)
    masks = np.zeros((count, SIDE, SIDE), bool)
    maps = np.empty((count, SIDE, SIDE), np.float32)
    for mask, scores in zip(masks, maps, strict=True):
        for _ in range(2):
            top, left = rng.integers(0, SIDE - 64, 2)
            mask[top : top + 64, left : left + 64] = True
        logits = zoom(rng.standard_normal((37, 37)), SIDE / 37, order=1) * 3 - 3 + 2 * mask
        scores[:] = gaussian_filter(1 / (1 + np.exp(-logits)), 4)
    return masks, maps


def main() -> None:
    """Time both and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels", type=int, default=20_000_000)
    masks, maps = scenes(parser.parse_args().pixels)

    started = time.perf_counter()
    meter = PixelMetrics()
    for mask, scores in zip(masks, maps, strict=True):
        meter.update(mask, scores)
    ours = meter.compute()
    seconds_ours = time.perf_counter() - started

    started = time.perf_counter()
    y, s = masks.ravel(), maps.ravel()
    auroc, ap = roc_auc_score(y, s), average_precision_score(y, s)
    precision, recall, _ = precision_recall_curve(y, s)
    f1 = float((2 * precision * recall / np.maximum(precision + recall, 1e-12)).max())
    seconds_theirs = time.perf_counter() - started

    print(f"{maps.size} pixels, {100 * masks.mean():.1f} % anomalous")
    print(f"{'':14}{'seconds':>9}{'AUROC':>12}{'F1-max':>12}{'AP':>12}{'AUPRO':>12}")
    print(f"{'ours':14}{seconds_ours:9.2f}" + "".join(f"{ours[k]:12.7f}" for k in ("auroc", "f1_max", "ap", "aupro")))
    print(f"{'scikit-learn':14}{seconds_theirs:9.2f}{auroc:12.7f}{f1:12.7f}{ap:12.7f}{'-':>12}")
    print(json.dumps({"pixels": maps.size, "ratio": seconds_theirs / seconds_ours}))


if __name__ == "__main__":
    main()
