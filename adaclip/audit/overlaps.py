"""The matrix of overlaps between sets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

from adaclip.audit.compare import Audit
from adaclip.audit.drawing import save
from adaclip.report.document import FigureDoc
from adaclip.system.wording import counted

NAME = "audit_overlaps"


def draw_overlaps(
    audit: Audit, sets: Mapping[str, Mapping[str, int]], titles: Mapping[str, str], out: Path
) -> FigureDoc:
    """Draw how many images of each set each set holds.

    Args:
        audit: what was found.
        sets: `sets` of leakage.json.
        titles: of sets by id.
        out: folder for the SVG and PNG.

    Returns:
        What the page needs to know.
    """
    counts = matrix(audit)
    images = np.array([sets[name]["images"] for name in audit.sets])
    share = 100 * counts / images[:, None]
    labels = np.where(counts > 0, counts.astype(str), "")
    sns.set_theme(style="white", context="paper")
    side = 0.5 * len(images)
    figure, axes = plt.subplots(figsize=(2.6 + side, 1.6 + 0.8 * side))
    sns.heatmap(
        share,
        ax=axes,
        annot=labels,
        fmt="",
        vmin=0,
        vmax=100,
        cmap="Blues",
        linewidths=1,
        linecolor="0.9",
        xticklabels=[titles[name] for name in audit.sets],
        yticklabels=[f"{titles[name]} ({sets[name]['images']})" for name in audit.sets],
        cbar_kws={"label": "Share of the row's images (%)"},
    )
    for index in range(len(images)):
        axes.add_patch(
            mpl.patches.Rectangle((index, index), 1, 1, fill=False, edgecolor="0.4", lw=1, ls=":", clip_on=False)
        )
    axes.set_xticklabels(axes.get_xticklabels(), rotation=40, ha="right")
    axes.tick_params(axis="y", rotation=0)
    axes.set_xlabel("found in")
    axes.set_ylabel("Test images of")
    save(figure, NAME, out)
    return _document(audit, counts, titles)


def matrix(audit: Audit) -> np.ndarray[Any, np.dtype[np.int64]]:
    """How many images of a set (row) have a copy in a set (column); a copy of itself does not count. (sets, sets)."""
    counts = audit.pairs.groupby(["set", "other_set"]).size()
    return np.array([[int(counts.get((row, column), 0)) for column in audit.sets] for row in audit.sets])


def _document(audit: Audit, counts: np.ndarray[Any, np.dtype[np.int64]], titles: Mapping[str, str]) -> FigureDoc:
    found = [
        f"{counted(int(counts[i, j]), 'image')} of {titles[row]} in {titles[column]}"
        for i, row in enumerate(audit.sets)
        for j, column in enumerate(audit.sets)
        if i != j and counts[i, j]
    ]
    return FigureDoc(
        NAME,
        "Images that sets share",
        "How many test images of the set on the left have an identical or near-identical copy in the set below; the "
        "dotted diagonal counts images with another copy in their own set. The colour is their share of the set on the "
        "left, whose number of images stands behind its name.",
        "Matrix of sets by sets. " + ("; ".join(found) if found else "No two sets share images") + ".",
        "audit",
    )
