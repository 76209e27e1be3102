"""Images of an evaluation whose maps were kept: the image, its mask, and its anomaly map laid over it."""

from __future__ import annotations

import base64
import io
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from adaclip.data.decode import open_image, open_mask
from adaclip.data.manifest import read_manifest
from adaclip.errors import AdaclipError
from adaclip.report.results import Evaluation
from adaclip.system.files import read_checked

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
        role: why it was kept: `best`, `worst` or `sample`.
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
    role: str
    score: float
    image: str
    mask: str
    overlay: str
    width: int
    height: int


@dataclass(frozen=True)
class Kept:
    """One image of `panels.npz`: its path in the manifest, role (best, worst, sample), score, and map (side, side)."""

    name: str
    role: str
    score: float
    values: np.ndarray


@dataclass(frozen=True)
class KeptMaps:
    """The images of an evaluation whose maps were kept, and the anomaly values at the ends of the colour scale."""

    images: tuple[Kept, ...]
    low: float
    high: float


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
    kept = read_kept(found.folder)
    if not kept.images:
        return PanelGroup((), kept.low, kept.high)
    manifest = Path(facts["manifest"])
    rows = read_manifest(manifest).set_index("image")
    made = [
        _panel(manifest.parent, one, rows.loc[one.name], coloured(one.values, kept.low, kept.high), pictures)
        for one in kept.images
    ]
    return PanelGroup(tuple(made), kept.low, kept.high)


def read_kept(folder: Path) -> KeptMaps:
    """The images of an evaluation whose maps were kept.

    Args:
        folder: of the evaluation, with `panels.npz`. One without a range of values is of a method with maps in [0, 1].

    Raises:
        AdaclipError: missing, damaged, or written by another version.
    """
    path = folder / "panels.npz"
    try:
        with np.load(io.BytesIO(read_checked(path))) as stored:
            low, high = (float(value) for value in stored.get("range", (0, 1)))
            if not -math.inf < low <= high < math.inf:
                raise ValueError(f"its maps run from {low} to {high}")
            columns = (stored[key].tolist() for key in ("image", "role", "score"))
            images = tuple(Kept(*values) for values in zip(*columns, stored["maps"], strict=True))
            return KeptMaps(images, low, high)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise AdaclipError(f"cannot read {path}: {error}: evaluate again") from error


def _panel(folder: Path, kept: Kept, row: Any, heat: Image.Image, pictures: bool) -> Panel:
    image = mask = ""
    overlay = heat.resize(fit(row["width"], row["height"]), Image.Resampling.BICUBIC)
    if pictures:
        picture = picture_of(folder / kept.name, overlay.size, row["sha256"])
        image = _webp(picture)
        overlay = Image.blend(picture, overlay, OPACITY)
        if row["mask"]:
            mask = _png(mask_of(folder / row["mask"], overlay.size, row["mask_sha256"]))
    return Panel(
        name=kept.name,
        category=row["category"],
        anomalous=bool(row["label"]),
        defect=row["defect"],
        role=kept.role,
        score=kept.score,
        image=image,
        mask=mask,
        overlay=_webp(overlay),
        width=overlay.width,
        height=overlay.height,
    )


def picture_of(path: Path, size: tuple[int, int], sha256: str) -> Image.Image:
    """An image in RGB at another size, when its file has this SHA-256."""
    return open_image(path, sha256).convert("RGB").resize(size, Image.Resampling.LANCZOS)


def mask_of(path: Path, size: tuple[int, int], sha256: str) -> Image.Image:
    """A mask, 0 or 255, at another size, with grey edges, when its file has this SHA-256."""
    values = np.asarray(open_mask(path, sha256).convert("L")) > 0
    return Image.fromarray(values.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)


def fit(width: int, height: int, side: int = SIDE) -> tuple[int, int]:
    """A picture's size when its longer side has so many pixels."""
    scale = side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def coloured(values: np.ndarray, low: float, high: float) -> Image.Image:
    """Inferno from `low` to `high`; a map without any range is dark."""
    from matplotlib import colormaps

    share = (values.astype(np.float64) - low) / (high - low) if high > low else np.zeros(values.shape)
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
