"""What an evaluation makes of scores and maps: metrics, curves, and a few maps for the report.

Everything is streamed: one or two categories' pixels and the maps of a few images are held. Knows nothing of models.
"""

from __future__ import annotations

import csv
import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from adaclip.data.rows import Row
from adaclip.errors import warn
from adaclip.files import write_json, write_whole
from adaclip.metrics import (
    IMAGE_METRICS,
    PIXEL_METRICS,
    MetricResult,
    PixelMetrics,
    UndefinedMetricWarning,
    image_curves,
    image_metrics,
)

SCORES = ("set", "category", "image", "label", "defect", "anomaly_score", "map_max", "map_mean")
#: Largest side in pixels of the maps that are kept for the report.
PANEL_SIDE = 256
Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]


class PixelJudge:
    """Pixel metrics and curves by category; a category's pixels are let go when its last image has come.

    Rows are sorted by category, so that one or two categories are held at a time.

    Args:
        rows: the images of the set.
        fpr_limit: of AUPRO.

    Attributes:
        vanished: by category, masks of which no pixel is left at the model's size; their images count as wholly normal.
    """

    def __init__(self, rows: Sequence[Row], fpr_limit: float) -> None:
        self.rows, self.fpr_limit = rows, fpr_limit
        self.last = {row.category: index for index, row in enumerate(rows)}
        self.results: dict[str, MetricResult] = {}
        self.curves: dict[str, Any] = {}
        self.vanished: Counter[str] = Counter()
        self._meters: dict[str, PixelMetrics] = {}

    def update(self, index: Sequence[int], masks: Bools, maps: Floats) -> None:
        """Take images; those whose pixels are unknown are left out.

        Args:
            index: positions in the set, (batch,).
            masks: (batch, S, S).
            maps: (batch, S, S).
        """
        for category in dict.fromkeys(self.rows[i].category for i in index):
            own = [(k, i) for k, i in enumerate(index) if self.rows[i].category == category]
            chosen = [k for k, i in own if self.rows[i].has_pixels]
            # A mask is never empty in the manifest; at the model's size a small defect can be gone.
            self.vanished[category] += sum(self.rows[index[k]].mask is not None and not masks[k].any() for k in chosen)
            if chosen:
                meter = self._meters.setdefault(category, PixelMetrics(self.fpr_limit))
                meter.update(masks[chosen], maps[chosen])
            if own[-1][1] == self.last[category] and category in self._meters:
                meter = self._meters.pop(category)
                with warnings.catch_warnings():
                    # The reason goes into metrics.json.
                    warnings.simplefilter("ignore", UndefinedMetricWarning)
                    self.results[category] = meter.compute()
                curves = meter.curves()
                if curves is not None:
                    self.curves[category] = curves

    def mean_f1_max(self) -> float:
        """Mean F1-max over the categories where it is defined, or NaN."""
        defined = [result["f1_max"] for result in self.results.values() if not math.isnan(result["f1_max"])]
        return sum(defined) / len(defined) if defined else math.nan


class Panels:
    """Small maps of a few images: the best, the worst, and some that no score chose.

    An anomalous image with a mask is the better, the more its map differs in the mean between inside and outside; where
    no mask is known, an image is the better, the further its score lies on its label's side.

    Args:
        rows: the images of the set.
        count: how many to keep; a third of them best, a third worst.
    """

    def __init__(self, rows: Sequence[Row], count: int) -> None:
        self.rows = rows
        self.extremes = count // 3
        self.spread = frozenset(choose_panels(rows, count - 2 * self.extremes))
        self.masked = any(row.label == 1 and row.has_pixels for row in rows)
        self._maps: dict[int, Floats] = {}
        self._quality: dict[int, float] = {}

    def update(self, index: Sequence[int], masks: Bools, maps: Floats, scores: Floats) -> None:
        """Take images; arguments as for `PixelJudge.update`, and the anomaly scores (batch,)."""
        for position, i in enumerate(index):
            row = self.rows[i]
            quality = None
            if i not in self.spread and self.extremes:
                if not self.masked:
                    quality = float(scores[position]) if row.label == 1 else 1 - float(scores[position])
                elif row.label == 1 and row.has_pixels and 0 < masks[position].mean() < 1:
                    inside = maps[position][masks[position]].mean()
                    quality = float(inside - maps[position][~masks[position]].mean())
            if quality is not None:
                self._quality[i] = quality
            if quality is not None or i in self.spread:
                self._maps[i] = self._small(maps[position])
        self._forget()

    def _small(self, values: Floats) -> Floats:
        side = min(values.shape[-1], PANEL_SIDE)
        small = Image.fromarray(values.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR)
        return np.asarray(small).clip(0, 1).astype(np.float16)

    def _ranked(self) -> list[int]:
        return sorted(self._quality, key=lambda i: (self._quality[i], i))

    def _forget(self) -> None:
        """Let go of maps that are neither among the best nor among the worst so far."""
        ranked = self._ranked()
        for i in ranked[self.extremes : max(self.extremes, len(ranked) - self.extremes)]:
            del self._maps[i], self._quality[i]

    def roles(self) -> dict[int, str]:
        """`best`, `worst` or `sample` for each image that is kept, by position in the set."""
        ranked = self._ranked()
        # With fewer than two thirds of the images, the better half is best.
        worst = set(ranked[: min(self.extremes, len(ranked) // 2)])
        return {i: "sample" if i in self.spread else "worst" if i in worst else "best" for i in sorted(self._maps)}

    def write(self, path: Path, scores: Floats) -> None:
        """Write image, category, label, score, role and maps as compressed NumPy arrays."""
        roles = self.roles()
        rows = [self.rows[i] for i in roles]
        with write_whole(path) as part, part.open("wb") as stream:
            np.savez_compressed(
                stream,
                image=np.array([row.relative for row in rows], dtype=np.str_),
                category=np.array([row.category for row in rows], dtype=np.str_),
                label=np.array([row.label for row in rows], dtype=np.int64),
                score=np.array([scores[i] for i in roles], dtype=np.float64),
                role=np.array(list(roles.values()), dtype=np.str_),
                maps=np.stack([self._maps[i] for i in roles]) if roles else np.zeros((0, 1, 1), np.float16),
            )


def choose_panels(rows: Sequence[Row], count: int) -> list[int]:
    """Indices of up to `count` images, spread over categories, an anomalous one before a normal one."""
    queues = []
    for category in dict.fromkeys(row.category for row in rows):
        own = [index for index, row in enumerate(rows) if row.category == category]
        anomalous = _spread([index for index in own if rows[index].label == 1])
        normal = _spread([index for index in own if rows[index].label == 0])
        queue = []
        while anomalous or normal:
            queue += [part.pop(0) for part in (anomalous, normal, anomalous) if part]
        queues.append(queue)
    chosen: list[int] = []
    while any(queues) and len(chosen) < count:
        chosen += [queue.pop(0) for queue in queues if queue]
    return sorted(chosen[:count])


def _spread(indices: list[int]) -> list[int]:
    """The same indices in an order whose beginning covers the whole list: middle, quarters, eighths ..."""
    order: list[int] = []
    seen: set[int] = set()
    parts = 2
    while len(order) < len(indices):
        for numerator in range(1, parts, 2):
            index = indices[numerator * len(indices) // parts]
            if index not in seen:
                seen.add(index)
                order.append(index)
        parts *= 2
    return order


class Judge:
    """Collects one evaluation and writes its files; docs/design.md describes them.

    Args:
        rows: the images of the set.
        labels: of `image` and `mask`, what the set's figures are on.
        fpr_limit: of AUPRO.
        panels: how many maps to keep.
    """

    def __init__(self, rows: Sequence[Row], labels: Sequence[str], fpr_limit: float, panels: int) -> None:
        self.rows, self.labels = rows, labels
        self.pixels = PixelJudge(rows, fpr_limit)
        self.panels = Panels(rows, panels)
        self.scores = np.full(len(rows), np.nan)
        self._records: list[tuple[Any, ...]] = []

    def update(self, index: Sequence[int], masks: Bools, maps: Floats, scores: Floats) -> None:
        """Take images in order.

        Args:
            index: positions in the set, (batch,).
            masks: (batch, S, S); False where there is none.
            maps: smoothed anomaly maps, (batch, S, S).
            scores: anomaly scores, (batch,).
        """
        self.scores[list(index)] = scores
        if "mask" in self.labels:
            self.pixels.update(index, masks, maps)
        self.panels.update(index, masks, maps, scores)
        highest, mean = maps.max(axis=(1, 2)).tolist(), maps.mean(axis=(1, 2), dtype=np.float64).tolist()
        for position, i in enumerate(index):
            row = self.rows[i]
            head = (row.dataset, row.category, row.relative, row.label, row.defect)
            self._records.append((*head, self.scores[i], highest[position], mean[position]))

    def write(self, out: Path, head: Mapping[str, Any], settings: Mapping[str, Any], cost: Mapping[str, Any]) -> None:
        """Write scores.csv, curves.json, panels.npz, cost.json and, last, metrics.json into a folder.

        Args:
            out: the folder.
            head: run, seed, auxiliary, selection and method, for metrics.json.
            settings: how it was evaluated, for metrics.json.
            cost: seconds, images, device and memory.
        """
        metrics, curves = self._summarise()
        # An earlier evaluation ends here: were this one killed below, its metrics would stand beside other scores.
        (out / "metrics.json").unlink(missing_ok=True)
        with write_whole(out / "scores.csv") as part, part.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(SCORES)
            writer.writerows(self._records)
        write_json(out / "curves.json", curves)
        self.panels.write(out / "panels.npz", self.scores)
        write_json(out / "cost.json", dict(cost))
        self._warn_of_vanished()
        facts = {"set": self.rows[0].dataset, **head, "images": len(self.rows)}
        write_json(out / "metrics.json", {**facts, **metrics, "settings": dict(settings)})

    def _warn_of_vanished(self) -> None:
        vanished = self.pixels.vanished
        if not vanished.total():
            return
        masks = sum(row.mask is not None for row in self.rows)
        where = ", ".join(f"{category} {count}" for category, count in vanished.items() if count)
        warn(
            f"{self.rows[0].dataset}: the defects of {vanished.total()} of {masks} masks are too small for the model's "
            f"size and vanish ({where}): their images count as anomalous, but all their pixels as normal; a larger "
            "image_size keeps them"
        )

    def _summarise(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The `categories` and `mean` of metrics.json, and curves.json."""
        truth = np.array([row.label for row in self.rows])
        names = np.array([row.category for row in self.rows])
        images = "image" in self.labels
        categories: dict[str, Any] = {}
        for category in dict.fromkeys(names.tolist()):
            own = names == category
            undefined: dict[str, str] = {}
            with warnings.catch_warnings():
                # The reason goes into metrics.json.
                warnings.simplefilter("ignore", UndefinedMetricWarning)
                image = image_metrics(truth[own], self.scores[own]) if images else None
            pixel = self.pixels.results.get(category)
            categories[category] = {
                "images": int(own.sum()),
                "anomalous": int(truth[own].sum()),
                "vanished": self.pixels.vanished[category],
                "image": _plain(image, IMAGE_METRICS, "image", "the set has no image labels", undefined),
                "pixel": _plain(pixel, PIXEL_METRICS, "pixel", "the set has no masks", undefined),
                "undefined": undefined,
            }
        mean = {
            level: {name: _mean([entry[level][name] for entry in categories.values()]) for name in metrics}
            for level, metrics in (("image", IMAGE_METRICS), ("pixel", PIXEL_METRICS))
        }
        curves = {"image": image_curves(truth, self.scores) if images else None, "pixel": self.pixels.curves}
        return {"categories": categories, "mean": mean}, curves


def _plain(
    result: MetricResult | None, names: Sequence[str], level: str, reason: str, undefined: dict[str, str]
) -> dict[str, float | None]:
    """Metrics as JSON: null where undefined, with the reason put into `undefined`."""
    plain: dict[str, float | None] = {}
    for name in names:
        value = result[name] if result is not None else math.nan
        plain[name] = None if math.isnan(value) else value
        if plain[name] is None:
            undefined[f"{level}.{name}"] = result.undefined.get(name, reason) if result is not None else reason
    return plain


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None
