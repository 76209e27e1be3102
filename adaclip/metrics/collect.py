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

from adaclip.data.rows import Row
from adaclip.errors import AdaclipError, warn
from adaclip.metrics.kept_maps import Bools, Floats, Panels
from adaclip.metrics.measures import (
    IMAGE_METRICS,
    PIXEL_METRICS,
    MetricResult,
    PixelMetrics,
    UndefinedMetricWarning,
    image_curves,
    image_metrics,
)
from adaclip.metrics.settings import EvaluateSettings
from adaclip.system.files import write_json, write_whole

SCORES = ("set", "category", "image", "label", "defect", "anomaly_score", "map_max", "map_mean")


class PixelJudge:
    """Pixel metrics and curves by category; a category's pixels are let go when its last image has come.

    Rows are sorted by category, so that one or two categories are held at a time.

    Args:
        rows: the images of the set.
        fpr_limit: of AUPRO.

    Attributes:
        vanished: by category, masks of which no pixel is left at the evaluation's size; their images count as wholly
            normal.
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
            # A mask is never empty in the manifest; at the evaluation's size a small defect can be gone.
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


class Judge:
    """Collects one evaluation and writes its files; docs/design.md describes them.

    Pixels are judged once for every different smoothing; everything else is of the protocol that the settings choose.

    Args:
        rows: the images of the set.
        labels: of `image` and `mask`, what the set's figures are on.
        settings: how to evaluate.
        smoothings: of `adaclip.metrics.protocols.smoothings`: the Gaussian of each protocol in pixels.
        map_range: the least and the greatest value that a map can have, for pictures; None where there is no bound.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        labels: Sequence[str],
        settings: EvaluateSettings,
        smoothings: Mapping[str, float],
        map_range: tuple[float, float] | None,
    ) -> None:
        self.rows, self.labels = rows, labels
        self.size, self.protocol, self.smoothings = settings.size, settings.protocol, dict(smoothings)
        self.judges = {sigma: PixelJudge(rows, settings.fpr_limit) for sigma in self.smoothings.values()}
        self.pixels = self.judges[self.smoothings[self.protocol]]
        self.panels = Panels(rows, settings.panels, map_range)
        self.scores = np.full(len(rows), np.nan)
        self._records: list[tuple[Any, ...]] = []

    def update(self, index: Sequence[int], masks: Bools, maps: Mapping[str, Floats], scores: Floats) -> None:
        """Take images in order.

        Args:
            index: positions in the set, (batch,).
            masks: (batch, S, S), S the evaluation's size; False where there is none.
            maps: by protocol, smoothed anomaly maps, (batch, S, S); protocols of one smoothing may share an entry.
            scores: anomaly scores, (batch,).

        Raises:
            AdaclipError: masks or maps of another size than the evaluation's, or a value that is not finite.
        """
        by_sigma = {self.smoothings[name]: values for name, values in maps.items()}
        for values in (masks, *by_sigma.values()):
            if values.shape[1:] != (self.size, self.size):
                raise AdaclipError(f"masks and maps are judged at {self.size} px, but some are {values.shape[1:]}")
        self.scores[list(index)] = scores
        if "mask" in self.labels:
            for sigma, judge in self.judges.items():
                judge.update(index, masks, by_sigma[sigma])
        chosen = by_sigma[self.smoothings[self.protocol]]
        self.panels.update(index, masks, chosen, scores)
        highest, mean = chosen.max(axis=(1, 2)).tolist(), chosen.mean(axis=(1, 2), dtype=np.float64).tolist()
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
        protocol = {"protocol": self.protocol, "smoothing": self.smoothings, "protocols": self._protocols(metrics)}
        write_json(out / "metrics.json", {**facts, **metrics, **protocol, "settings": dict(settings)})

    def _protocols(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """Pixel metrics of each protocol by category, and their means: `protocols` of metrics.json."""
        found: dict[str, Any] = {}
        for name, sigma in self.smoothings.items():
            results = self.judges[sigma].results
            categories = {
                category: {"pixel": _plain(results.get(category), PIXEL_METRICS, "pixel", "", {})}
                for category in metrics["categories"]
            }
            mean = {
                metric: _mean([entry["pixel"][metric] for entry in categories.values()]) for metric in PIXEL_METRICS
            }
            found[name] = {"mean": {"pixel": mean}, "categories": categories}
        return found

    def _warn_of_vanished(self) -> None:
        vanished = self.pixels.vanished
        if not vanished.total():
            return
        masks = sum(row.mask is not None for row in self.rows)
        where = ", ".join(f"{category} {count}" for category, count in vanished.items() if count)
        warn(
            f"{self.rows[0].dataset}: the defects of {vanished.total()} of {masks} masks vanish at the evaluation's "
            f"size of {self.size} px ({where}): their images count as anomalous, but all their pixels as normal; a "
            "larger size keeps them"
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
