"""The one training loop: any method's stages on auxiliary data."""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from adaclip.clip.settings import BackboneSettings
from adaclip.data.leakage import refuse_leakage
from adaclip.data.rows import Row, read_rows
from adaclip.data.torchset import Batch, ImageSet, batches
from adaclip.errors import AdaclipError, UsageError, warn
from adaclip.methods.base import Method
from adaclip.methods.load import make_method
from adaclip.methods.registry import find_card
from adaclip.methods.stages import Shown, Stage
from adaclip.methods.training import TrainSettings
from adaclip.runs.checkpoint import save_checkpoint
from adaclip.runs.device import computing, describe, peak_memory
from adaclip.runs.features import read_all_features
from adaclip.runs.frozen import FrozenStore
from adaclip.system.files import check_writable, write_json, write_whole
from adaclip.system.progress import progress
from adaclip.system.settings import as_dict

#: Columns of history.csv before and after the parts of the loss.
HEAD = ("epoch", "stage", "images", "loss")
LAST = "selection_pixel_f1_max"
GIB = 1 << 30


@dataclass(frozen=True)
class Source:
    """A prepared set: its manifest, and the frozen features of its test split where the method stores some."""

    manifest: Path
    features: Path | None = None


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

    def judge(self, network: Method, epoch: int) -> float:
        """The value of this epoch's parameters."""


def train(
    name: str,
    method: str,
    backbone: BackboneSettings,
    model: Any,
    settings: TrainSettings | None,
    *,
    seed: int,
    auxiliary: Sequence[Source],
    choose: Chooser | None,
    out: Path,
    history: Path,
    cost: Path,
    device: torch.device,
    workers: int = 0,
    cache: float = 0.0,
) -> None:
    """Train one run and write its checkpoint, history and cost.

    Args:
        name: of the run, for the progress bar and the checkpoint's provenance.
        method: its id, or `module:Name`; one that is not trained saves its initial parameters.
        backbone: the CLIP to adapt.
        model: settings of the method itself.
        settings: how to train; not used for a method that is not trained.
        seed: of parameters, order and mosaics.
        auxiliary: prepared sets to train on, their test split.
        choose: chooses the best epoch (`adaclip.runs.selection.Selection`), or None to keep the last; wanted exactly
            when `settings.selection` names a set.
        out: the checkpoint, `.safetensors`.
        history: a CSV with one row for each epoch: `HEAD`, a column for each part of the loss, `LAST`.
        cost: a JSON file with seconds, device, memory and the number of learned parameters.
        device: where to train.
        workers: processes that decode images.
        cache: GiB of frozen features that may be kept in memory from epoch to epoch.

    Raises:
        AdaclipError: unreadable data, data without an anomalous image or without a mask that `settings.unmasked` wants,
            or a loss that is not finite (nothing is saved then).
        UsageError: settings that do not go together, or words that the text tower would cut.
    """
    card = find_card(method)
    if not card.trained:
        settings = None
    selection = settings.selection if settings is not None else None
    if (selection is None) != (choose is None):
        raise UsageError(
            f"run {name}: selection is {selection}, so its manifest must {'not ' * (choose is not None)}be given"
        )
    if out.suffix != ".safetensors":
        raise UsageError(f"run {name}: cannot write the checkpoint {out}: end its name in .safetensors")
    check_writable(out, history, cost)
    started = time.monotonic()
    # What cannot be learnt from is refused before the weights are loaded.
    rows = _read_rows(auxiliary, settings, name) if settings is not None else []
    torch.manual_seed(seed)
    network = make_method(card, backbone, model, device=device).train()
    sets: list[str] = []
    records: list[dict[str, Any]] = []
    steps = 0
    learned = sum(value.numel() for value in network.parameters())
    if settings is not None:
        network.check_words(row.words for row in rows)
        stored = None
        if card.features:
            stored = read_all_features([(s.features, s.manifest) for s in auxiliary], backbone)
        sets = list(dict.fromkeys(row.dataset for row in rows))
        if choose is not None:
            refuse_leakage(sets, [choose.dataset], f"run {name}: selection")
        store = FrozenStore(network, stored, int(cache * GIB))
        trainer = _Trainer(network, settings, rows, store, seed, name, workers)
        records = trainer.run(choose)
        steps, learned = trainer.steps, trainer.learned
        if choose is not None:
            network.load_state_dict(choose.state)
    provenance = {
        "run": name,
        "method": method,
        "seed": seed,
        "auxiliary": sets,
        "selection": selection,
        "selected_epoch": choose.epoch if choose is not None else None,
        "train": as_dict(settings) if settings is not None else None,
        "steps": steps,
    }
    # First: it refuses parameters that are not finite, and then nothing is written.
    save_checkpoint(network, out, provenance, method)
    _write_history(history, records)
    write_json(
        cost,
        {
            "seconds": time.monotonic() - started,
            "steps": steps,
            "parameters": learned,
            "device": describe(device),
            "peak_gpu_bytes": peak_memory(device),
        },
    )


def _write_history(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    parts = list(dict.fromkeys(key for record in records for key in record if key.startswith("loss_")))
    with write_whole(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, (*HEAD, *parts, LAST), restval="")
        writer.writeheader()
        writer.writerows(records)


def _read_rows(sources: Sequence[Source], settings: TrainSettings, name: str) -> list[Row]:
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
    """The loop over stages, epochs and batches."""

    def __init__(
        self,
        network: Method,
        settings: TrainSettings,
        rows: Sequence[Row],
        store: FrozenStore,
        seed: int,
        name: str,
        workers: int,
    ) -> None:
        self.network, self.settings, self.rows, self.store = network, settings, rows, store
        self.seed, self.name, self.workers = seed, name, workers
        self.device = network.backbone.device
        self.order = torch.Generator().manual_seed(seed)
        # What a loss draws does not disturb the order of the images.
        self.drawing = torch.Generator().manual_seed(seed)
        self.steps = self.learned = 0

    def run(self, choose: Chooser | None) -> list[dict[str, Any]]:
        """All stages; returns a record of each epoch."""
        records: list[dict[str, Any]] = []
        try:
            stages = self.network.stages(self.settings)
        except UsageError as error:
            raise UsageError(f"run {self.name}: {error}") from None
        learned = {id(value): value.numel() for stage in stages for value in _parameters(stage)}
        self.learned = sum(learned.values())
        for stage in stages:
            if stage.patience is not None and choose is None:
                raise UsageError(f"run {self.name}: stage {stage.name} stops by a selection set: give `selection`")
            self._stage(stage, choose, records)
        return records

    def _stage(self, stage: Stage, choose: Chooser | None, records: list[dict[str, Any]]) -> None:
        learned = list(stage.parameters)
        optimiser = stage.optimiser(learned)
        view = stage.view
        dataset = ImageSet(self.rows, self.network.backbone.image_size, view=view, seed=self.seed)
        total = stage.epochs * math.ceil(len(dataset) / stage.batch_size)
        schedule = stage.schedule(optimiser, total) if stage.schedule is not None else None
        scaler = torch.amp.GradScaler(self.device.type, enabled=self.settings.precision == "fp16")
        best, waited, kept = -math.inf, 0, None
        done = 0
        for epoch in range(1, stage.epochs + 1):
            number = len(records) + 1
            # Draws of a sample depend on the epoch, over all stages.
            dataset.epoch = number
            order = torch.randperm(len(dataset), generator=self.order).tolist()
            sums: dict[str, float] = {}
            stage_name = f" {stage.name}" if stage.name else ""
            title = f"{self.name}{stage_name} epoch {epoch}/{stage.epochs}"
            loader = batches(
                dataset, stage.batch_size, order=order, workers=self.workers, pin=self.device.type == "cuda"
            )
            with progress(len(order), title) as bar:
                for batch in loader:
                    parts = self._step(stage, batch.to(self.device), optimiser, scaler, done, total)
                    if schedule is not None:
                        schedule.step()
                    done += 1
                    for key, value in parts.items():
                        sums[key] = sums.get(key, 0.0) + value * len(batch.index)
                    if not math.isfinite(sums["loss"]):
                        raise self._not_finite(number)
                    bar.update(len(batch.index))
                    bar.set_postfix_str(f"loss {parts['loss']:.3f}", refresh=False)
            means = {key: value / len(order) for key, value in sums.items()}
            record = {"epoch": number, "stage": stage.name, "images": len(order), **means, LAST: ""}
            records.append(record)
            if choose is None:
                continue
            value = record[LAST] = choose.judge(self.network, number)
            waited = 0 if value >= best else waited + 1
            if value >= best:
                best, kept = value, copy.deepcopy(self.network.state_dict()) if stage.patience is not None else None
            if stage.patience is not None and waited >= stage.patience:
                break
        if kept is not None:
            self.network.load_state_dict(kept)

    def _step(
        self,
        stage: Stage,
        batch: Batch,
        optimiser: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        step: int,
        steps: int,
    ) -> dict[str, float]:
        """One step of the optimiser; the loss and its parts as numbers."""
        optimiser.zero_grad(set_to_none=True)
        with computing(self.device, self.settings.precision):
            frozen = self.store.of(batch.images, batch.index.tolist(), batch.altered.tolist())
            shown = Shown(
                batch.images,
                batch.masks,
                batch.labels,
                batch.has_pixels,
                batch.words,
                frozen,
                step,
                steps,
                self.drawing,
            )
            parts = stage.loss(shown)
        total = torch.stack([value.float() for value in parts.values()]).sum()
        scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        scaler.step(optimiser)
        scaler.update()
        self.steps += 1
        # One transfer for all: each would wait for the GPU.
        values = torch.stack([total.detach(), *(value.detach().float() for value in parts.values())]).tolist()
        return dict(zip(("loss", *(f"loss_{name}" for name in parts)), values, strict=True))

    def _not_finite(self, epoch: int) -> AdaclipError:
        return AdaclipError(
            f"run {self.name}: the loss is not finite at epoch {epoch}, step {self.steps}: nothing was saved; lower "
            f"learning_rate (now {self.settings.learning_rate:g}), use another precision "
            f"(now {self.settings.precision}) or another seed"
        )


def _parameters(stage: Stage) -> Iterable[nn.Parameter]:
    for entry in stage.parameters:
        yield from entry["params"] if isinstance(entry, Mapping) else (entry,)
