"""Pictures of copies, so that a person can judge whether they are copies."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from PIL import Image

from adaclip.audit.compare import Audit
from adaclip.audit.drawing import save
from adaclip.data.decode import open_image
from adaclip.data.manifest import read_manifest
from adaclip.report.document import FigureDoc

NAME = "audit_examples"
#: Pairs that are shown at most.
PAIRS = 8
#: Longest side in pixels of an image in the figure.
SIDE = 240
#: Characters of an image's path that stand under it.
SHORT = 30


def draw_examples(audit: Audit, titles: Mapping[str, str], prepared: Path, out: Path) -> FigureDoc | None:
    """Draw the near-identical pairs that differ most, taking turns between pairs of sets.

    Args:
        audit: what was found.
        titles: of sets by id.
        prepared: folder with the prepared sets, `<set>/manifest.csv`.
        out: folder for the SVG and PNG.

    Returns:
        What the page needs to know, or None where no images are near-identical.

    Raises:
        AdaclipError: an image is missing or damaged.
    """
    chosen = choose(audit)
    if not chosen:
        return None
    sns.set_theme(style="white", context="paper")
    rows = -(-len(chosen) // 2)
    digests = {name: _digests(prepared / name) for pair in chosen for name in (pair["set"], pair["other_set"])}
    figure, axes = plt.subplots(rows, 4, figsize=(7.6, 2.15 * rows), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for number, pair in enumerate(chosen):
        left = 2 * (number % 2)
        for ax, end in zip(axes[number // 2, left : left + 2], ("", "other_"), strict=True):
            name, image = pair[f"{end}set"], pair[f"{end}image"]
            ax.imshow(_small(prepared / name / image, digests[name].get(image, "")))
            label = "anomalous" if pair[f"{end}label"] else "normal"
            ax.set_title(f"{titles[name]}, {label}", size=8)
            ax.text(0.5, -0.04, _short(image), transform=ax.transAxes, ha="center", va="top", size=8)
        ax.text(-0.03, 0.5, f"{pair['bits']}", transform=ax.transAxes, ha="right", va="center", size=8, color="0.35")
    figure.tight_layout(h_pad=1.6)
    save(figure, NAME, out)
    return FigureDoc(
        NAME,
        "Near-identical images that differ most",
        f"Up to {PAIRS} pairs that count as near-identical although they differ most, taking turns between sets; the "
        "grey number is the difference of their hashes in bits. If these are copies, so are the closer ones.",
        "; ".join(f"{pair['set']} {pair['image']} beside {pair['other_set']} {pair['other_image']}" for pair in chosen),
        "audit",
        tuple(dict.fromkeys(name for pair in chosen for name in (pair["set"], pair["other_set"]))),
    )


def choose(audit: Audit) -> list[dict[str, Any]]:
    """Rows of `audit.pairs`, each pair of images once, with the most bits first for each two sets in turn."""
    near = audit.pairs[audit.pairs["kind"] == "near"].sort_values("bits", ascending=False, kind="stable")
    queues: dict[frozenset[str], list[dict[str, Any]]] = {}
    seen = set()
    for row in near.to_dict("records"):
        pair = frozenset({(row["set"], row["image"]), (row["other_set"], row["other_image"])})
        if pair not in seen:
            seen.add(pair)
            sets = frozenset({row["set"], row["other_set"]})
            queues.setdefault(sets, []).append({str(key): value for key, value in row.items()})
    turns = itertools.zip_longest(*queues.values())
    return [row for turn in turns for row in turn if row is not None][:PAIRS]


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each image of a prepared set."""
    frame = read_manifest(folder / "manifest.csv")
    return dict(zip(frame["image"], frame["sha256"], strict=True))


def _small(path: Path, sha256: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    image = open_image(path, sha256).convert("RGB")
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _short(image: str) -> str:
    name = image.removeprefix("images/")
    return name if len(name) <= SHORT else f"…{name[1 - SHORT :]}"
