"""Frozen features during a training: read from a file, kept from an earlier epoch, or computed now."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from adaclip.methods.base import Method
from adaclip.methods.stages import Frozen


class FrozenStore:
    """What does not change over a training's epochs, by image.

    Args:
        network: whose features.
        stored: of all images, (images, ...) by name, on the CPU; None when there are none on disk.
        limit: bytes that may be kept in memory of features that are not stored; images beyond are computed every time.
    """

    def __init__(self, network: Method, stored: Frozen | None, limit: int = 0) -> None:
        self.network, self.stored, self.limit = network, stored, limit
        self.kept: dict[int, Frozen] = {}
        self.size = 0
        self._names: frozenset[str] | None = None

    def of(self, images: Tensor, index: Sequence[int], altered: Sequence[bool]) -> Frozen:
        """The features of a batch, on its device.

        Args:
            images: (batch, 3, S, S).
            index: positions in the auxiliary data.
            altered: whether an image was changed, so that nothing of it is known.
        """
        found = [None if changed else self._known(i) for i, changed in zip(index, altered, strict=True)]
        missing = [position for position, known in enumerate(found) if known is None]
        if missing:
            with torch.no_grad():
                computed = self.network.frozen(images[missing] if len(missing) < len(images) else images)
            for row, position in enumerate(missing):
                own = {name: value[row] for name, value in computed.items()}
                found[position] = own
                if not altered[position]:
                    self._keep(index[position], own)
        rows = [known for known in found if known is not None]
        return {name: torch.stack([row[name].to(images.device) for row in rows]) for name in rows[0]} if rows else {}

    def _known(self, index: int) -> Frozen | None:
        if self.stored is not None and self._wanted() <= self.stored.keys():
            return {name: self.stored[name][index] for name in self._wanted()}
        return self.kept.get(index)

    def _wanted(self) -> frozenset[str]:
        """Names of the features that the network uses with its settings."""
        if self._names is None:
            size = self.network.backbone.image_size
            with torch.no_grad():
                blank = torch.zeros(1, 3, size, size, device=self.network.backbone.device)
                self._names = frozenset(self.network.frozen(blank))
        return self._names

    def _keep(self, index: int, own: Frozen) -> None:
        size = sum(value.nbytes for value in own.values())
        if index not in self.kept and self.size + size <= self.limit:
            # A copy: a row would hold on to the whole batch.
            self.kept[index] = {name: value.detach().to("cpu", copy=True) for name, value in own.items()}
            self.size += size
