"""Sorted scores with counts, in bounded memory."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

#: Scores that are kept one by one before they are gathered: below this everything is exact.
CAPACITY = 1 << 25
#: Gathered scores are thinned so that no entry holds more than this share of what lies at or above it. A rate at any
#: threshold is then off by less than this share, at the sparse high end too, where precision depends on few scores.
SHARE = 2.0**-17


class Sketch:
    """A multiset of scores, added in any order and read sorted.

    Args:
        weighted: whether every score carries a weight beside its count.
        dtype: of the scores; single precision for pixels.
        capacity: scores that are kept one by one; default `CAPACITY`.
    """

    def __init__(self, *, weighted: bool, dtype: Any = np.float32, capacity: int | None = None) -> None:
        capacity = CAPACITY if capacity is None else capacity
        self.weighted, self.dtype, self.capacity = weighted, dtype, capacity
        self.total = 0
        # One block, so that sorting needs no second copy. The system hands out its memory only as it is written.
        self._pending: Floats = np.empty(capacity, dtype)
        self._pending_weights = np.empty(capacity if weighted else 0, np.float32)
        self._pending_count = 0
        self._values: Floats = np.empty(0, dtype)
        self._counts: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._weights: Floats = np.empty(0)

    def add(self, scores: Floats, weights: Floats | None = None) -> None:
        """Add scores (n,), with weights (n,) or 1 each."""
        self.total += scores.size
        while scores.size:
            taken = min(scores.size, self.capacity - self._pending_count)
            place = slice(self._pending_count, self._pending_count + taken)
            self._pending[place] = scores[:taken]
            if self.weighted:
                self._pending_weights[place] = 1 if weights is None else weights[:taken]
            self._pending_count += taken
            if self._pending_count == self.capacity:
                self._gather()
                self._thin()
            scores = scores[taken:]
            weights = weights[taken:] if weights is not None else None

    def content(self) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
        """Distinct scores in ascending order (n,), how often each stands there (n,), and its summed weight (n,)."""
        self._gather()
        return self._values, self._counts, self._weights

    def ranks(self, scores: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """How many scores lie below, and at or below, each of the ascending `scores` (n,)."""
        if not self._values.size and not self.weighted:
            # Nothing was thinned yet: positions in sorted lists are counts. Each core sorts and searches a part.
            parts = np.array_split(self._pending[: self._pending_count], os.cpu_count() or 1)
            with ThreadPoolExecutor(len(parts)) as pool:
                found = list(pool.map(lambda part: _sorted_ranks(part, scores), parts))
            return sum(left for left, _ in found), sum(right for _, right in found)
        self._gather()
        below = np.concatenate([[0], np.cumsum(self._counts)])
        left, right = _search(self._values, scores)
        return below[left], below[right]

    def _gather(self) -> None:
        """Move what is pending into the sorted list of distinct scores."""
        if not self._pending_count:
            return
        if self.weighted:
            scores, weights = _sort_together(
                self._pending[: self._pending_count], self._pending_weights[: self._pending_count]
            )
        else:
            scores, weights = np.sort(self._pending[: self._pending_count]), np.empty(0)
        values, counts, sums = _distinct(scores, None, weights if self.weighted else None)
        self._pending_count = 0
        if self._values.size:
            values = np.concatenate([self._values, values])
            # The stable sort merges the two ascending runs in one pass.
            order = np.argsort(values, kind="stable")
            counts = np.concatenate([self._counts, counts])[order]
            sums = np.concatenate([self._weights, sums])[order] if self.weighted else sums
            values, counts, sums = _distinct(values[order], counts, sums if self.weighted else None)
        self._values, self._counts, self._weights = values, counts, sums

    def _thin(self) -> None:
        """Join neighbouring scores until each entry holds at most `SHARE` of what lies at or above it."""
        above = self._counts[::-1].cumsum()[::-1] - self._counts
        # One group for each count up to 1 / SHARE, then groups that grow with what lies above.
        knee = 1 / SHARE
        position = np.where(above < knee, above, knee * (1 + np.log(np.maximum(above, knee) / knee)))
        group = np.floor(position).astype(np.int64)  # descending along the ascending scores
        starts = np.flatnonzero(np.diff(group, prepend=group[0] + 1))
        ends = np.append(starts[1:], group.size)
        self._values = self._values[(starts + ends - 1) // 2]
        self._counts = np.add.reduceat(self._counts, starts)
        if self.weighted:
            self._weights = np.add.reduceat(self._weights, starts)


def _sorted_ranks(values: Floats, scores: Floats) -> tuple[Any, Any]:
    values.sort()
    return _search(values, scores)


def _search(values: Floats, scores: Floats) -> tuple[Any, Any]:
    """Positions of ascending scores in ascending values, left and right of equal ones."""
    left = np.searchsorted(values, scores, side="left")
    right = left.copy()
    if values.size:
        # Equal values are few; only for them the second search says something new.
        equal = values[left.clip(max=values.size - 1)] == scores
        right[equal] = np.searchsorted(values, scores[equal], side="right")
    return left, right


def _distinct(
    scores: Floats, counts: npt.NDArray[np.int64] | None, weights: Floats | None
) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
    """Distinct values of ascending scores, with summed counts (1 each when None) and weights."""
    new = np.empty(scores.size, bool)
    new[:1] = True
    np.not_equal(scores[1:], scores[:-1], out=new[1:])
    starts = np.flatnonzero(new)
    summed = np.diff(starts, append=scores.size) if counts is None else np.add.reduceat(counts, starts)
    sums = np.add.reduceat(weights, starts, dtype=np.float64) if weights is not None else np.empty(0)
    return scores[starts], summed, sums


def _sort_together(scores: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Sort scores and carry the weights along.

    Single-precision scores are packed with their weights into one integer whose order is the scores': sorting numbers
    is several times faster than sorting positions.
    """
    if scores.dtype != np.float32:
        order = np.argsort(scores, kind="stable")
        return scores[order], weights[order]
    bits = (scores + np.float32(0)).view(np.uint32)  # adding zero turns -0 into 0
    # IEEE floats order like integers once the sign is flipped, and all bits of negative numbers.
    key = np.where(bits >> 31, ~bits, bits | np.uint32(0x80000000))
    packed = (key.astype(np.uint64) << np.uint64(32)) | weights.astype(np.float32).view(np.uint32)
    packed.sort()
    key = (packed >> np.uint64(32)).astype(np.uint32)
    bits = np.where(key >> 31, key & np.uint32(0x7FFFFFFF), ~key)
    return bits.view(np.float32), packed.astype(np.uint32).view(np.float32)
