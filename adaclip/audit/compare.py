"""From fingerprints to what occurs twice: the counterparts of each image in each set, and groups of copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from adaclip.audit.matching import near_pairs

if TYPE_CHECKING:
    from adaclip.audit.fingerprint import Fingerprints

PAIR_COLUMNS = (
    "set",
    "category",
    "image",
    "label",
    "other_set",
    "other_category",
    "other_image",
    "other_label",
    "kind",
    "bits",
    "identical",
    "near",
)
GROUP_COLUMNS = ("group", "kind", "set", "category", "image", "label", "content")

_Array = np.ndarray[Any, Any]
_NONE = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        sets: ids, in the order given.
        frame: one row for each image: set, category, image, label, content.
        pairs: `PAIR_COLUMNS`, one row for each image and each set (its own too) that holds a counterpart of it. The
            other image is the closest one, `kind` is identical or near, `bits` counts the bits in which the hashes
            differ, `identical` and `near` count all counterparts there.
        edges: near pairs of contents, (pairs, 2), as positions in `contents`.
        content_of: position in `contents` of each image, (images,).
        contents: digests of pixels.
    """

    sets: tuple[str, ...]
    frame: pd.DataFrame
    pairs: pd.DataFrame
    edges: _Array
    content_of: _Array
    contents: tuple[str, ...]

    @cached_property
    def groups(self) -> pd.DataFrame:
        """`GROUP_COLUMNS`: images that are copies of each other, directly or by way of others, across all sets.

        A group's kind is identical when all its images have the same pixels. Within a group images with equal `content`
        are identical.
        """
        return self._grouped(np.ones(len(self.frame), bool))

    def groups_within(self, name: str) -> pd.DataFrame:
        """The same as `groups`, of one set alone."""
        return self._grouped((self.frame["set"] == name).to_numpy())

    def _grouped(self, chosen: _Array) -> pd.DataFrame:
        present = np.zeros(len(self.contents), bool)
        present[self.content_of[chosen]] = True
        edges = self.edges[present[self.edges].all(axis=1)] if len(self.edges) else self.edges
        graph = coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(len(self.contents),) * 2)
        _, component = connected_components(graph, directed=False)
        frame = self.frame[chosen].assign(component=component[self.content_of[chosen]])
        size = frame.groupby("component")["image"].transform("size")
        frame = frame[size > 1].copy()
        kinds = frame.groupby("component")["content"].transform("nunique")
        frame["kind"] = np.where(kinds == 1, "identical", "near")
        # Numbered in the order in which their first image stands.
        frame["group"] = pd.factorize(frame["component"])[0] + 1
        return frame.sort_values("group", kind="stable")[list(GROUP_COLUMNS)].reset_index(drop=True)


def compare(fingerprints: Fingerprints) -> Audit:
    """Compare all images with all others.

    Args:
        fingerprints: of all sets.
    """
    frame = fingerprints.frame
    sets = tuple(dict.fromkeys(frame["set"]))
    content_of, contents = pd.factorize(frame["content"])
    first = np.full(len(contents), len(frame))
    np.minimum.at(first, content_of, np.arange(len(frame)))
    set_of = pd.Index(sets).get_indexer(frame["set"])
    copies = np.zeros((len(contents), len(sets)), np.int64)
    np.add.at(copies, (content_of, set_of), 1)
    edges, nearest, near = _near(fingerprints.hashes[first], fingerprints.smalls[first], copies)
    pairs = _pairs(frame, sets, content_of, set_of, copies, nearest, near)
    return Audit(sets, frame, pairs, edges, content_of, tuple(contents))


def _near(hashes: _Array, smalls: _Array, copies: _Array) -> tuple[_Array, _Array, _Array]:
    """Near contents.

    Args:
        hashes: of each content.
        smalls: of each content.
        copies: how often each set holds a content, (contents, sets).

    Returns:
        All pairs (pairs, 2); for each content and set the nearest one there, as bits * 2^32 + content, or `_NONE`
        (contents, sets); and how many images of that set are near to it, (contents, sets).
    """
    edges = [np.zeros((0, 2), np.int64)]
    nearest = np.full(copies.shape, _NONE, np.int64)
    near = np.zeros(copies.shape, np.int64)
    for i, j, bits in near_pairs(hashes, smalls):
        edges.append(np.stack([i, j], axis=1))
        for one, other in ((i, j), (j, i)):
            key = (bits.astype(np.int64) << 32) | other
            np.add.at(near, one, copies[other])
            np.minimum.at(nearest, one, np.where(copies[other] > 0, key[:, None], _NONE))
    return np.concatenate(edges), nearest, near


def _pairs(
    frame: pd.DataFrame,
    sets: Sequence[str],
    content_of: _Array,
    set_of: _Array,
    copies: _Array,
    nearest: _Array,
    near: _Array,
) -> pd.DataFrame:
    """One row for each image and set with a counterpart; the arrays are those of `compare` and `_near`."""
    # Images by content and set, to name the first one that is not the image itself.
    members: dict[tuple[int, int], list[int]] = {}
    for index, place in enumerate(zip(content_of.tolist(), set_of.tolist(), strict=True)):
        members.setdefault(place, []).append(index)
    own = np.arange(len(sets))[None, :] == set_of[:, None]
    identical = copies[content_of] - own
    rows, columns = np.nonzero((identical > 0) | (near[content_of] > 0))
    partners, bits = [], []
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        same = identical[row, column] > 0
        key = 0 if same else int(nearest[content_of[row], column])
        content = int(content_of[row]) if same else key & 0xFFFFFFFF
        partners.append(next(index for index in members[content, column] if index != row))
        bits.append(key >> 32)
    own_part = frame.iloc[rows][["set", "category", "image", "label"]].reset_index(drop=True)
    other = frame.iloc[partners][["set", "category", "image", "label"]].reset_index(drop=True).add_prefix("other_")
    pairs = pd.concat([own_part, other], axis=1)
    pairs["kind"] = np.where(identical[rows, columns] > 0, "identical", "near")
    pairs["bits"] = np.array(bits, np.int64)
    pairs["identical"] = identical[rows, columns]
    pairs["near"] = near[content_of[rows], columns]
    return pairs[list(PAIR_COLUMNS)]
