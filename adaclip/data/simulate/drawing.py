"""Brushes: noise, shapes and shading on arrays of floats in [0, 1].

Lengths are in units of half the shorter side of the canvas, so that a drawing looks the same at every size.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.ndimage import binary_erosion, gaussian_filter

Shape = tuple[int, int]  # height, width in pixels
Pixels = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float64]  # (height, width), or (height, width, 3) for colours
Mask = npt.NDArray[np.bool_]  # (height, width)
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Scene:
    """A drawing.

    Attributes:
        image: (height, width, 3).
        labels: (height, width), 0 where nothing is wrong, 1 and up by the number of the fault.
        defect: what was drawn, such as `hole`; `good` or `normal` where nothing is wrong.
    """

    image: Pixels
    labels: Pixels
    defect: str

    @property
    def grey(self) -> Pixels:
        """The image with one channel (height, width)."""
        return np.asarray((self.image @ np.array([0.299, 0.587, 0.114])).round(), np.uint8)

    @property
    def mask(self) -> Mask:
        """Where it is anomalous."""
        return np.asarray(self.labels > 0)

    def mask_image(self) -> Pixels:
        """The mask as 0 and 255."""
        return self.mask.astype(np.uint8) * 255

    def contour_image(self) -> Pixels:
        """The mask's inner border as 0 and 255."""
        return (self.mask & ~binary_erosion(self.mask, iterations=2)).astype(np.uint8) * 255


def finish(colours: Field, mask: npt.NDArray[np.generic] | None, defect: str, rng: np.random.Generator) -> Scene:
    """Add a sensor's noise and round to bytes.

    Args:
        colours: (height, width, 3).
        mask: (height, width), true or a fault's number where the drawing is anomalous; None for nowhere.
        defect: what was drawn.
        rng: of the noise.
    """
    noisy = colours + rng.normal(0, 0.008, colours.shape)
    labels = np.zeros(colours.shape[:2], np.uint8) if mask is None else mask.astype(np.uint8)
    return Scene((noisy.clip(0, 1) * 255).round().astype(np.uint8), labels, defect)


def grid(shape: Shape) -> tuple[Field, Field]:
    """Coordinates y and x of every pixel: 0 in the middle, -1 and 1 at the ends of the shorter side."""
    height, width = shape
    unit = (min(shape) - 1) / 2
    y = (np.arange(height) - (height - 1) / 2) / unit
    x = (np.arange(width) - (width - 1) / 2) / unit
    return tuple(np.meshgrid(y, x, indexing="ij"))


def noise(rng: np.random.Generator, shape: Shape, scale: float | tuple[float, float]) -> Field:
    """Smooth noise with mean 0 and deviation 1 that goes on over the edges.

    Filtered as a spectrum: a wide kernel costs no more than a narrow one.

    Args:
        rng: source of the numbers.
        shape: of the canvas.
        scale: grain as a share of the shorter side, one for both directions or (down, across).
    """
    down, across = scale if isinstance(scale, tuple) else (scale, scale)
    spectrum = fft.rfft2(rng.standard_normal(shape)) * _low_pass(shape, down, across)
    field = fft.irfft2(spectrum, shape)
    return np.asarray((field - field.mean()) / field.std())


@functools.lru_cache(maxsize=64)
def _low_pass(shape: Shape, down: float, across: float) -> Field:
    """A Gaussian's spectrum (height, width // 2 + 1)."""
    side = min(shape)
    v = fft.fftfreq(shape[0])[:, None] * max(down * side, 0.5)
    u = fft.rfftfreq(shape[1])[None, :] * max(across * side, 0.5)
    return np.asarray(np.exp(-2 * np.pi**2 * (u**2 + v**2)))


def clouds(rng: np.random.Generator, shape: Shape) -> Field:
    """Noise of several grains, as in stone or tissue."""
    parts = [noise(rng, shape, scale) * weight for scale, weight in ((0.12, 1.0), (0.05, 0.5), (0.02, 0.25))]
    total = np.sum(parts, axis=0)
    return np.asarray(total / total.std())


def plain(shape: Shape, colour: Colour) -> Field:
    """A canvas of one colour (height, width, 3)."""
    return np.full((*shape, 3), colour)


def tint(level: Field, dark: Colour, light: Colour) -> Field:
    """Colours between two, by level in [0, 1]."""
    share = level.clip(0, 1)[..., None]
    return np.asarray((1 - share) * np.array(dark) + share * np.array(light))


def greys(level: Field) -> Field:
    """Three equal channels (height, width, 3)."""
    return np.repeat(level[..., None], 3, axis=2)


def blend(colours: Field, over: Field | Colour, where: Field) -> Field:
    """Lay colours over others with an opacity (height, width)."""
    share = where.clip(0, 1)[..., None]
    return np.asarray((1 - share) * colours + share * np.asarray(over))


def soft(mask: Mask, width: float = 1.2) -> Field:
    """A mask with soft edges, as an opacity; `width` in pixels."""
    return np.asarray(gaussian_filter(mask.astype(float), width))


def turned(shape: Shape, y: float, x: float, angle: float) -> tuple[Field, Field]:
    """Coordinates along and across a direction, from the point (y, x)."""
    yy, xx = grid(shape)
    along = (yy - y) * np.cos(angle) + (xx - x) * np.sin(angle)
    across = -(yy - y) * np.sin(angle) + (xx - x) * np.cos(angle)
    return np.asarray(along), np.asarray(across)


def blob(
    rng: np.random.Generator,
    shape: Shape,
    y: float,
    x: float,
    radius: float,
    roughness: float = 0.25,
    stretch: float = 1.0,
) -> Mask:
    """An irregular spot around (y, x); `stretch` makes it oblong."""
    u, v = turned(shape, y, x, rng.uniform(0, np.pi))
    direction = np.arctan2(v, u)
    edge = 1 + roughness * sum(
        np.cos(k * direction + rng.uniform(0, 2 * np.pi)) * rng.uniform(0.3, 1) / k for k in range(2, 6)
    )
    return np.asarray(np.hypot(u / stretch, v * stretch) < radius * edge)


def scratch(rng: np.random.Generator, shape: Shape, y: float, x: float, length: float, width: float) -> Mask:
    """A slightly bent line through (y, x)."""
    u, v = turned(shape, y, x, rng.uniform(0, np.pi))
    return np.asarray((np.abs(v - rng.uniform(-0.6, 0.6) * u**2) < width) & (np.abs(u) < length))


def place(rng: np.random.Generator, reach: float) -> tuple[float, float]:
    """A random point (y, x) at most `reach` from the middle."""
    radius, angle = reach * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
    return float(radius * np.sin(angle)), float(radius * np.cos(angle))


def place_on(rng: np.random.Generator, where: Mask) -> tuple[float, float]:
    """A random point (y, x) of a region, off its border where it is wide enough."""
    inner = binary_erosion(where, iterations=max(1, min(where.shape) // 14))
    rows, columns = np.nonzero(inner if inner.any() else where)
    index = rng.integers(len(rows))
    y, x = grid((where.shape[0], where.shape[1]))
    return float(y[rows[index], columns[index]]), float(x[rows[index], columns[index]])
