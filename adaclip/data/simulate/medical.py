"""Drawn scans and lesions: head CT, brain MRI, skin lesion, polyp."""

from __future__ import annotations

import numpy as np

from adaclip.data.simulate.drawing import Field, Scene, blend, blob, clouds, finish, grid, noise, place, soft, tint


def _head(rng: np.random.Generator, size: int) -> tuple[Field, Field]:
    """Distance from the middle of an oval head (1 at its outline), and the angle."""
    y, x = grid(size)
    u, v = y / rng.uniform(0.84, 0.92), x / rng.uniform(0.68, 0.76)
    return np.hypot(u, v), np.arctan2(u, v)


def _grey(level: Field) -> Field:
    return np.repeat(level[..., None], 3, axis=2)


def head_ct(rng: np.random.Generator, size: int, faulty: bool) -> Scene:
    """A slice of a head: bright skull, grey brain, dark ventricles; faulty with a bright bleeding."""
    r, _ = _head(rng, size)
    y, x = grid(size)
    level = np.zeros((size, size)) + 0.02
    level = np.where(r < 1, 0.25, level)
    level = np.where(r < 0.95, 0.92, level)
    brain = 0.4 + 0.025 * clouds(rng, size)
    level = np.where(r < 0.84, brain, level)
    for side in (-1, 1):
        ventricle = np.hypot((x - side * 0.12) * 9, (y + 0.05 - 0.25 * np.abs(x)) * 3.4) < 1
        level = np.where(ventricle, 0.22, level)
    level = np.where((np.abs(x) < 0.008) & (r < 0.84) & (np.abs(y) > 0.3), 0.5, level)
    mask = None
    if faulty:
        spot = blob(rng, size, *place(rng, 0.4), rng.uniform(0.12, 0.22), 0.3, rng.uniform(1, 1.4)) & (r < 0.84)
        level = level * (1 - soft(spot, 2)) + 0.78 * soft(spot, 2)
        mask = spot
    return finish(_grey(level), mask, "hemorrhage" if faulty else "normal", rng)


def brain_mri(rng: np.random.Generator, size: int, faulty: bool) -> Scene:
    """A slice of a brain with folds; faulty with a bright tumour with a darker rim."""
    r, angle = _head(rng, size)
    folds = 0.42 + 0.1 * np.sin(11 * angle + 2.2 * clouds(rng, size)) * (r > 0.4) + 0.05 * clouds(rng, size)
    level = np.where(r < 0.86, folds, 0.12)
    level = np.where((r > 0.93) & (r < 1), 0.55, level)
    level = np.where(r > 1, 0.02, level)
    mask = None
    if faulty:
        y, x = place(rng, 0.42)
        radius = rng.uniform(0.13, 0.22)
        rim = blob(rng, size, y, x, radius * 1.35, 0.2) & (r < 0.86)
        spot = blob(rng, size, y, x, radius, 0.2) & rim
        level = level * (1 - 0.6 * soft(rim, 2)) + 0.2 * 0.6 * soft(rim, 2)
        level = level * (1 - soft(spot, 2)) + (0.86 + 0.05 * noise(rng, size, 0.02)) * soft(spot, 2)
        mask = spot
    return finish(_grey(level), mask, "tumour" if faulty else "normal", rng)


def skin_lesion(rng: np.random.Generator, size: int) -> Scene:
    """A mole on skin, with hairs."""
    level = 0.6 + 0.05 * clouds(rng, size) + 0.02 * noise(rng, size, 0.01)
    colours = tint(level, (0.62, 0.38, 0.3), (0.98, 0.8, 0.7))
    y, x = place(rng, 0.2)
    mask = blob(rng, size, y, x, rng.uniform(0.28, 0.45), 0.25, rng.uniform(1, 1.25))
    mole = tint(0.4 + 0.16 * clouds(rng, size), (0.12, 0.05, 0.04), (0.5, 0.28, 0.18))
    colours = blend(colours, mole, 0.95 * soft(mask, 2.5))
    yy, xx = grid(size)
    for _ in range(int(rng.integers(0, 5))):
        angle, bend, offset = rng.uniform(0, np.pi), rng.uniform(-0.4, 0.4), rng.uniform(-0.8, 0.8)
        u, v = yy * np.cos(angle) + xx * np.sin(angle), -yy * np.sin(angle) + xx * np.cos(angle)
        colours = blend(colours, (0.16, 0.1, 0.08), 0.7 * soft(np.abs(v - offset - bend * u**2) < 0.008, 0.5))
    return finish(colours, mask, "anomalous", rng)


def polyp(rng: np.random.Generator, size: int) -> Scene:
    """A polyp on the wall of the colon, lit from the camera, with highlights and a dark way ahead."""
    y, x = grid(size)
    py, px = place(rng, 0.35)
    folds = np.sin(9 * np.hypot(y + 0.5 * py, x + 0.5 * px) + 1.2 * clouds(rng, size))
    colours = tint(0.5 + 0.16 * folds + 0.05 * clouds(rng, size), (0.78, 0.5, 0.44), (0.97, 0.78, 0.7))
    colours = blend(colours, (0.5, 0.32, 0.28), soft(blob(rng, size, -0.9 * py, -0.9 * px, 0.2, 0.3), 6))
    mask = blob(rng, size, py, px, rng.uniform(0.26, 0.4), 0.15, rng.uniform(1, 1.2))
    distance = np.hypot(y - py, x - px)
    dome = tint(0.95 - 1.1 * distance + 0.06 * clouds(rng, size), (0.42, 0.08, 0.08), (0.8, 0.3, 0.26))
    colours = blend(colours, dome, soft(mask, 2))
    for _ in range(3):
        oy, ox = place(rng, 0.15)
        colours = blend(colours, (1.0, 0.98, 0.95), soft(blob(rng, size, py + oy, px + ox, 0.03), 0.8))
    vignette = (1.2 - 0.25 * np.hypot(y, x) ** 2).clip(0, 1)
    return finish(colours * vignette[..., None], mask, "anomalous", rng)
