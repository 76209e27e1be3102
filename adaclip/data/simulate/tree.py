"""What a simulated original is asked to be, and the folder that it is drawn into."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from adaclip.data.simulate.drawing import Pixels

#: Pillow's format by suffix, in small letters; not by what it guesses, since some originals have wrong suffixes.
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF"}


@dataclass(frozen=True)
class Order:
    """One original to draw.

    Attributes:
        dataset: id of the set.
        seed: equal seeds give equal files.
        images: test images of a category.
        size: shorter side of an ordinary image in pixels.
    """

    dataset: str
    seed: int
    images: int
    size: int

    def rng(self, part: str = "") -> np.random.Generator:
        """Numbers of this set, or of one part of it: adding a set or a category changes no other."""
        return np.random.default_rng([self.seed, zlib.crc32(f"{self.dataset}/{part}".encode())])

    @property
    def square(self) -> tuple[int, int]:
        """Height and width of an ordinary image."""
        return self.size, self.size

    @property
    def normal(self) -> int:
        """Normal test images of a category that has both kinds."""
        return self.images // 2

    @property
    def anomalous(self) -> int:
        """Anomalous test images of a category that has both kinds."""
        return self.images - self.normal


def encode(picture: Pixels | Image.Image, file_format: str) -> bytes:
    """An image file's bytes.

    Args:
        picture: (height, width) or (height, width, channels), or an image of Pillow's.
        file_format: Pillow's name, such as PNG.
    """
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(picture)
    options: dict[str, Any] = {"quality": 92} if file_format == "JPEG" else {}
    stream = io.BytesIO()
    picture.save(stream, file_format, **options)
    return stream.getvalue()


class Tree:
    """A folder to draw into."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, content: bytes | str) -> None:
        """Write a file; `name` is its path below the folder, with `/`."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def picture(self, name: str, picture: Pixels | Image.Image) -> None:
        """Write an image in the format that its suffix names."""
        self.write(name, encode(picture, FORMATS[Path(name).suffix.lower()]))
