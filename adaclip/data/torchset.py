"""Prepared sets as batches of tensors."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from adaclip.data.decode import open_image, open_mask
from adaclip.data.masks import MaskReading, mask_picture, resized
from adaclip.data.preprocessing import preprocess
from adaclip.data.rows import Row
from adaclip.errors import AdaclipError
from adaclip.system.processes import end_with_parent, signals_held

#: How PyTorch says that one of its processes is gone.
_WORKER_GONE = re.compile(r"DataLoader worker \(pid.*(killed by signal|exited unexpectedly)")


@dataclass
class Batch:
    """Samples side by side.

    Attributes:
        index: positions in the set, (batch,).
        images: (batch, 3, S, S).
        masks: (batch, M, M), float, 0 or 1, or between with the mask reading `grey`; zero where there is no mask.
        labels: (batch,), 0 or 1, float.
        has_pixels: (batch,), False where an anomalous image has no mask.
        altered: (batch,), True where the image is a mosaic or augmented, and no stored feature fits.
        words: the class name of each image for the text prompts.
    """

    index: Tensor
    images: Tensor
    masks: Tensor
    labels: Tensor
    has_pixels: Tensor
    altered: Tensor
    words: list[str]

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(
            self.index,
            self.images.to(device, non_blocking=True),
            self.masks.to(device, non_blocking=True),
            self.labels.to(device, non_blocking=True),
            self.has_pixels.to(device, non_blocking=True),
            self.altered,
            self.words,
        )


class TrainingView(Protocol):
    """How a training wants its images; `adaclip.methods.stages.View` explains each of these."""

    @property
    def mask(self) -> MaskReading:
        """How a mask comes to the input's size."""

    @property
    def mosaic_probability(self) -> float:
        """Chance that a sample is a 2 x 2 mosaic."""

    @property
    def mosaic_sets(self) -> Sequence[str]:
        """Sets of which mosaics are made."""

    @property
    def mosaic(self) -> Literal["contains", "replaces", "anomalous"]:
        """What a mosaic is made of."""

    @property
    def augment(self) -> Callable[[Tensor, Tensor, Any], tuple[Tensor, Tensor]] | None:
        """What is done to an image and its mask; None for nothing."""


class ImageSet(Dataset["Sample"]):
    """Rows as samples.

    Args:
        rows: the images.
        image_size: side S of images in pixels.
        mask_size: side M of masks in pixels; that of images by default.
        view: mask reading, mosaics and augmentation of a training; None for images as they are, their masks resized
            bilinearly.
        seed: of what a view draws; a sample's draw depends on seed, epoch and index alone, not on workers or batches.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        image_size: int,
        *,
        mask_size: int | None = None,
        view: TrainingView | None = None,
        seed: int = 0,
    ) -> None:
        if view is not None and view.augment is not None and mask_size not in (None, image_size):
            raise ValueError(f"augmented images have masks of their size, {image_size} and not {mask_size}")
        self.rows = list(rows)
        self.image_size = image_size
        self.mask_size = image_size if mask_size is None else mask_size
        self.view = view
        self.seed = seed
        self.epoch = 0
        self.reading: MaskReading = view.mask if view is not None else "bilinear"
        self._peers: dict[tuple[str, str], list[int]] = {}
        for index, row in enumerate(self.rows):
            self._peers.setdefault((row.dataset, row.category), []).append(index)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Sample:
        try:
            return self._sample(index)
        except AdaclipError as error:
            # Raised in a worker process it would come out as a traceback; `batches` raises it.
            return Sample(index, torch.empty(0), torch.empty(0), 0, False, False, "", failure=str(error))

    def _sample(self, index: int) -> Sample:
        row, view = self.rows[index], self.view
        if view is None:
            return self._single(index)
        rng = np.random.default_rng([self.seed, self.epoch, index])
        sample = None
        if row.dataset in view.mosaic_sets and view.mosaic_probability > 0 and rng.random() < view.mosaic_probability:
            parts = self._parts(index, rng)
            if parts:
                sample = self._canvas(index, parts) if view.mosaic == "replaces" else self._quarters(index, parts)
        if sample is None:
            sample = self._single(index)
        if view.augment is not None:
            sample.image, sample.mask = view.augment(sample.image, sample.mask, rng)
            sample.altered = True
        return sample

    def _single(self, index: int) -> Sample:
        row = self.rows[index]
        image, mask = preprocess(open_image(row.image, row.sha256), self.image_size), self._mask(row, self.mask_size)
        return Sample(index, image, mask, row.label, row.has_pixels or row.label == 0, False, row.words)

    def _mask(self, row: Row, size: int) -> Tensor:
        """(size, size)."""
        if row.mask is None:
            return torch.zeros(size, size)
        picture = mask_picture(open_mask(row.mask, row.mask_sha256), self.reading)
        return torch.from_numpy(resized(picture, size, self.reading))

    def _parts(self, index: int, rng: np.random.Generator) -> list[Row]:
        """The four images of a mosaic in reading order; none where the category has no anomalous one to draw."""
        row = self.rows[index]
        peers = self._peers[row.dataset, row.category]
        kind = self.view.mosaic if self.view is not None else "contains"
        if kind == "contains":
            return [self.rows[i] for i in rng.permutation([index, *rng.choice(peers, size=3)])]
        if kind == "anomalous":
            anomalous = [i for i in peers if self.rows[i].label == 1]
            return [self.rows[i] for i in rng.choice(anomalous, size=4)] if anomalous else []
        folders: dict[str, list[int]] = {}
        for i in peers:
            folders.setdefault(self.rows[i].defect, []).append(i)
        names = sorted(folders)
        # A folder first: normal images are drawn as often as those of one defect, however many there are.
        return [self.rows[rng.choice(folders[names[rng.integers(len(names))]])] for _ in range(4)]

    def _quarters(self, index: int, parts: Sequence[Row]) -> Sample:
        """Four images, each resized to half the side."""
        image, mask = torch.empty(3, self.image_size, self.image_size), torch.empty(self.mask_size, self.mask_size)
        for position, part in enumerate(parts):
            rows, columns = _quarter(position, self.image_size)
            small = preprocess(open_image(part.image, part.sha256), _side(rows, columns))
            image[:, rows, columns] = small[:, : rows.stop - rows.start, : columns.stop - columns.start]
            rows, columns = _quarter(position, self.mask_size)
            found = self._mask(part, _side(rows, columns))
            mask[rows, columns] = found[: rows.stop - rows.start, : columns.stop - columns.start]
        return self._mosaic(index, parts, image, mask)

    def _canvas(self, index: int, parts: Sequence[Row]) -> Sample:
        """Four images, each at its own size, on a canvas of twice the first one's size, which is then resized."""
        pictures = [open_image(part.image, part.sha256).convert("RGB") for part in parts]
        width, height = pictures[0].size
        canvas, masks = (Image.new(mode, (2 * width, 2 * height)) for mode in ("RGB", "L"))
        for position, (part, picture) in enumerate(zip(parts, pictures, strict=True)):
            corner = (position % 2 * width, position // 2 * height)
            canvas.paste(picture, corner)
            mask = Image.new("L", picture.size)
            if part.mask is not None:
                found = mask_picture(open_mask(part.mask, part.mask_sha256), self.reading)
                mask = found if found.size == picture.size else found.resize(picture.size, Image.Resampling.NEAREST)
            # Also the empty ones: they cover what an earlier, larger image left there.
            masks.paste(mask, corner)
        image = preprocess(canvas, self.image_size)
        return self._mosaic(index, parts, image, torch.from_numpy(resized(masks, self.mask_size, self.reading)))

    def _mosaic(self, index: int, parts: Sequence[Row], image: Tensor, mask: Tensor) -> Sample:
        label = max(part.label for part in parts)
        has_pixels = all(part.has_pixels or part.label == 0 for part in parts)
        return Sample(index, image, mask, label, has_pixels, True, self.rows[index].words)


def _quarter(position: int, side: int) -> tuple[slice, slice]:
    """Rows and columns of a quarter, in reading order; with an odd side the later ones are a pixel larger."""
    half = side // 2
    rows = slice(0, half) if position < 2 else slice(half, side)
    columns = slice(0, half) if position % 2 == 0 else slice(half, side)
    return rows, columns


def _side(rows: slice, columns: slice) -> int:
    return int(max(rows.stop - rows.start, columns.stop - columns.start))


@dataclass
class Sample:
    """One element of a batch, or why it could not be read."""

    index: int
    image: Tensor
    mask: Tensor
    label: int
    has_pixels: bool
    altered: bool
    words: str
    failure: str = ""


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
        altered=torch.tensor([sample.altered for sample in samples]),
        words=[sample.words for sample in samples],
    )
