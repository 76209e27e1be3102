"""Image-level and pixel-level metrics of anomaly detection.

Those of images are scikit-learn's. Those of pixels are ours: scikit-learn wants all scores at once, sorts them for each
metric (100 times slower on 20 million scores, docs/benchmarks.md), and has no AUPRO.

AUROC, F1-max, average precision and AUPRO depend on scores only through, for each distinct score of a positive, how
many positives and negatives lie above it. Both are kept as sorted lists (`sorted_scores.py`), exact up to some 30
million pixels and thinned beyond, in bounded memory, so one pass over the pixels serves all four.

Every value is a fraction in [0, 1]. A metric that is undefined is NaN with a warning, never 0, as in scikit-learn.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adaclip.errors import AdaclipError
from adaclip.metrics.sorted_scores import Sketch

Floats = npt.NDArray[np.float64]


class UndefinedMetricWarning(UserWarning):
    """A metric has no value on these data."""


class MetricResult(dict[str, float]):
    """Metric values by name, and in `undefined` the reason for each that is NaN."""

    def __init__(self, values: dict[str, float], undefined: dict[str, str]) -> None:
        super().__init__(values)
        self.undefined = undefined


@dataclass(frozen=True)
class _Ranking:
    """Distinct scores of positives from the highest down, and what lies above each.

    Attributes:
        above: negatives with a higher score, (n,).
        at_or_above: negatives with the same or a higher score, (n,).
        hits: positives with the same or a higher score, (n,).
        overlap: summed weight of those positives, (n,).
        positives: all positives.
        negatives: all negatives.
    """

    above: Floats
    at_or_above: Floats
    hits: Floats
    overlap: Floats
    positives: float
    negatives: float

    def auroc(self) -> float:
        """Area under the ROC curve: a tie counts one half."""
        steps = np.diff(self.hits, prepend=0.0)
        beaten = self.negatives - (self.above + self.at_or_above) / 2
        return float((steps * beaten).sum() / (self.positives * self.negatives))

    def f1_max(self) -> float:
        """Largest F1 over all thresholds; it lies at the score of a positive."""
        return float((2 * self.hits / (self.hits + self.at_or_above + self.positives)).max())

    def average_precision(self) -> float:
        """Sum over the thresholds of precision times the step in recall (no interpolation)."""
        steps = np.diff(self.hits, prepend=0.0)
        return float((steps * self.hits / (self.hits + self.at_or_above)).sum() / self.positives)

    def roc(self) -> tuple[Floats, Floats]:
        """False-positive and true-positive rate at every corner of the ROC curve."""
        return self._corners(self.hits / self.positives)

    def pro(self) -> tuple[Floats, Floats]:
        """False-positive rate and per-region overlap at every corner of the PRO curve."""
        return self._corners(self.overlap / self.overlap[-1])

    def _corners(self, rate: Floats) -> tuple[Floats, Floats]:
        # Between two scores of positives only false positives grow; at a score that both share the curve is slanted.
        x = np.concatenate([[0.0], np.stack([self.above, self.at_or_above], axis=1).ravel(), [self.negatives]])
        y = np.concatenate([[0.0], np.stack([np.concatenate([[0.0], rate[:-1]]), rate], axis=1).ravel(), [1.0]])
        return x / self.negatives, y

    def aupro(self, limit: float) -> float:
        """Area under the PRO curve up to a false-positive rate, divided by it."""
        x, y = self.pro()
        end = int(np.searchsorted(x, limit, side="right"))
        # At a vertical step exactly at the limit the upper end is reached, so interpolation starts from the last point.
        last = float(np.interp(limit, x[end - 1 : end + 1], y[end - 1 : end + 1]))
        x, y = np.append(x[:end], limit), np.append(y[:end], last)
        return float(np.trapezoid(y, x) / limit)

    def precision_recall(self) -> tuple[Floats, Floats]:
        """Recall and precision at every threshold, from the highest score down."""
        return self.hits / self.positives, self.hits / (self.hits + self.at_or_above)


def _rank(positives: Sketch, negatives: Sketch) -> _Ranking:
    scores, counts, weights = positives.content()
    below, at_or_below = negatives.ranks(scores)
    return _Ranking(
        above=(negatives.total - at_or_below[::-1]).astype(np.float64),
        at_or_above=(negatives.total - below[::-1]).astype(np.float64),
        hits=np.cumsum(counts[::-1], dtype=np.float64),
        overlap=np.cumsum(weights[::-1], dtype=np.float64),
        positives=float(positives.total),
        negatives=float(negatives.total),
    )


def _one_class(positives: float, negatives: float, what: str) -> str | None:
    if positives + negatives == 0:
        return f"no {what}"
    if positives == 0:
        return f"no anomalous {what}"
    if negatives == 0:
        return f"no normal {what}"
    return None


def _undefined(names: tuple[str, ...], reason: str) -> MetricResult:
    # The caller of the public function is two frames up.
    warnings.warn(f"undefined metrics ({', '.join(names)}): {reason}", UndefinedMetricWarning, stacklevel=3)
    return MetricResult(dict.fromkeys(names, math.nan), dict.fromkeys(names, reason))


def _array(values: Any, dtype: Any = None) -> npt.NDArray[Any]:
    """Lists, NumPy arrays, or tensors of any device and precision as an array, without importing torch."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.float() if values.is_floating_point() and values.element_size() < 4 else values
    return np.asarray(values, dtype=dtype)


def _image_arrays(labels: Any, scores: Any) -> tuple[npt.NDArray[Any], Floats, str | None]:
    """Labels and scores of images, both checked, and why metrics are undefined on them, if they are."""
    labels, scores = _array(labels).ravel(), _array(scores, np.float64).ravel()
    if labels.shape != scores.shape:
        raise AdaclipError(f"{labels.size} labels but {scores.size} scores: give one score for each label")
    if not np.isin(labels, (0, 1)).all():
        raise AdaclipError("image labels must be 0 (normal) or 1 (anomalous)")
    if not np.isfinite(scores).all():
        raise AdaclipError(f"anomaly score {int((~np.isfinite(scores)).argmax())} is not finite")
    positives = int((labels == 1).sum())
    return labels, scores, _one_class(positives, labels.size - positives, "images")


IMAGE_METRICS = ("auroc", "f1_max", "ap")
PIXEL_METRICS = ("auroc", "f1_max", "ap", "aupro")


def image_metrics(labels: Any, scores: Any) -> MetricResult:
    """Image-level AUROC, F1-max and average precision.

    Args:
        labels: (images,), 0 normal or 1 anomalous; a list, a NumPy array or a tensor, here and below.
        scores: (images,), higher is more anomalous.

    Returns:
        `auroc`, `f1_max`, `ap`; all NaN with a warning when only one class is there, for then every detector is alike.

    Raises:
        AdaclipError: labels and scores differ in number, or a value that cannot be.

    Example:
        >>> image_metrics([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])["auroc"]
        0.75
    """
    labels, scores, reason = _image_arrays(labels, scores)
    if reason is not None:
        return _undefined(IMAGE_METRICS, reason)
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

    precision, recall, _ = precision_recall_curve(labels, scores)
    # Where both are zero F1 is zero.
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(np.float64).tiny)
    values = {
        "auroc": float(roc_auc_score(labels, scores)),
        "f1_max": float(f1.max()),
        "ap": float(average_precision_score(labels, scores)),
    }
    return MetricResult(values, {})


def image_curves(labels: Any, scores: Any, points: int = 200) -> dict[str, dict[str, list[float]]] | None:
    """ROC and precision-recall points of image scores for figures; None when only one class is there.

    Args:
        labels: (images,), 0 or 1.
        scores: (images,).
        points: at most so many points of each curve.

    Returns:
        `roc` with `fpr` and `tpr`, `pr` with `recall` and `precision`.
    """
    labels, scores, reason = _image_arrays(labels, scores)
    if reason is not None:
        return None
    from sklearn.metrics import precision_recall_curve, roc_curve

    fpr, tpr, _ = roc_curve(labels, scores)
    precision, recall, _ = precision_recall_curve(labels, scores)
    # From the highest score down, without the end at no recall, where there is no precision.
    return {
        "roc": _thinned(("fpr", "tpr"), fpr, tpr, points),
        "pr": _thinned(("recall", "precision"), recall[-2::-1], precision[-2::-1], points),
    }


def _curves(ranking: _Ranking, points: int) -> dict[str, dict[str, list[float]]]:
    return {
        "roc": _thinned(("fpr", "tpr"), *ranking.roc(), points),
        "pr": _thinned(("recall", "precision"), *ranking.precision_recall(), points),
    }


def _thinned(names: tuple[str, str], x: Floats, y: Floats, points: int) -> dict[str, list[float]]:
    """At most `points` of a curve, evenly along its length, both ends included."""
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    chosen = np.unique(np.searchsorted(length, np.linspace(0, length[-1], points)).clip(max=len(x) - 1))
    return {names[0]: x[chosen].tolist(), names[1]: y[chosen].tolist()}


class PixelMetrics:
    """Pixel-level AUROC, F1-max, average precision and AUPRO of one category, fed batch by batch.

    AUPRO (Bergmann et al., 2021) averages, over the connected regions of all masks (8 neighbours), the share of a
    region that is found, and integrates it over the false-positive rate of all normal pixels up to `fpr_limit`.

    Scores are compared in single precision. Memory is bounded whatever the number of images.

    Args:
        fpr_limit: where AUPRO's integral ends, in (0, 1].

    Example:
        >>> meter = PixelMetrics()
        >>> mask = np.zeros((8, 8), bool); mask[2:4, 2:4] = True
        >>> meter.update(mask, mask * 0.5)
        >>> meter.compute()["aupro"]
        1.0
    """

    def __init__(self, fpr_limit: float = 0.3) -> None:
        if not 0 < fpr_limit <= 1:
            raise AdaclipError(f"fpr_limit {fpr_limit} is not in (0, 1]")
        self.fpr_limit = fpr_limit
        self._positives = Sketch(weighted=True)
        self._negatives = Sketch(weighted=False)

    @property
    def pixels(self) -> int:
        """Pixels seen so far."""
        return int(self._positives.total + self._negatives.total)

    def update(self, masks: Any, maps: Any) -> None:
        """Add images.

        Args:
            masks: (batch, height, width) or (height, width), bool or 0 and 1.
            maps: the same shape, any finite values, higher is more anomalous.

        Raises:
            AdaclipError: shapes differ, or a value that cannot be.
        """
        masks, maps = _array(masks), _array(maps, np.float32)
        if masks.shape != maps.shape or masks.ndim not in (2, 3):
            raise AdaclipError(f"masks are {masks.shape}, maps {maps.shape}: give both as (batch, height, width)")
        if masks.dtype != bool:
            if not np.isin(masks, (0, 1)).all():
                raise AdaclipError("masks must be bool, or 0 and 1")
            masks = masks.astype(bool)
        if maps.size and not (math.isfinite(maps.min()) and math.isfinite(maps.max())):
            raise AdaclipError("an anomaly map has a value that is not finite")
        for mask, scores in zip(masks.reshape(-1, *masks.shape[-2:]), maps.reshape(-1, *maps.shape[-2:]), strict=True):
            if not mask.any():
                self._negatives.add(scores.ravel())
                continue
            self._negatives.add(scores[~mask])
            self._positives.add(scores[mask], _region_weights(mask))

    def compute(self) -> MetricResult:
        """`auroc`, `f1_max`, `ap`, `aupro` of all images so far; NaN with a warning when only one class is there."""
        reason = _one_class(self._positives.total, self._negatives.total, "pixels")
        if reason is not None:
            return _undefined(PIXEL_METRICS, reason)
        ranking = _rank(self._positives, self._negatives)
        values = {
            "auroc": ranking.auroc(),
            "f1_max": ranking.f1_max(),
            "ap": ranking.average_precision(),
            "aupro": ranking.aupro(self.fpr_limit),
        }
        return MetricResult(values, {})

    def curves(self, points: int = 200) -> dict[str, dict[str, list[float]]] | None:
        """Points of the curves for figures: `roc`, `pr`, and `pro` with `fpr` and `pro`; None when undefined."""
        if _one_class(self._positives.total, self._negatives.total, "pixels") is not None:
            return None
        ranking = _rank(self._positives, self._negatives)
        return {**_curves(ranking, points), "pro": _thinned(("fpr", "pro"), *ranking.pro(), points)}


def _region_weights(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """1 / area of its region for each anomalous pixel, in the order of `scores[mask]`."""
    from scipy.ndimage import label

    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    regions, _ = label(box, structure=np.ones((3, 3)))
    of_pixel = regions[box]
    return (1 / np.bincount(of_pixel).clip(min=1)).astype(np.float32)[of_pixel]
