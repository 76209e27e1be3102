"""Choosing the epoch whose parameters do best on a selection set (paper, section 4.1)."""

from __future__ import annotations

import copy
import math
from pathlib import Path

from torch import Tensor

from adaclip.clip.settings import BackboneSettings
from adaclip.data.rows import read_rows
from adaclip.errors import AdaclipError
from adaclip.methods.base import Method
from adaclip.metrics.settings import EvaluateSettings
from adaclip.runs.evaluate import pixel_f1_max
from adaclip.runs.features import read_all_features


class Selection:
    """Keeps the parameters of the epoch with the best pixel F1-max; of two equal ones the earlier.

    A module of its own, so that a change of the evaluation concerns only those trainings that select.

    Args:
        manifest: of the selection set.
        features: frozen features of its test split, or None to compute them on the way.
        backbone: that they were computed with.
        evaluation: how the set is evaluated.
        workers: processes that decode images.

    Raises:
        AdaclipError: unreadable data, or a set on which pixel F1-max is undefined.
    """

    def __init__(
        self,
        manifest: Path,
        features: Path | None,
        backbone: BackboneSettings,
        evaluation: EvaluateSettings,
        workers: int = 0,
    ) -> None:
        self.rows = read_rows(manifest)
        self.dataset = self.rows[0].dataset
        # Found out before the first epoch, not after it.
        if not any(row.label == 1 and row.has_pixels for row in self.rows):
            raise self._undefined()
        self.stored = read_all_features([(features, manifest)], backbone) if features is not None else None
        self.evaluation, self.workers = evaluation, workers
        self.best = -math.inf
        self.epoch: int | None = None
        self.state: dict[str, Tensor] = {}

    def judge(self, network: Method, epoch: int) -> float:
        """Evaluate the network after an epoch.

        Returns:
            The pixel F1-max, mean over the categories.

        Raises:
            AdaclipError: it is undefined on this set.
        """
        value = pixel_f1_max(network.eval(), self.rows, self.stored, self.evaluation, workers=self.workers)
        network.train()
        if math.isnan(value):
            raise self._undefined()
        if value > self.best:
            self.best, self.epoch = value, epoch
            self.state = copy.deepcopy(network.state_dict())
        return value

    def _undefined(self) -> AdaclipError:
        return AdaclipError(
            f"cannot select on '{self.dataset}': its pixel F1-max is undefined (no masks, or no anomalous image)"
        )
