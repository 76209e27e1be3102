"""Evaluating a method on a prepared set: scores, metrics, curves, and a few maps for the report.

Everything is streamed: no more than one batch of images and maps is held.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adaclip.clip.settings import BackboneSettings
from adaclip.data.fetched import DRAWN_NOTE, is_drawn
from adaclip.data.leakage import Overlap, overlap_of, refuse_leakage, refuse_overlap
from adaclip.data.manifest import read_prepared
from adaclip.data.registry import load_registry
from adaclip.data.rows import Row, read_rows
from adaclip.data.torchset import Batch, ImageSet, batches
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.base import Method, Prediction
from adaclip.methods.load import make_method, resolved
from adaclip.methods.registry import find_card
from adaclip.methods.smoothing import Smoother, resize_maps
from adaclip.methods.stages import Frozen
from adaclip.metrics.collect import Judge, PixelJudge
from adaclip.metrics.protocols import smoothings
from adaclip.metrics.settings import EvaluateSettings
from adaclip.runs.checkpoint import load_model
from adaclip.runs.device import computing, describe, peak_memory
from adaclip.runs.features import read_all_features
from adaclip.system.files import check_writable
from adaclip.system.progress import progress
from adaclip.system.settings import as_dict
from adaclip.system.wording import reason_of


def predictions(
    model: Method,
    rows: Sequence[Row],
    stored: Frozen | None,
    settings: EvaluateSettings,
    *,
    workers: int = 0,
    title: str | None = None,
    failed: dict[int, str] | None = None,
) -> Iterator[tuple[Batch, dict[str, Tensor], Tensor]]:
    """Go through a set in order.

    Args:
        model: in evaluation mode.
        rows: the images.
        stored: frozen features of all images by name, (images, ...), on the CPU; None to compute what is needed.
        settings: batch size, precision, the size S at which maps are judged, and the smoothing of `common`.
        workers: processes that decode.
        title: of a progress bar, or None for none.
        failed: as for `batches`: filled with why images could not be read, or None to end with the first.

    Yields:
        A batch, its anomaly maps (batch, S, S) by protocol (the same tensor where they agree), and its anomaly scores
        (batch,), in fp32 on the model's device.

    Raises:
        UsageError: words of a category are longer than the text tower's context.
    """
    model.check_words(row.words for row in rows)
    device = model.backbone.device
    sigmas = smoothings(settings, model.card.smoothing)
    smoothers = {sigma: Smoother(settings.size, sigma, device) for sigma in sigmas.values()}
    dataset = ImageSet(rows, model.backbone.image_size, mask_size=settings.size)
    words_cache: dict[str, Tensor | None] = {}
    with progress(len(rows), title) as bar:
        for batch in batches(dataset, settings.batch_size, workers=workers, pin=device.type == "cuda", failed=failed):
            moved = batch.to(device)
            frozen = {name: value[batch.index].to(device) for name, value in stored.items()} if stored else None
            with torch.inference_mode(), computing(device, settings.precision):
                text = _cached_text(model, batch.words, words_cache)
                prediction = checked_prediction(model, moved.images, batch.words, frozen, text)
            maps = resize_maps(prediction.anomaly_map.float(), settings.size)
            smoothed = {sigma: smoother(maps) for sigma, smoother in smoothers.items()}
            bar.update(len(batch.index))
            yield batch, {name: smoothed[sigma] for name, sigma in sigmas.items()}, prediction.anomaly_score.float()


def checked_prediction(
    model: Method, images: Tensor, words: Sequence[str], frozen: Frozen | None, text: Tensor | None
) -> Prediction:
    """What a method says of a batch, if that can be judged.

    Raises:
        AdaclipError: something else than one map (S, S) and one score for each image; or whatever the method raised, in
            one line, where its code is not of this package.
    """
    try:
        prediction = model.predict(images, words, frozen, text)
    except AdaclipError:
        raise
    except Exception as error:
        if type(model).__module__.partition(".")[0] == "adaclip":
            raise
        raise AdaclipError(f"{_says(model)}: predict ended in {reason_of(error)}") from error
    batch, size = len(images), model.backbone.image_size
    wanted = {"anomaly_map": (batch, size, size), "anomaly_score": (batch,)}
    for name, shape in wanted.items():
        value = getattr(prediction, name, None)
        found = f"of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        if not isinstance(value, Tensor) or tuple(value.shape) != shape:
            raise AdaclipError(f"{_says(model)}: predict gives {name} {found}, wanted is a tensor of shape {shape}")
    return prediction


def _says(model: Method) -> str:
    return f"method {model.card.id} (adaclip methods check says more)"


def _cached_text(model: Method, words: Sequence[str], cache: dict[str, Tensor | None]) -> Tensor | None:
    """Text features of a batch; one name at a time, so that no result depends on the others in a batch."""
    for word in words:
        if word not in cache:
            features = model.text([word])
            cache[word] = None if features is None else features[0]
    known = [value for word in words if (value := cache[word]) is not None]
    return torch.stack(known) if len(known) == len(words) else None


def pixel_f1_max(
    model: Method, rows: Sequence[Row], stored: Frozen | None, settings: EvaluateSettings, workers: int = 0
) -> float:
    """Pixel F1-max of a set, the mean over its categories; NaN where undefined. Used to select an epoch."""
    judge = PixelJudge(rows, settings.fpr_limit)
    for batch, maps, _ in predictions(model, rows, stored, settings, workers=workers):
        judge.update(batch.index.tolist(), batch.masks.numpy() > 0, maps[settings.protocol].cpu().numpy())
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
    model: Method,
    subject: Subject,
    manifest: Path,
    stored: Frozen | None,
    settings: EvaluateSettings,
    out: Path,
    *,
    workers: int = 0,
    left_out: Overlap | None = None,
    drawn_weights: bool = False,
) -> None:
    """Evaluate a model on the test split of a prepared set and write what docs/design.md describes.

    Args:
        model: in evaluation mode.
        subject: what it is.
        manifest: of the prepared set.
        stored: as for `predictions`.
        settings: how to evaluate.
        out: the folder for scores.csv, metrics.json, curves.json, panels.npz and cost.json.
        workers: processes that decode images.
        left_out: images that are not evaluated, since the model was trained on copies of them.
        drawn_weights: whether the weights are simulated ones, which the figures say of themselves then.

    Raises:
        AdaclipError: no image is left.
    """
    started = time.monotonic()
    check_writable(out / "metrics.json")
    rows = read_rows(manifest)
    head = as_dict(subject)
    if drawn_weights:
        head["drawn_weights"] = True
    if left_out is not None:
        kept = [index for index, row in enumerate(rows) if row.relative not in left_out.images]
        if not kept:
            raise AdaclipError(f"every image of '{rows[0].dataset}' is in the auxiliary data of run {subject.run} too")
        rows = [rows[index] for index in kept]
        stored = {name: value[kept] for name, value in stored.items()} if stored else None
        head["left_out"] = {
            "identical": len(left_out.identical),
            "near": len(left_out.near),
            "by_set": dict(left_out.by_set),
        }
    sigmas = smoothings(settings, model.card.smoothing)
    judge = Judge(rows, read_prepared(manifest)["labels"], settings, sigmas, model.map_range)
    title = f"{subject.run} on {rows[0].dataset}"
    for batch, maps, scores in predictions(model, rows, stored, settings, workers=workers, title=title):
        arrays = {id(value): value.cpu().numpy() for value in maps.values()}
        by_protocol = {name: arrays[id(value)] for name, value in maps.items()}
        judge.update(batch.index.tolist(), batch.masks.numpy() > 0, by_protocol, scores.cpu().numpy())
    device = model.backbone.device
    cost = {
        "seconds": time.monotonic() - started,
        "images": len(rows),
        "parameters": sum(value.numel() for value in model.parameters()),
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
    method: str | None = None,
    model: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> None:
    """Evaluate a checkpoint on the test split of a prepared set; docs/design.md describes the files.

    Args:
        checkpoint: of `adaclip train`, or a released one: the authors' file (`.pth`, `.pt` ...) or folder.
        manifest: of the prepared set.
        features: frozen features of that set, or None to compute them on the way.
        settings: how to evaluate.
        out: the folder for scores.csv, metrics.json, curves.json, panels.npz and cost.json.
        device: where to compute.
        workers: processes that decode images.
        leakage: leakage.json of `adaclip audit compare`, or None to look at the sets' ids alone.
        overlap: refuse or deduplicate, when images of the set are in the auxiliary data too; warn does neither.
        backbone: of a released checkpoint, which does not name its own.
        auxiliary: ids of the sets that a released checkpoint was trained on, which it does not name either.
        method: of a released checkpoint; AdaCLIP where nothing is said.
        model: settings of a released checkpoint's method.
        name: of the run that the checkpoint stands for, with seed 0; what the checkpoint says, or the name of its file,
            where nothing is said.

    Raises:
        UsageError: the set, or images of it, are part of the checkpoint's auxiliary data, or a released checkpoint
            without word of its backbone or its auxiliary data.
        AdaclipError: unreadable files.
    """
    loaded, provenance = load_model(checkpoint, device, backbone, method, model)
    dataset = read_rows(manifest)[0].dataset
    if not provenance:
        provenance = _stated(checkpoint, loaded, auxiliary, method or loaded.card.id, dataset)
    elif auxiliary and set(auxiliary) != set(provenance["auxiliary"]):
        raise UsageError(
            f"checkpoint {checkpoint} names its auxiliary data itself ({'+'.join(provenance['auxiliary']) or 'none'}): "
            "leave --auxiliary out"
        )
    refuse_leakage(provenance["auxiliary"], [dataset], f"checkpoint {checkpoint}")
    left_out = None
    if leakage is not None and overlap == "refuse":
        refuse_overlap(provenance["auxiliary"], dataset, leakage)
    elif leakage is not None and overlap == "deduplicate":
        left_out = overlap_of(provenance["auxiliary"], dataset, leakage)
    stored = read_all_features([(features, manifest)], loaded.backbone.settings) if features is not None else None
    if name is not None and dataset == provenance["selection"]:
        raise UsageError(
            f"the epoch of checkpoint {checkpoint} was chosen on '{dataset}', so that a figure on it is not zero-shot: "
            "leave the set out"
        )
    if name is not None:
        # A checkpoint that stands in place of a training is the one seed of its run.
        provenance = {**provenance, "run": name, "seed": 0}
    subject = Subject(**{field.name: provenance[field.name] for field in dataclasses.fields(Subject)})
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    drawn = is_drawn(folder) or (folder / DRAWN_NOTE).is_file()
    judge_model(
        loaded, subject, manifest, stored, settings, out, workers=workers, left_out=left_out, drawn_weights=drawn
    )


def evaluate_method(
    run: str,
    method: str,
    backbone: BackboneSettings,
    model: Mapping[str, Any] | None,
    manifest: Path,
    settings: EvaluateSettings,
    out: Path,
    *,
    seed: int = 0,
    device: torch.device,
    workers: int = 0,
) -> None:
    """Evaluate a method that learns nothing on the test split of a prepared set.

    Args:
        run: its name, for metrics.json.
        method: its id, or `module:Name`.
        backbone: the CLIP; activation and resize that are left open are the method's reference.
        model: settings of the method.
        manifest: of the prepared set.
        settings: how to evaluate.
        out: the folder to write, as for `evaluate`.
        seed: for metrics.json; nothing is drawn.
        device: where to compute.
        workers: processes that decode images.

    Raises:
        UsageError: a method that has to be trained.
        AdaclipError: unreadable files.
    """
    card = find_card(method)
    if card.kind != "training-free":
        raise UsageError(
            f"method {method} is {card.kind}: only one that is training-free is evaluated without a checkpoint"
        )
    made = make_method(card, resolved(card, backbone, "reference"), model, device=device)
    judge_model(made, Subject(run, method, seed), manifest, None, settings, out, workers=workers)


def _refuse_misspelt(id: str, dataset: str) -> None:
    """Refuse an id that is nearly that of a set: leakage is refused by ids, and would pass for want of a letter."""
    known = [dataset, *load_registry()]
    if id in known:
        return
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in known}
    said = re.sub(r"[^a-z0-9]", "", id.lower())
    # A set of one's own may be called after another, such as visa2: letters that were added are no slip.
    near = difflib.get_close_matches(said, [name for name in plain if len(name) == len(said)], n=1, cutoff=0.8)
    if near:
        raise UsageError(f"--auxiliary {id}: no such data set is known: did you mean '{plain[near[0]]}'?")


def _stated(checkpoint: Path, model: Method, auxiliary: Sequence[str], method: str, dataset: str) -> dict[str, Any]:
    """What the user says of a checkpoint that says nothing of itself, as the provenance of ours."""
    if not model.card.trained and auxiliary:
        raise UsageError(f"method {method} learns nothing: leave --auxiliary out")
    if model.card.trained and not auxiliary:
        raise UsageError(
            f"{checkpoint} does not name the sets that it was trained on, which must not be evaluated: "
            "give --auxiliary (such as visa clinicdb)"
        )
    for id in auxiliary:
        _refuse_misspelt(id, dataset)
    return {"run": checkpoint.stem, "method": method, "seed": 0, "auxiliary": list(auxiliary), "selection": None}
