"""Small files of originals, drawn for the tests of layouts and preparation."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (12, 9)


def draw_image(path: Path, mode: str = "RGB", size: tuple[int, int] = SIZE, kind: str | None = None) -> Path:
    """An image of noise that its path decides, so that no two are equal; `kind` overrides the format of its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32(os.fsencode(path)))
    pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, format=kind)
    return path


def draw_mask(
    path: Path, value: int = 255, size: tuple[int, int] = SIZE, rows: slice = slice(2, 5), kind: str | None = None
) -> Path:
    """A mask with `value` in some rows and zero elsewhere; a value of 0 makes an empty one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((size[1], size[0]), np.uint8)
    pixels[rows, 1:-1] = value
    Image.fromarray(pixels).save(path, format=kind)
    return path


def damage(path: Path) -> None:
    """Cut a file in half."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
