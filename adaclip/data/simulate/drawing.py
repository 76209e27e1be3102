"""Brushes: noise, shapes and shading on arrays of floats in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion, gaussian_filter

Pixels = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float64]  # (size, size), or (size, size, 3) for colours


@dataclass(frozen=True)
class Scene:
    """A drawn image (size, size, 3) and where it is anomalous (size, size); `defect` names what was drawn."""

    image: Pixels
    mask: npt.NDArray[np.bool_]
    defect: str

    def mask_image(self) -> Pixels:
        """The mask as 0 and 255."""
        return self.mask.astype(np.uint8) * 255

    def contour_image(self) -> Pixels:
        """The mask's inner border as 0 and 255."""
        return (self.mask & ~binary_erosion(self.mask, iterations=2)).astype(np.uint8) * 255


def finish(colours: Field, mask: npt.NDArray[np.bool_] | None, defect: str, rng: np.random.Generator) -> Scene:
    """Add a sensor's noise and round to bytes."""
    noisy = colours + rng.normal(0, 0.008, colours.shape)
    empty = np.zeros(colours.shape[:2], bool)
    return Scene((noisy.clip(0, 1) * 255).round().astype(np.uint8), empty if mask is None else mask, defect)


def grid(size: int) -> tuple[Field, Field]:
    """y and x of every pixel, from -1 to 1."""
    line = np.linspace(-1, 1, size)
    y, x = np.meshgrid(line, line, indexing="ij")
    return y, x


def noise(rng: np.random.Generator, size: int, scale: float) -> Field:
    """Smooth noise with mean 0 and deviation 1; `scale` is its grain as a share of the side."""
    field = gaussian_filter(rng.standard_normal((size, size)), max(scale * size, 0.5), mode="wrap")
    return np.asarray((field - field.mean()) / field.std())


def clouds(rng: np.random.Generator, size: int) -> Field:
    """Noise of several grains, as in stone or tissue."""
    parts = [noise(rng, size, scale) * weight for scale, weight in ((0.12, 1.0), (0.05, 0.5), (0.02, 0.25))]
    total = np.sum(parts, axis=0)
    return np.asarray(total / total.std())


def tint(level: Field, dark: tuple[float, float, float], light: tuple[float, float, float]) -> Field:
    """Colours between two, by level in [0, 1]."""
    share = level.clip(0, 1)[..., None]
    return np.asarray((1 - share) * np.array(dark) + share * np.array(light))


def blend(colours: Field, over: Field | tuple[float, float, float], where: Field) -> Field:
    """Lay colours over others with an opacity (size, size)."""
    share = where.clip(0, 1)[..., None]
    return np.asarray((1 - share) * colours + share * np.asarray(over))


def soft(mask: npt.NDArray[np.bool_], width: float = 1.2) -> Field:
    """A mask with soft edges, as an opacity."""
    return np.asarray(gaussian_filter(mask.astype(float), width))


def blob(
    rng: np.random.Generator, size: int, y: float, x: float, radius: float, roughness: float = 0.25, stretch: float = 1.0
) -> npt.NDArray[np.bool_]:
    """An irregular spot around (y, x) with a radius as a share of half the side; `stretch` makes it oblong."""
    yy, xx = grid(size)
    angle = rng.uniform(0, np.pi)
    u = (yy - y) * np.cos(angle) + (xx - x) * np.sin(angle)
    v = -(yy - y) * np.sin(angle) + (xx - x) * np.cos(angle)
    direction = np.arctan2(v, u)
    edge = 1 + roughness * sum(
        np.cos(k * direction + rng.uniform(0, 2 * np.pi)) * rng.uniform(0.3, 1) / k for k in range(2, 6)
    )
    return np.asarray(np.hypot(u / stretch, v * stretch) < radius * edge)


def scratch(rng: np.random.Generator, size: int, y: float, x: float, length: float, width: float) -> npt.NDArray[np.bool_]:
    """A slightly bent line through (y, x)."""
    yy, xx = grid(size)
    angle, bend = rng.uniform(0, np.pi), rng.uniform(-0.6, 0.6)
    u = (yy - y) * np.cos(angle) + (xx - x) * np.sin(angle)
    v = -(yy - y) * np.sin(angle) + (xx - x) * np.cos(angle)
    return np.asarray((np.abs(v - bend * u**2) < width) & (np.abs(u) < length))


def place(rng: np.random.Generator, reach: float) -> tuple[float, float]:
    """A random point (y, x) at most `reach` from the middle."""
    radius, angle = reach * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
    return float(radius * np.sin(angle)), float(radius * np.cos(angle))
