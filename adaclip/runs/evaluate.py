"""Evaluating a checkpoint on a prepared set: scores, metrics, curves, and a few maps for the report.

Everything is streamed: no more than one batch of images and maps is held.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adaclip.clip.settings import BackboneSettings
from adaclip.data.leakage import Overlap, overlap_of, refuse_leakage, refuse_overlap
from adaclip.data.manifest import read_prepared
from adaclip.data.rows import Row, read_rows
from adaclip.data.torchset import Batch, ImageSet, batches
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.adaclip.model import AdaCLIP
from adaclip.methods.smoothing import Smoother
from adaclip.metrics.collect import Judge, PixelJudge
from adaclip.metrics.settings import EvaluateSettings
from adaclip.runs.checkpoint import load_model
from adaclip.runs.device import computing, describe, peak_memory
from adaclip.runs.features import read_features
from adaclip.system.files import check_writable
from adaclip.system.progress import progress
from adaclip.system.settings import as_dict


def predictions(
    model: AdaCLIP,
    rows: Sequence[Row],
    embeddings: Tensor | None,
    settings: EvaluateSettings,
    *,
    workers: int = 0,
    title: str | None = None,
    failed: dict[int, str] | None = None,
) -> Iterator[tuple[Batch, Tensor, Tensor]]:
    """Go through a set in order.

    Args:
        model: in evaluation mode.
        rows: the images.
        embeddings: frozen embeddings (images, E) on the CPU, or None to compute them where they are needed.
        settings: batch size, precision and smoothing.
        workers: processes that decode.
        title: of a progress bar, or None for none.
        failed: as for `batches`: filled with why images could not be read, or None to end with the first.

    Yields:
        A batch, its smoothed anomaly maps (batch, S, S) and its anomaly scores (batch,), in fp32 on the model's device.

    Raises:
        UsageError: words of a category are longer than the text tower's context.
    """
    model.check_words(row.words for row in rows)
    device = model.backbone.device
    smoother = Smoother(model.backbone.image_size, settings.smoothing, device)
    dataset = ImageSet(rows, model.backbone.image_size)
    words_cache: dict[str, Tensor] = {}
    with progress(len(rows), title) as bar:
        for batch in batches(dataset, settings.batch_size, workers=workers, pin=device.type == "cuda", failed=failed):
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


def _cached_text(model: AdaCLIP, words: Sequence[str], cache: dict[str, Tensor]) -> Tensor:
    for word in words:
        if word not in cache:
            cache[word] = model.text_features([word])[0]
    return torch.stack([cache[word] for word in words])


def pixel_f1_max(
    model: AdaCLIP, rows: Sequence[Row], embeddings: Tensor, settings: EvaluateSettings, workers: int = 0
) -> float:
    """Pixel F1-max of a set, the mean over its categories; NaN where undefined. Used to select an epoch."""
    judge = PixelJudge(rows, settings.fpr_limit)
    for batch, maps, _ in predictions(model, rows, embeddings, settings, workers=workers):
        judge.update(batch.index.tolist(), batch.masks.numpy() > 0, maps.cpu().numpy())
    return judge.mean_f1_max()


@dataclass(frozen=True)
class Subject:
    """What is evaluated, as metrics.json names it."""

    run: str
    method: str
    seed: int
    auxiliary: Sequence[str] = ()
    selection: str | None = None


def judge_model(
    model: AdaCLIP,
    subject: Subject,
    manifest: Path,
    embeddings: Tensor | None,
    settings: EvaluateSettings,
    out: Path,
    *,
    workers: int = 0,
    left_out: Overlap | None = None,
) -> None:
    """Evaluate a model on the test split of a prepared set and write what docs/design.md describes.

    Args:
        model: in evaluation mode.
        subject: what it is.
        manifest: of the prepared set.
        embeddings: as for `predictions`.
        settings: how to evaluate.
        out: the folder for scores.csv, metrics.json, curves.json, panels.npz and cost.json.
        workers: processes that decode images.
        left_out: images that are not evaluated, since the model was trained on copies of them.

    Raises:
        AdaclipError: no image is left.
    """
    started = time.monotonic()
    check_writable(out / "metrics.json")
    rows = read_rows(manifest)
    head = as_dict(subject)
    if left_out is not None:
        kept = [index for index, row in enumerate(rows) if row.relative not in left_out.images]
        if not kept:
            raise AdaclipError(f"every image of '{rows[0].dataset}' is in the auxiliary data of run {subject.run} too")
        rows = [rows[index] for index in kept]
        embeddings = embeddings[kept] if embeddings is not None else None
        head["left_out"] = {
            "identical": len(left_out.identical),
            "near": len(left_out.near),
            "by_set": dict(left_out.by_set),
        }
    judge = Judge(rows, read_prepared(manifest)["labels"], settings.fpr_limit, settings.panels)
    title = f"{subject.run} on {rows[0].dataset}"
    for batch, maps, scores in predictions(model, rows, embeddings, settings, workers=workers, title=title):
        judge.update(batch.index.tolist(), batch.masks.numpy() > 0, maps.cpu().numpy(), scores.cpu().numpy())
    device = model.backbone.device
    cost = {
        "seconds": time.monotonic() - started,
        "images": len(rows),
        "device": describe(device),
        "peak_gpu_bytes": peak_memory(device),
    }
    judge.write(out, head, as_dict(settings), cost)


def evaluate(
    checkpoint: Path,
    manifest: Path,
    features: Path | None,
    settings: EvaluateSettings,
    out: Path,
    *,
    device: torch.device,
    workers: int = 0,
    leakage: Path | None = None,
    overlap: str = "refuse",
    backbone: BackboneSettings | None = None,
    auxiliary: Sequence[str] = (),
) -> None:
    """Evaluate a checkpoint on the test split of a prepared set; docs/design.md describes the files.

    Args:
        checkpoint: of `adaclip train`, or a released one (`.pth`, `.pt` ...).
        manifest: of the prepared set.
        features: frozen embeddings of that set, or None to compute them on the way.
        settings: how to evaluate.
        out: the folder for scores.csv, metrics.json, curves.json, panels.npz and cost.json.
        device: where to compute.
        workers: processes that decode images.
        leakage: leakage.json of `adaclip audit compare`, or None to look at the sets' ids alone.
        overlap: refuse or deduplicate, when images of the set are in the auxiliary data too; warn does neither.
        backbone: of a released checkpoint, which does not name its own.
        auxiliary: ids of the sets that a released checkpoint was trained on, which it does not name either.

    Raises:
        UsageError: the set, or images of it, are part of the checkpoint's auxiliary data, or a released checkpoint
            without word of its backbone or its auxiliary data.
        AdaclipError: unreadable files.
    """
    model, provenance = load_model(checkpoint, device, backbone)
    if not provenance:
        provenance = _stated(checkpoint, auxiliary)
    elif auxiliary and set(auxiliary) != set(provenance["auxiliary"]):
        raise UsageError(
            f"checkpoint {checkpoint} names its auxiliary data itself ({'+'.join(provenance['auxiliary']) or 'none'}): "
            "leave --auxiliary out"
        )
    dataset = read_rows(manifest)[0].dataset
    refuse_leakage(provenance["auxiliary"], [dataset], f"checkpoint {checkpoint}")
    left_out = None
    if leakage is not None and overlap == "refuse":
        refuse_overlap(provenance["auxiliary"], dataset, leakage)
    elif leakage is not None and overlap == "deduplicate":
        left_out = overlap_of(provenance["auxiliary"], dataset, leakage)
    embeddings = read_features(features, model.backbone.settings, manifest) if features is not None else None
    subject = Subject(**{field.name: provenance[field.name] for field in dataclasses.fields(Subject)})
    judge_model(model, subject, manifest, embeddings, settings, out, workers=workers, left_out=left_out)


def _stated(checkpoint: Path, auxiliary: Sequence[str]) -> dict[str, Any]:
    """What the user says of a released checkpoint, as the provenance of ours."""
    if not auxiliary:
        raise UsageError(
            f"{checkpoint} does not name the sets that it was trained on, which must not be evaluated: "
            "give --auxiliary (such as visa clinicdb)"
        )
    return {"run": checkpoint.stem, "method": "adaclip", "seed": 0, "auxiliary": list(auxiliary), "selection": None}
