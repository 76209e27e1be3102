"""Drawn photographs of lesions: moles on skin, polyps in the colon."""

from __future__ import annotations

import numpy as np

from adaclip.data.simulate.drawing import (
    Colour,
    Scene,
    Shape,
    blend,
    blob,
    clouds,
    finish,
    grid,
    noise,
    place,
    soft,
    tint,
    turned,
)


def skin_lesion(rng: np.random.Generator, shape: Shape) -> Scene:
    """A mole on skin, with hairs."""
    level = 0.6 + 0.05 * clouds(rng, shape) + 0.02 * noise(rng, shape, 0.01)
    colours = tint(level, (0.62, 0.38, 0.3), (0.98, 0.8, 0.7))
    y, x = place(rng, 0.2)
    mask = blob(rng, shape, y, x, rng.uniform(0.28, 0.45), 0.25, rng.uniform(1, 1.25))
    mole = tint(0.4 + 0.16 * clouds(rng, shape), (0.12, 0.05, 0.04), (0.5, 0.28, 0.18))
    colours = blend(colours, mole, 0.95 * soft(mask, 2.5))
    for _ in range(int(rng.integers(0, 5))):
        u, v = turned(shape, 0, 0, rng.uniform(0, np.pi))
        bend, offset = rng.uniform(-0.4, 0.4), rng.uniform(-0.8, 0.8)
        colours = blend(colours, (0.16, 0.1, 0.08), 0.7 * soft(np.abs(v - offset - bend * u**2) < 0.008, 0.5))
    return finish(colours, mask, "anomalous", rng)


def polyp(rng: np.random.Generator, shape: Shape, *, wall: tuple[Colour, Colour], frame: bool = False) -> Scene:
    """A polyp on the wall of the colon, lit from the camera, with highlights and a dark way ahead.

    Args:
        rng: source of the numbers.
        shape: of the canvas.
        wall: dark and light colour of the wall.
        frame: whether the picture has the black corners of an endoscope's.
    """
    y, x = grid(shape)
    py, px = place(rng, 0.35)
    folds = np.sin(9 * np.hypot(y + 0.5 * py, x + 0.5 * px) + 1.2 * clouds(rng, shape))
    colours = tint(0.5 + 0.16 * folds + 0.05 * clouds(rng, shape), *wall)
    colours = blend(colours, (0.5, 0.32, 0.28), soft(blob(rng, shape, -0.9 * py, -0.9 * px, 0.2, 0.3), 6))
    mask = blob(rng, shape, py, px, rng.uniform(0.26, 0.4), 0.15, rng.uniform(1, 1.2))
    distance = np.hypot(y - py, x - px)
    dome = tint(0.95 - 1.1 * distance + 0.06 * clouds(rng, shape), (0.42, 0.08, 0.08), (0.8, 0.3, 0.26))
    colours = blend(colours, dome, soft(mask, 2))
    for _ in range(3):
        oy, ox = place(rng, 0.15)
        colours = blend(colours, (1.0, 0.98, 0.95), soft(blob(rng, shape, py + oy, px + ox, 0.03), 0.8))
    colours = colours * (1.2 - 0.25 * np.hypot(y, x) ** 2).clip(0, 1)[..., None]
    if frame:
        corners = np.abs(y) / np.abs(y).max() + np.abs(x) / np.abs(x).max() > 1.75
        colours = blend(colours, (0.02, 0.02, 0.02), soft(corners, 0.8))
        mask &= ~corners
    return finish(colours, mask, "anomalous", rng)
