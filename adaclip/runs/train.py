"""Training AdaCLIP's parameters on auxiliary data (paper, section 3.4)."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from adaclip.clip.load import make_backbone
from adaclip.clip.settings import BackboneSettings
from adaclip.data.leakage import refuse_leakage
from adaclip.data.rows import Row, read_rows
from adaclip.data.torchset import Batch, ImageSet, batches
from adaclip.errors import AdaclipError, UsageError, warn
from adaclip.methods.adaclip.model import AdaCLIP
from adaclip.methods.adaclip.settings import AdaCLIPSettings, AdaCLIPTraining
from adaclip.methods.losses import Loss, training_loss
from adaclip.runs.checkpoint import save_checkpoint
from adaclip.runs.device import computing, describe, peak_memory
from adaclip.runs.features import read_features
from adaclip.system.files import check_writable, write_json, write_whole
from adaclip.system.progress import progress
from adaclip.system.settings import as_dict

HISTORY = ("epoch", "images", "loss", "loss_image", "loss_focal", "loss_dice", "selection_pixel_f1_max")


@dataclass(frozen=True)
class Source:
    """A prepared set: its manifest, and the frozen embeddings of its test split."""

    manifest: Path
    features: Path


class Chooser(Protocol):
    """Looks at the network after each epoch and keeps one epoch's parameters.

    Attributes:
        dataset: id of the set that it looks at.
        epoch: the one chosen so far.
        state: its parameters.
    """

    dataset: str
    epoch: int | None
    state: dict[str, Tensor]

    def judge(self, network: AdaCLIP, epoch: int) -> float:
        """The value of this epoch's parameters."""


def train(
    name: str,
    method: Literal["adaclip", "untrained"],
    backbone: BackboneSettings,
    model: AdaCLIPSettings,
    settings: AdaCLIPTraining,
    *,
    seed: int,
    auxiliary: Sequence[Source],
    choose: Chooser | None,
    out: Path,
    history: Path,
    cost: Path,
    device: torch.device,
    workers: int = 0,
) -> None:
    """Train one run and write its checkpoint, history and cost.

    Args:
        name: of the run, for the progress bar and the checkpoint's provenance.
        method: `untrained` saves the initial parameters.
        backbone: the CLIP to adapt.
        model: AdaCLIP's own settings.
        settings: how to train.
        seed: of parameters, order and mosaics.
        auxiliary: prepared sets to train on, their test split.
        choose: chooses the best epoch (`adaclip.runs.selection.Selection`), or None to keep the last; wanted
            exactly when `settings.selection` names a set.
        out: the checkpoint, `.safetensors`.
        history: a CSV with one row for each epoch, columns `HISTORY`.
        cost: a JSON file with seconds, device and memory.
        device: where to train.
        workers: processes that decode images.

    Raises:
        AdaclipError: unreadable data, data without an anomalous image or without a mask that `settings.unmasked` wants,
            or a loss that is not finite (nothing is saved then).
        UsageError: settings that do not go together, or words that the text tower would cut.
    """
    if (settings.selection is None) != (choose is None):
        raise UsageError(
            f"run {name}: selection is {settings.selection}, "
            f"so its manifest must {'not ' * (choose is not None)}be given"
        )
    if out.suffix != ".safetensors":
        raise UsageError(f"run {name}: cannot write the checkpoint {out}: end its name in .safetensors")
    check_writable(out, history, cost)
    started = time.monotonic()
    # What cannot be learnt from is refused before the weights are loaded.
    rows = _read_rows(auxiliary, settings, name) if method == "adaclip" else []
    frozen = make_backbone(backbone, device)
    torch.manual_seed(seed)
    network = AdaCLIP(frozen, **as_dict(model))
    sets: list[str] = []
    rows_written: list[dict[str, Any]] = []
    best_epoch: int | None = None
    steps = 0
    if method == "adaclip":
        network.check_words(row.words for row in rows)
        embeddings = torch.cat([read_features(s.features, backbone, s.manifest) for s in auxiliary])
        sets = list(dict.fromkeys(row.dataset for row in rows))
        if choose is not None:
            refuse_leakage(sets, [choose.dataset], f"run {name}: selection")
        trainer = _Trainer(network, settings, rows, embeddings, seed, name, workers)
        for epoch in range(1, settings.epochs + 1):
            record = trainer.epoch(epoch)
            if choose is not None:
                record["selection_pixel_f1_max"] = choose.judge(network, epoch)
            rows_written.append(record)
        steps = trainer.steps
        if choose is not None:
            best_epoch = choose.epoch
            network.load_state_dict(choose.state)
    provenance = {
        "run": name,
        "method": method,
        "seed": seed,
        "auxiliary": sets,
        "selection": settings.selection,
        "selected_epoch": best_epoch,
        "train": as_dict(settings) if method == "adaclip" else None,
        "steps": steps,
    }
    # First: it refuses parameters that are not finite, and then nothing is written.
    save_checkpoint(network, out, provenance)
    with write_whole(history) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, HISTORY)
        writer.writeheader()
        writer.writerows(rows_written)
    seconds = time.monotonic() - started
    write_json(
        cost, {"seconds": seconds, "steps": steps, "device": describe(device), "peak_gpu_bytes": peak_memory(device)}
    )


def _read_rows(sources: Sequence[Source], settings: AdaCLIPTraining, name: str) -> list[Row]:
    """The images of the auxiliary data, if there is something to learn from them."""
    rows: list[Row] = []
    for source in sources:
        found = read_rows(source.manifest)
        if len(sources) > 1 and not any(row.label for row in found):
            warn(f"run {name}: no anomalous image in {source.manifest}: nothing anomalous is learnt from it")
        rows += found
    if not rows:
        raise UsageError("no auxiliary data: give at least one manifest to train on")
    sets = "+".join(dict.fromkeys(row.dataset for row in rows))
    anomalous = [row for row in rows if row.label]
    if not anomalous:
        raise AdaclipError(
            f"run {name}: no anomalous image in the auxiliary data ({sets}, {len(rows)} normal images), so there is "
            "nothing to learn: train on a set that has some"
        )
    if not any(row.has_pixels for row in anomalous):
        if settings.unmasked == "zero":
            raise AdaclipError(
                f"run {name}: no anomalous image of the auxiliary data ({sets}) has a mask, so the anomaly maps would "
                "learn that nothing is anomalous: train on a set with masks, or set unmasked: skip for image scores"
            )
        warn(f"run {name}: no anomalous image of the auxiliary data ({sets}) has a mask: the maps learn no anomaly")
    return rows


class _Trainer:
    """The loop over the auxiliary data."""

    def __init__(
        self,
        network: AdaCLIP,
        settings: AdaCLIPTraining,
        rows: Sequence[Row],
        embeddings: Tensor,
        seed: int,
        name: str,
        workers: int,
    ) -> None:
        self.network, self.settings, self.embeddings, self.name, self.workers = (
            network,
            settings,
            embeddings,
            name,
            workers,
        )
        self.device = network.backbone.device
        self.dataset = ImageSet(
            rows, network.backbone.image_size, settings.mosaic_probability, settings.mosaic_sets, seed
        )
        self.order = torch.Generator().manual_seed(seed)
        if settings.freeze_projections:
            network.patch_token_layer.requires_grad_(False)
            network.cls_token_layer.requires_grad_(False)
        learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
        if not learned:
            raise UsageError(f"run {name}: nothing to train: no prompts, and the projections are frozen")
        self.optimiser = torch.optim.AdamW(
            learned,
            lr=settings.learning_rate,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=settings.precision == "fp16")
        self.steps = 0

    def epoch(self, epoch: int) -> dict[str, Any]:
        """One pass; returns the means of the loss's parts over the images."""
        self.dataset.epoch = epoch
        order = torch.randperm(len(self.dataset), generator=self.order).tolist()
        sums = {"loss": 0.0, "loss_image": 0.0, "loss_focal": 0.0, "loss_dice": 0.0}
        title = f"{self.name} epoch {epoch}/{self.settings.epochs}"
        loader = batches(
            self.dataset,
            self.settings.batch_size,
            order=order,
            workers=self.workers,
            pin=self.device.type == "cuda",
        )
        with progress(len(order), title) as bar:
            for batch in loader:
                loss = self._step(batch.to(self.device))
                # One transfer for all four: each would wait for the GPU.
                parts = torch.stack([loss.total, loss.image, loss.focal, loss.dice]).tolist()
                for key, value in zip(sums, parts, strict=True):
                    sums[key] += value * len(batch.index)
                if not math.isfinite(sums["loss"]):
                    raise AdaclipError(
                        f"run {self.name}: the loss is not finite at epoch {epoch}, step {self.steps}: nothing was "
                        f"saved; lower learning_rate (now {self.settings.learning_rate:g}), use another precision "
                        f"(now {self.settings.precision}) or another seed"
                    )
                bar.update(len(batch.index))
                bar.set_postfix_str(f"loss {parts[0]:.3f}", refresh=False)
        means = {key: value / len(order) for key, value in sums.items()}
        return {"epoch": epoch, "images": len(order), **means, "selection_pixel_f1_max": ""}

    def _step(self, batch: Batch) -> Loss:
        settings, network = self.settings, self.network
        self.optimiser.zero_grad(set_to_none=True)
        with computing(self.device, settings.precision):
            output = network(batch.images, batch.words, self._embedding(batch))
        loss = training_loss(
            output.score,
            network.training_maps(output),
            batch.labels,
            batch.masks,
            batch.has_pixels if settings.unmasked == "skip" else None,
            settings.dice,
        )
        self.scaler.scale(loss.total).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.steps += 1
        return Loss(loss.image.detach(), loss.focal.detach(), loss.dice.detach())

    def _embedding(self, batch: Batch) -> Tensor | None:
        """Stored frozen embeddings (batch, E); those of mosaics are computed now."""
        if not self.network.uses_image_embedding:
            return None
        embedding = self.embeddings[batch.index].to(self.device)
        mosaic = batch.mosaic.nonzero()[:, 0].to(self.device)
        if len(mosaic):
            embedding = embedding.index_copy(
                0, mosaic, self.network.backbone.encode_image(batch.images[mosaic]).float()
            )
        return embedding
