"""Images of a set beside their masks and anomaly maps: the best, the worst, and some that no score chose."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

from adaclip.data.manifest import has_images, read_manifest
from adaclip.errors import AdaclipError, UsageError
from adaclip.report.document import FigureDoc, write_figures_index
from adaclip.report.figures.style import SMALL, WIDTH, save, use_theme, wrapped
from adaclip.report.figures.words import settings_of
from adaclip.report.panels import OPACITY, Kept, KeptMaps, coloured, fit, mask_of, picture_of, read_kept
from adaclip.report.protocol import protocol_sentence
from adaclip.report.results import Results
from adaclip.report.series import shown
from adaclip.system.files import write_text
from adaclip.system.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROLES = ("best", "worst", "sample")
PICTURES = ("image", "mask", "map", "overlay")
#: Longest side of a picture in pixels: 200 to an inch of the figure.
SIDE = 168
QUALITY = 85
_PNG = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)")


def write_panels(plan_file: Path, name: str, out: Path) -> None:
    """Draw the images that the first trained experiment on a set kept, and write an index of this one figure.

    Args:
        plan_file: `results/plan.json`.
        name: the set.
        out: folder for `panels_<set>.svg`, `panels_<set>.png` and `index.json`.

    Raises:
        UsageError: a set that the plan does not evaluate.
        AdaclipError: the maps or the images are missing or damaged.
    """
    results = Results(plan_file)
    chosen = shown(results.plan)
    if name not in chosen:
        raise UsageError(f"'{name}' is not evaluated in {plan_file} (evaluated: {', '.join(chosen) or 'none'})")
    experiment, facts = chosen[name], results.sets[name]
    seed = experiment["seeds"][0]
    found = read_kept(results.run_folder(experiment, seed) / name)
    kept = sorted(found.images, key=lambda one: ROLES.index(one.role))
    manifest = Path(facts["manifest"])
    rows = read_manifest(manifest).set_index("image")
    if not has_images(manifest):
        raise AdaclipError(f"the images of '{name}' are not in {manifest.parent}: prepare the set again")
    use_theme()
    stem = f"panels_{name}"
    _draw(dataclasses.replace(found, images=tuple(kept)), rows, manifest.parent, out, stem)
    title = f"Images of {facts['title']}{', simulated' if name in results.simulated else ''}"
    document = FigureDoc(
        stem,
        title,
        f"{title} with their masks, anomaly maps and both laid over each other. {_choice(rows, kept)} Maps run from "
        f"{found.low:.4g} (dark) to {found.high:.4g} (bright). {protocol_sentence(results.plan)}",
        f"{counted(len(kept), 'image')} of {facts['title']}: "
        + "; ".join(_title(one, rows.loc[one.name]) for one in kept)
        + ".",
        "measured",
        (name,),
        source=f"Drawn from panels.npz of run {experiment['run']}, seed {seed}.",
        settings=settings_of(results.plan, [{**experiment, "seeds": [seed]}]),
    )
    write_figures_index(out / "index.json", [document])


def _choice(rows: pd.DataFrame, kept: Sequence[Kept]) -> str:
    """How the images were chosen; see `adaclip.metrics.kept_maps.Panels`."""
    if not any(one.role != "sample" for one in kept):
        return "They are spread over the set and chosen by no score."
    masked = bool(rows["mask"].ne("").any())
    measure = (
        "the difference of the map's means inside and outside the mask, among anomalous images"
        if masked
        else "how far the score lies on the label's side of what divides normal from anomalous images"
    )
    return f"Best and worst by {measure}; samples are spread over the set and chosen by no score."


def _title(one: Kept, row: Any) -> str:
    return f"{one.role}: {row['category']}, {row['defect']}, score {one.score:.4g}"


def _draw(found: KeptMaps, rows: pd.DataFrame, folder: Path, out: Path, stem: str) -> None:
    """Two images in a row, four pictures of each."""
    kept = found.images
    lines = max(1, -(-len(kept) // 2))
    figure = plt.figure(figsize=(WIDTH, 1.12 * lines + 0.2))
    blocks = figure.subfigures(lines, 2, squeeze=False, wspace=0.02)
    for block in blocks.flat[len(kept) :]:
        block.set_visible(False)
    for block, one in zip(blocks.flat, kept, strict=False):
        row: Any = rows.loc[one.name]
        size = fit(row["width"], row["height"], SIDE)
        picture = picture_of(folder / one.name, size, row["sha256"])
        mask = mask_of(folder / row["mask"], size, row["mask_sha256"]) if row["mask"] else None
        heat = coloured(one.values, found.low, found.high).resize(size, Image.Resampling.BICUBIC)
        axes = block.subplots(1, len(PICTURES))
        block.subplots_adjust(left=0.01, right=0.99, top=0.76, bottom=0.02, wspace=0.04)
        block.suptitle(wrapped(_title(one, row), 58, 1), size=SMALL, x=0.01, y=0.99, ha="left", va="top")
        for ax, word, shown_picture in zip(
            axes, PICTURES, (picture, mask, heat, Image.blend(picture, heat, OPACITY)), strict=True
        ):
            _show(ax, word, shown_picture, "no mask" if row["label"] else "normal")
    save(figure, out, stem)
    path = out / f"{stem}.svg"
    write_text(path, _with_small_pictures(path.read_text(encoding="utf-8")))


def _show(ax: Axes, word: str, picture: Image.Image | None, without: str) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.set_anchor("N")
    ax.set_title(word, size=SMALL, pad=1.5)
    for spine in ax.spines.values():
        spine.set_visible(picture is None)
    if picture is None:
        ax.set_box_aspect(1)
        ax.text(0.5, 0.5, without, transform=ax.transAxes, ha="center", va="center", size=SMALL, color="0.4")
    else:
        # Masks would be coloured otherwise.
        ax.imshow(np.asarray(picture.convert("RGB")), interpolation="none")


def _with_small_pictures(svg: str) -> str:
    """The same figure with photographs as JPEG, a fifth of what matplotlib embeds."""

    def smaller(found: re.Match[str]) -> str:
        content = base64.b64decode(found.group(1))
        stream = io.BytesIO()
        with Image.open(io.BytesIO(content)) as picture:
            picture.convert("RGB").save(stream, "JPEG", quality=QUALITY, optimize=True)
        if len(stream.getvalue()) >= len(content):
            return found.group()
        return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"

    return _PNG.sub(smaller, svg)
