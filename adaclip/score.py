"""Scoring a folder of images that nobody has labelled."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from adaclip.checkpoint import load_model
from adaclip.data.decode import SUFFIXES, size_of
from adaclip.data.rows import Row
from adaclip.errors import AdaclipError
from adaclip.evaluate import predictions
from adaclip.files import check_writable, write_whole
from adaclip.settings import BackboneSettings, EvaluateSettings


def score_folder(
    checkpoint: Path,
    backbone: BackboneSettings | None,
    images: Path,
    category: str,
    settings: EvaluateSettings,
    out: Path,
    *,
    device: torch.device,
    workers: int = 0,
) -> None:
    """Write `scores.csv` (image, anomaly_score, map_max) and one heat map `maps/<image>.png` for each image.

    A heat map has the image's size and 8 bits: 0 is P(abnormal) = 0, 255 is 1.

    Args:
        checkpoint: of `adaclip train`, or a released one (`.pth`, `.pt` ...).
        backbone: for a released checkpoint, which does not name its own.
        images: a folder, searched with its subfolders.
        category: what the images show, in words.
        settings: batch size, precision and smoothing.
        out: the folder to write.
        device: where to compute.
        workers: processes that decode.

    Raises:
        AdaclipError: no images, or one that cannot be read.
        UsageError: a released checkpoint without backbone settings, or ours with others than its own.
    """
    check_writable(out / "scores.csv")
    if not images.is_dir():
        raise AdaclipError(f"no such folder: {images}")
    paths = sorted(path for path in images.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise AdaclipError(f"no images ({', '.join(sorted(SUFFIXES))}) in {images}")
    model, _ = load_model(checkpoint, device, backbone)
    rows = [
        Row("", category, category, path, path.relative_to(images).as_posix(), None, 0, "", False) for path in paths
    ]
    with write_whole(out / "scores.csv") as part, part.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("image", "anomaly_score", "map_max"))
        for batch, maps, scores in predictions(model, rows, None, settings, workers=workers, title="scoring"):
            for position, index in enumerate(batch.index.tolist()):
                row = rows[index]
                writer.writerow((row.relative, float(scores[position]), float(maps[position].max())))
                _write_map(out / "maps" / f"{row.relative}.png", maps[position].cpu().numpy(), row.image)


def _write_map(path: Path, values: np.ndarray, image: Path) -> None:
    heat = Image.fromarray((values.clip(0, 1) * 255).round().astype(np.uint8))
    with write_whole(path) as part:
        heat.resize(size_of(image), Image.Resampling.BILINEAR).save(part, format="PNG")
