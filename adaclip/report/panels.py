"""Example panels for the page: an image, its mask, and its anomaly map laid over it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from adaclip.data.decode import open_image, open_mask
from adaclip.data.manifest import read_manifest
from adaclip.errors import AdaclipError
from adaclip.report.results import Evaluation

#: Longest side of a picture in pixels.
SIDE = 224
#: Share of the map in the overlay.
OPACITY = 0.6


@dataclass(frozen=True)
class Panel:
    """One image of an evaluation, as the page shows it.

    Attributes:
        name: of the image, relative to the manifest.
        category: such as `bottle`.
        anomalous: its label.
        defect: the raw folder's word for it.
        score: anomaly score of the image.
        image: data URI of the picture, or "" where it is left out.
        mask: data URI of its mask, or "" where it has none or is left out.
        overlay: data URI of the map, laid over the picture where that is shown.
        width, height: of all three in pixels.
    """

    name: str
    category: str
    anomalous: bool
    defect: str
    score: float
    image: str
    mask: str
    overlay: str
    width: int
    height: int


@dataclass(frozen=True)
class PanelGroup:
    """The panels of one evaluation; `low` and `high` are the anomaly values at the ends of the colour scale."""

    panels: tuple[Panel, ...]
    low: float
    high: float


def panels_of(found: Evaluation, facts: Mapping[str, Any], pictures: bool = True) -> PanelGroup:
    """The panels that an evaluation kept.

    Args:
        found: the evaluation; its folder holds `panels.npz`.
        facts: of the set in the plan; `manifest` leads to the pictures.
        pictures: False shows the maps alone.

    Raises:
        AdaclipError: a file is missing or damaged.
    """
    path = found.folder / "panels.npz"
    try:
        with np.load(path) as stored:
            names, scores, maps = stored["image"].tolist(), stored["score"].tolist(), stored["maps"]
    except (OSError, ValueError, KeyError) as error:
        raise AdaclipError(f"cannot read {path}: {error}: evaluate again") from error
    if not len(names):
        return PanelGroup((), 0.0, 1.0)
    manifest = Path(facts["manifest"])
    rows = read_manifest(manifest).set_index("image")
    low, high = float(maps.min()), float(maps.max())
    made = [
        _panel(manifest.parent, name, rows.loc[name], score, _colours(values, low, high), pictures)
        for name, score, values in zip(names, scores, maps, strict=True)
    ]
    return PanelGroup(tuple(made), low, high)


def _panel(folder: Path, name: str, row: pd.Series[Any], score: float, heat: Image.Image, pictures: bool) -> Panel:
    image = mask = ""
    overlay = heat.resize(_fit(row["width"], row["height"]), Image.Resampling.BICUBIC)
    if pictures:
        picture = open_image(folder / name).convert("RGB").resize(overlay.size, Image.Resampling.LANCZOS)
        image = _webp(picture)
        overlay = Image.blend(picture, overlay, OPACITY)
        if row["mask"]:
            values = np.asarray(open_mask(folder / row["mask"]).convert("L")) > 0
            mask = _png(Image.fromarray(values.astype(np.uint8) * 255).resize(overlay.size, Image.Resampling.BOX))
    shown = (image, mask, _webp(overlay))
    return Panel(name, row["category"], bool(row["label"]), row["defect"], score, *shown, *overlay.size)


def _fit(width: int, height: int) -> tuple[int, int]:
    scale = SIDE / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _colours(values: np.ndarray, low: float, high: float) -> Image.Image:
    """Inferno from the lowest to the highest value of all panels of the evaluation."""
    from matplotlib import colormaps

    share = (values.astype(np.float32) - low) / max(high - low, 1e-9)
    return Image.fromarray((colormaps["inferno"](share)[..., :3] * 255).astype(np.uint8))


def _webp(image: Image.Image) -> str:
    return data_uri("image/webp", _encoded(image, "WEBP", quality=80, method=4))


def _png(image: Image.Image) -> str:
    return data_uri("image/png", _encoded(image.quantize(4), "PNG", optimize=True))


def _encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def data_uri(kind: str, content: bytes) -> str:
    """Bytes as an address that holds them."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
