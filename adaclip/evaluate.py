"""Evaluating a checkpoint on a prepared set: scores, metrics, curves, and a few maps for the report.

Everything is streamed: no more than one batch of images and maps is held.
"""

from __future__ import annotations

import csv
import math
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from adaclip.checkpoint import load_model
from adaclip.config import EvaluateSettings, as_dict
from adaclip.data.manifest import read_prepared
from adaclip.data.torchset import Batch, ImageSet, Row, batches, read_rows
from adaclip.device import computing, describe, peak_memory
from adaclip.features import read_features
from adaclip.files import write_json, write_whole
from adaclip.leakage import refuse_leakage
from adaclip.metrics import (
    IMAGE_METRICS,
    PIXEL_METRICS,
    MetricResult,
    PixelMetrics,
    UndefinedMetricWarning,
    image_curves,
    image_metrics,
)
from adaclip.model import AdaCLIP
from adaclip.progress import progress
from adaclip.smoothing import Smoother

SCORES = ("set", "category", "image", "label", "defect", "anomaly_score", "map_max", "map_mean")
#: Largest side in pixels of the maps that are kept for the report.
PANEL_SIDE = 256


def predictions(
    model: AdaCLIP,
    rows: Sequence[Row],
    embeddings: Tensor | None,
    settings: EvaluateSettings,
    *,
    workers: int = 0,
    title: str | None = None,
) -> Iterator[tuple[Batch, Tensor, Tensor]]:
    """Go through a set in order.

    Args:
        model: in evaluation mode.
        rows: the images.
        embeddings: frozen embeddings (images, E) on the CPU, or None to compute them where they are needed.
        settings: batch size, precision and smoothing.
        workers: processes that decode.
        title: of a progress bar, or None for none.

    Yields:
        A batch, its smoothed anomaly maps (batch, S, S) and its anomaly scores (batch,), in fp32 on the model's device.
    """
    device = model.backbone.device
    smoother = Smoother(model.backbone.image_size, settings.smoothing, device)
    dataset = ImageSet(rows, model.backbone.image_size)
    bar = progress(len(rows), title)
    words_cache: dict[str, Tensor] = {}
    for batch in batches(dataset, settings.batch_size, workers=workers, pin=device.type == "cuda"):
        moved = batch.to(device)
        embedding = None
        if embeddings is not None and model.uses_image_embedding:
            embedding = embeddings[batch.index].to(device)
        with torch.inference_mode(), computing(device, settings.precision):
            text = None if model.text_depends_on_image else _cached_text(model, batch.words, words_cache)
            prediction = model.predict(moved.images, batch.words, embedding, text)
        maps = smoother(prediction.anomaly_map.float())
        bar.update(len(batch.index))
        yield batch, maps, prediction.anomaly_score.float()
    bar.close()


def _cached_text(model: AdaCLIP, words: Sequence[str], cache: dict[str, Tensor]) -> Tensor:
    for word in words:
        if word not in cache:
            cache[word] = model.text_features([word])[0]
    return torch.stack([cache[word] for word in words])


class _PixelJudge:
    """Pixel metrics and curves by category; a category's pixels are let go when its last image has come.

    Rows are sorted by category, so that one or two categories are held at a time.
    """

    def __init__(self, rows: Sequence[Row], fpr_limit: float) -> None:
        self.rows, self.fpr_limit = rows, fpr_limit
        self.last = {row.category: index for index, row in enumerate(rows)}
        self.results: dict[str, MetricResult] = {}
        self.curves: dict[str, Any] = {}
        self._meters: dict[str, PixelMetrics] = {}

    def update(self, batch: Batch, maps: Tensor) -> None:
        """Take a batch; images whose pixels are unknown are left out."""
        index = batch.index.tolist()
        arrays = maps.cpu().numpy()
        masks = batch.masks.numpy() > 0
        for category in dict.fromkeys(self.rows[i].category for i in index):
            own = [(k, i) for k, i in enumerate(index) if self.rows[i].category == category]
            chosen = [k for k, i in own if self.rows[i].has_pixels]
            if chosen:
                meter = self._meters.setdefault(category, PixelMetrics(self.fpr_limit))
                meter.update(masks[chosen], arrays[chosen])
            if own[-1][1] == self.last[category] and category in self._meters:
                meter = self._meters.pop(category)
                with warnings.catch_warnings():
                    # The reason goes into metrics.json.
                    warnings.simplefilter("ignore", UndefinedMetricWarning)
                    self.results[category] = meter.compute()
                curves = meter.curves()
                if curves is not None:
                    self.curves[category] = curves


def pixel_f1_max(
    model: AdaCLIP, rows: Sequence[Row], embeddings: Tensor, settings: EvaluateSettings, workers: int = 0
) -> float:
    """Pixel F1-max of a set, the mean over its categories; NaN where undefined. Used to select an epoch."""
    judge = _PixelJudge(rows, settings.fpr_limit)
    for batch, maps, _ in predictions(model, rows, embeddings, settings, workers=workers):
        judge.update(batch, maps)
    defined = [result["f1_max"] for result in judge.results.values() if not math.isnan(result["f1_max"])]
    return sum(defined) / len(defined) if defined else math.nan


@dataclass
class _Panels:
    """Maps of a few images, kept small."""

    chosen: frozenset[int]
    maps: dict[int, np.ndarray[Any, Any]]

    def keep(self, batch: Batch, maps: Tensor) -> None:
        for position, index in enumerate(batch.index.tolist()):
            if index in self.chosen:
                side = min(maps.shape[-1], PANEL_SIDE)
                small = F.interpolate(
                    maps[position][None, None], size=(side, side), mode="bilinear", align_corners=False, antialias=True
                )
                self.maps[index] = small[0, 0].clamp(0, 1).half().cpu().numpy()


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
    parts = 2
    while len(order) < len(indices):
        for numerator in range(1, parts, 2):
            index = indices[numerator * len(indices) // parts]
            if index not in order:
                order.append(index)
        parts *= 2
    return order


def evaluate(
    checkpoint: Path,
    manifest: Path,
    features: Path | None,
    settings: EvaluateSettings,
    out: Path,
    *,
    device: torch.device,
    workers: int = 0,
) -> None:
    """Evaluate a checkpoint on the test split of a prepared set; docs/design.md describes the files.

    Args:
        checkpoint: a `.safetensors` file of `adaclip train`.
        manifest: of the prepared set.
        features: frozen embeddings of that set, or None to compute them on the way.
        settings: how to evaluate.
        out: the folder for scores.csv, metrics.json, curves.json, panels.npz and cost.json.
        device: where to compute.
        workers: processes that decode images.

    Raises:
        UsageError: the set is part of the checkpoint's auxiliary data.
        AdaclipError: unreadable files.
    """
    started = time.monotonic()
    rows = read_rows(manifest)
    dataset = rows[0].dataset
    model, provenance = load_model(checkpoint, device)
    refuse_leakage(provenance["auxiliary"], [dataset], f"checkpoint {checkpoint}")
    labels = read_prepared(manifest)["labels"]
    embeddings = None
    if features is not None:
        embeddings = read_features(features, model.backbone.settings, manifest)
    judge = _PixelJudge(rows, settings.fpr_limit)
    panels = _Panels(frozenset(choose_panels(rows, settings.panels)), {})
    scores = np.empty(len(rows))
    records = []
    title = f"{provenance['run']} on {dataset}"
    for batch, maps, batch_scores in predictions(model, rows, embeddings, settings, workers=workers, title=title):
        if "mask" in labels:
            judge.update(batch, maps)
        panels.keep(batch, maps)
        highest, mean = maps.amax(dim=(1, 2)).tolist(), maps.mean(dim=(1, 2)).tolist()
        for position, index in enumerate(batch.index.tolist()):
            row = rows[index]
            scores[index] = float(batch_scores[position])
            records.append(
                (
                    row.dataset,
                    row.category,
                    row.relative,
                    row.label,
                    row.defect,
                    scores[index],
                    highest[position],
                    mean[position],
                )
            )
    seconds = time.monotonic() - started
    metrics, curves = _summarise(rows, scores, judge, labels)
    head = {
        "set": dataset,
        "run": provenance["run"],
        "seed": provenance["seed"],
        "auxiliary": provenance["auxiliary"],
        "selection": provenance["selection"],
        "images": len(rows),
    }
    with write_whole(out / "scores.csv") as part, part.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(SCORES)
        writer.writerows(records)
    write_json(out / "curves.json", curves)
    _write_panels(out / "panels.npz", rows, scores, panels.maps)
    write_json(
        out / "cost.json",
        {"seconds": seconds, "images": len(rows), "device": describe(device), "peak_gpu_bytes": peak_memory(device)},
    )
    write_json(out / "metrics.json", {**head, **metrics, "settings": as_dict(settings)})


def _summarise(
    rows: Sequence[Row], scores: np.ndarray[Any, Any], judge: _PixelJudge, labels: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The `categories` and `mean` of metrics.json, and curves.json."""
    truth = np.array([row.label for row in rows])
    categories: dict[str, Any] = {}
    for category in dict.fromkeys(row.category for row in rows):
        own = np.array([row.category == category for row in rows])
        undefined: dict[str, str] = {}
        with warnings.catch_warnings():
            # The reason goes into metrics.json.
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            image = image_metrics(truth[own], scores[own]) if "image" in labels else None
        pixel = judge.results.get(category)
        categories[category] = {
            "images": int(own.sum()),
            "anomalous": int(truth[own].sum()),
            "image": _plain(image, IMAGE_METRICS, "image", "the set has no image labels", undefined),
            "pixel": _plain(pixel, PIXEL_METRICS, "pixel", "the set has no masks", undefined),
            "undefined": undefined,
        }
    mean = {
        level: {name: _mean([entry[level][name] for entry in categories.values()]) for name in names}
        for level, names in (("image", IMAGE_METRICS), ("pixel", PIXEL_METRICS))
    }
    curves = {"image": image_curves(truth, scores) if "image" in labels else None, "pixel": judge.curves}
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


def _write_panels(
    path: Path, rows: Sequence[Row], scores: np.ndarray[Any, Any], maps: dict[int, np.ndarray[Any, Any]]
) -> None:
    order = sorted(maps)
    with write_whole(path) as part, part.open("wb") as stream:
        np.savez_compressed(
            stream,
            image=np.array([rows[index].relative for index in order], dtype=np.str_),
            category=np.array([rows[index].category for index in order], dtype=np.str_),
            label=np.array([rows[index].label for index in order], dtype=np.int64),
            score=np.array([scores[index] for index in order], dtype=np.float64),
            maps=np.stack([maps[index] for index in order]) if order else np.zeros((0, 1, 1), np.float16),
        )
