"""Prepared sets as batches of tensors."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from adaclip.data.decode import open_image, open_mask
from adaclip.data.rows import Row
from adaclip.errors import AdaclipError
from adaclip.data.preprocessing import preprocess, preprocess_mask
from adaclip.system.processes import end_with_parent, signals_held

#: How PyTorch says that one of its processes is gone.
_WORKER_GONE = re.compile(r"DataLoader worker \(pid.*(killed by signal|exited unexpectedly)")


@dataclass
class Batch:
    """Samples side by side.

    Attributes:
        index: positions in the set, (batch,).
        images: (batch, 3, S, S).
        masks: (batch, S, S), 0 or 1, float; zero where there is no mask.
        labels: (batch,), 0 or 1, float.
        has_pixels: (batch,), False where an anomalous image has no mask.
        mosaic: (batch,), True where the image is a mosaic and no stored embedding fits.
        words: the class name of each image for the text prompts.
    """

    index: Tensor
    images: Tensor
    masks: Tensor
    labels: Tensor
    has_pixels: Tensor
    mosaic: Tensor
    words: list[str]

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(
            self.index,
            self.images.to(device, non_blocking=True),
            self.masks.to(device, non_blocking=True),
            self.labels.to(device, non_blocking=True),
            self.has_pixels.to(device, non_blocking=True),
            self.mosaic,
            self.words,
        )


class ImageSet(Dataset["Sample"]):
    """Rows as samples.

    Args:
        rows: the images.
        image_size: S in pixels.
        mosaic_probability: chance that a sample is a 2 x 2 mosaic of its category.
        mosaic_sets: sets to which that applies.
        seed: of the mosaics; a sample's draw depends on seed, epoch and index alone, not on workers or batches.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        image_size: int,
        mosaic_probability: float = 0.0,
        mosaic_sets: Sequence[str] = (),
        seed: int = 0,
    ) -> None:
        self.rows = list(rows)
        self.image_size = image_size
        self.mosaic_probability = mosaic_probability
        self.mosaic_sets = frozenset(mosaic_sets)
        self.seed = seed
        self.epoch = 0
        self._peers: dict[tuple[str, str], list[int]] = {}
        for index, row in enumerate(self.rows):
            self._peers.setdefault((row.dataset, row.category), []).append(index)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        row = self.rows[index]
        try:
            if row.dataset in self.mosaic_sets and self.mosaic_probability > 0:
                rng = np.random.default_rng([self.seed, self.epoch, index])
                if rng.random() < self.mosaic_probability:
                    return self._mosaic(index, rng)
            image, mask = _load(row, (self.image_size, self.image_size))
        except AdaclipError as error:
            # Raised in a worker process it would come out as a traceback; `batches` raises it.
            return Sample(index, torch.empty(0), torch.empty(0), 0, False, False, "", failure=str(error))
        return Sample(index, image, mask, row.label, row.has_pixels or row.label == 0, False, row.words)

    def _mosaic(self, index: int, rng: np.random.Generator) -> Sample:
        """Four images of one category, each at half the side, in a drawn order; the given one is among them."""
        row = self.rows[index]
        others = rng.choice(self._peers[row.dataset, row.category], size=3)
        chosen = [self.rows[i] for i in rng.permutation([index, *others])]
        size, half = self.image_size, self.image_size // 2
        image = torch.empty(3, size, size)
        mask = torch.empty(size, size)
        for position, part in enumerate(chosen):
            rows = slice(0, half) if position < 2 else slice(half, size)
            columns = slice(0, half) if position % 2 == 0 else slice(half, size)
            shape = (rows.stop - rows.start, columns.stop - columns.start)
            image[:, rows, columns], mask[rows, columns] = _load(part, shape)
        label = max(part.label for part in chosen)
        has_pixels = all(part.has_pixels or part.label == 0 for part in chosen)
        return Sample(index, image, mask, label, has_pixels, True, row.words)


@dataclass
class Sample:
    """One element of a batch, or why it could not be read."""

    index: int
    image: Tensor
    mask: Tensor
    label: int
    has_pixels: bool
    mosaic: bool
    words: str
    failure: str = ""


def _load(row: Row, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Image (3, h, w) and mask (h, w) of a row, resized to `shape`."""
    side = max(shape)
    image = preprocess(open_image(row.image, row.sha256), side)[:, : shape[0], : shape[1]]
    if row.mask is None:
        return image, torch.zeros(shape)
    return image, preprocess_mask(open_mask(row.mask, row.mask_sha256), side)[: shape[0], : shape[1]].float()


def batches(
    dataset: ImageSet,
    batch_size: int,
    *,
    order: Sequence[int] | None = None,
    workers: int = 0,
    pin: bool = False,
    failed: dict[int, str] | None = None,
) -> Iterator[Batch]:
    """Batches of a set.

    Args:
        dataset: the set.
        batch_size: images of a batch; the last may be smaller.
        order: indices to go through, default all in order.
        workers: processes that decode.
        pin: put batches into pinned memory, for a GPU.
        failed: is filled with the reasons why images could not be read, by index, which are left out then; None ends
            with the first of them.

    Raises:
        AdaclipError: an image cannot be read, or a process that decodes was killed.
    """
    loader = DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=list(order) if order is not None else None,
        num_workers=min(workers, len(dataset)),
        collate_fn=_collate,
        pin_memory=pin,
        generator=torch.Generator().manual_seed(0),
        # PyTorch's own watch-dog looks every five seconds only.
        worker_init_fn=functools.partial(_start_worker, os.getpid()),
    )
    with signals_held():
        found = iter(loader)
    while True:
        try:
            batch, failures = next(found)
        except StopIteration:
            return
        except RuntimeError as error:
            if not _WORKER_GONE.match(str(error)):
                raise
            raise AdaclipError(
                "a process that decodes images was killed from outside, most likely for want of memory: "
                "free some, or use fewer processes (--workers 0)"
            ) from error
        if failures and failed is None:
            raise AdaclipError(next(iter(failures.values())))
        if failed is not None:
            failed |= failures
        if batch is not None:
            yield batch


def _start_worker(parent: int, worker: int) -> None:
    end_with_parent(parent)


def _collate(samples: list[Sample]) -> tuple[Batch | None, dict[int, str]]:
    """A batch of what could be read, and why the rest could not, by index."""
    failures = {sample.index: sample.failure for sample in samples if sample.failure}
    samples = [sample for sample in samples if not sample.failure]
    return (_batch_of(samples) if samples else None), failures


def _batch_of(samples: list[Sample]) -> Batch:
    return Batch(
        index=torch.tensor([sample.index for sample in samples]),
        images=torch.stack([sample.image for sample in samples]),
        masks=torch.stack([sample.mask for sample in samples]),
        labels=torch.tensor([float(sample.label) for sample in samples]),
        has_pixels=torch.tensor([sample.has_pixels for sample in samples]),
        mosaic=torch.tensor([sample.mosaic for sample in samples]),
        words=[sample.words for sample in samples],
    )
