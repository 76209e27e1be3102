"""Small maps of a few images of a set, for the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from adaclip.data.rows import Row
from adaclip.system.files import write_whole

#: Largest side in pixels of the maps that are kept for the report.
PANEL_SIDE = 256
Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]


class Panels:
    """Small maps of a few images: the best, the worst, and some that no score chose.

    An anomalous image with a mask is the better, the more its map differs in the mean between inside and outside; where
    no mask is known, an image is the better, the further its score lies on its label's side.

    Args:
        rows: the images of the set.
        count: how many to keep; a third of them best, a third worst.
    """

    def __init__(self, rows: Sequence[Row], count: int) -> None:
        self.rows = rows
        self.extremes = count // 3
        self.spread = frozenset(choose_panels(rows, count - 2 * self.extremes))
        self.masked = any(row.label == 1 and row.has_pixels for row in rows)
        self._maps: dict[int, Floats] = {}
        self._quality: dict[int, float] = {}

    def update(self, index: Sequence[int], masks: Bools, maps: Floats, scores: Floats) -> None:
        """Take images; arguments as for `PixelJudge.update`, and the anomaly scores (batch,)."""
        for position, i in enumerate(index):
            row = self.rows[i]
            quality = None
            if i not in self.spread and self.extremes:
                if not self.masked:
                    quality = float(scores[position]) if row.label == 1 else 1 - float(scores[position])
                elif row.label == 1 and row.has_pixels and 0 < masks[position].mean() < 1:
                    inside = maps[position][masks[position]].mean()
                    quality = float(inside - maps[position][~masks[position]].mean())
            if quality is not None:
                self._quality[i] = quality
            if quality is not None or i in self.spread:
                self._maps[i] = self._small(maps[position])
        self._forget()

    def _small(self, values: Floats) -> Floats:
        side = min(values.shape[-1], PANEL_SIDE)
        small = Image.fromarray(values.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR)
        return np.asarray(small).clip(0, 1).astype(np.float16)

    def _ranked(self) -> list[int]:
        return sorted(self._quality, key=lambda i: (self._quality[i], i))

    def _forget(self) -> None:
        """Let go of maps that are neither among the best nor among the worst so far."""
        ranked = self._ranked()
        for i in ranked[self.extremes : max(self.extremes, len(ranked) - self.extremes)]:
            del self._maps[i], self._quality[i]

    def roles(self) -> dict[int, str]:
        """`best`, `worst` or `sample` for each image that is kept, by position in the set."""
        ranked = self._ranked()
        # With fewer than two thirds of the images, the better half is best.
        worst = set(ranked[: min(self.extremes, len(ranked) // 2)])
        return {i: "sample" if i in self.spread else "worst" if i in worst else "best" for i in sorted(self._maps)}

    def write(self, path: Path, scores: Floats) -> None:
        """Write image, category, label, score, role and maps as compressed NumPy arrays."""
        roles = self.roles()
        rows = [self.rows[i] for i in roles]
        with write_whole(path) as part, part.open("wb") as stream:
            np.savez_compressed(
                stream,
                image=np.array([row.relative for row in rows], dtype=np.str_),
                category=np.array([row.category for row in rows], dtype=np.str_),
                label=np.array([row.label for row in rows], dtype=np.int64),
                score=np.array([scores[i] for i in roles], dtype=np.float64),
                role=np.array(list(roles.values()), dtype=np.str_),
                maps=np.stack([self._maps[i] for i in roles]) if roles else np.zeros((0, 1, 1), np.float16),
            )


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
    seen: set[int] = set()
    parts = 2
    while len(order) < len(indices):
        for numerator in range(1, parts, 2):
            index = indices[numerator * len(indices) // parts]
            if index not in seen:
                seen.add(index)
                order.append(index)
        parts *= 2
    return order
