"""Small maps of a few images of a set, for the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from adaclip.data.rows import Row
from adaclip.errors import warn
from adaclip.system.files import write_whole

#: Largest side in pixels of the maps that are kept for the report.
PANEL_SIDE = 256
#: Share of a stated range by which maps may pass its ends, for autocast's rounding.
ROUNDING = 0.01
Floats = npt.NDArray[np.floating[Any]]
Bools = npt.NDArray[np.bool_]


class Panels:
    """Small maps of a few images: the best, the worst, and some that no score chose.

    An anomalous image with a mask is the better, the more its map differs in the mean between inside and outside. Where
    no mask is known, an image is the better, the further its score lies on its label's side of the middle between the
    medians of normal and of anomalous images; so neither maps nor scores need a scale.

    Args:
        rows: the images of the set.
        count: how many to keep; a third of them best, a third worst.
        map_range: the values at the ends of the colour scale; None for the least and the greatest of all maps.
    """

    def __init__(self, rows: Sequence[Row], count: int, map_range: tuple[float, float] | None = None) -> None:
        self.rows, self.map_range = rows, map_range
        self.extremes = count // 3
        self.spread = frozenset(choose_panels(rows, count - 2 * self.extremes))
        self.masked = any(row.label == 1 and row.has_pixels for row in rows)
        self.scores: dict[int, float] = {}
        self.least, self.greatest = math.inf, -math.inf
        self._maps: dict[int, Floats] = {}
        self._quality: dict[int, float] = {}

    def update(self, index: Sequence[int], masks: Bools, maps: Floats, scores: Floats) -> None:
        """Take images; arguments as for `PixelJudge.update`, and the anomaly scores (batch,)."""
        self.least = min(self.least, float(maps.min(initial=math.inf)))
        self.greatest = max(self.greatest, float(maps.max(initial=-math.inf)))
        for position, i in enumerate(index):
            row = self.rows[i]
            self.scores[i] = float(scores[position])
            quality = None
            if i not in self.spread and self.extremes:
                if not self.masked:
                    quality = self.scores[i] if row.label == 1 else -self.scores[i]
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
        return np.asarray(small)

    def _forget(self) -> None:
        """Let go of maps that are neither among the best nor among the worst of their label so far."""
        for label in (0, 1):
            ranked = _ascending({i: value for i, value in self._quality.items() if self.rows[i].label == label})
            for i in self._between(ranked):
                del self._maps[i], self._quality[i]

    def _between(self, ranked: Sequence[int]) -> Sequence[int]:
        return ranked[self.extremes : max(self.extremes, len(ranked) - self.extremes)]

    def roles(self) -> dict[int, str]:
        """`best`, `worst` or `sample` for each image that is kept, by position in the set."""
        quality = self._quality
        if not self.masked:
            middle = self._middle()
            quality = {i: value + (-middle if self.rows[i].label == 1 else middle) for i, value in quality.items()}
        ranked = _ascending(quality)
        # With fewer than two thirds of the images, the better half is best.
        worst = set(ranked[: min(self.extremes, len(ranked) // 2)])
        kept = sorted(self._maps.keys() - set(self._between(ranked)))
        return {i: "sample" if i in self.spread else "worst" if i in worst else "best" for i in kept}

    def _middle(self) -> float:
        """Between the medians of the scores of both labels: what divides them, on whatever scale."""
        medians = []
        for label in (0, 1):
            own = [score for i, score in self.scores.items() if self.rows[i].label == label]
            medians += [float(np.median(own))] if own else []
        return sum(medians) / len(medians) if medians else 0.0

    def range(self) -> tuple[float, float]:
        """The values at the ends of the colour scale; wider than a stated range that maps do not keep to."""
        if self.map_range is None:
            return (self.least, self.greatest) if self.least <= self.greatest else (0.0, 1.0)
        low, high = self.map_range
        slack = ROUNDING * (high - low)
        return (
            self.least if self.least < low - slack else low,
            self.greatest if self.greatest > high + slack else high,
        )

    def write(self, path: Path, scores: Floats) -> None:
        """Write image, category, label, score, role, maps and their range as compressed NumPy arrays."""
        roles = self.roles()
        rows = [self.rows[i] for i in roles]
        if self.map_range is not None and self.range() != self.map_range:
            warn(
                f"{self.rows[0].dataset}: anomaly maps reach from {self.least:.4g} to {self.greatest:.4g}, but their "
                f"method states {self.map_range[0]:g} to {self.map_range[1]:g} (map_range): pictures show all of it"
            )
        with write_whole(path) as part, part.open("wb") as stream:
            np.savez_compressed(
                stream,
                image=np.array([row.relative for row in rows], dtype=np.str_),
                category=np.array([row.category for row in rows], dtype=np.str_),
                label=np.array([row.label for row in rows], dtype=np.int64),
                score=np.array([scores[i] for i in roles], dtype=np.float64),
                role=np.array(list(roles.values()), dtype=np.str_),
                maps=np.stack([self._maps[i] for i in roles]) if roles else np.zeros((0, 1, 1), np.float32),
                range=np.array(self.range(), dtype=np.float64),
            )


def _ascending(quality: Mapping[int, float]) -> list[int]:
    return sorted(quality, key=lambda i: (quality[i], i))


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
