"""Drawn scans: head CT, brain MRI, thyroid ultrasound."""

from __future__ import annotations

import numpy as np

from adaclip.data.simulate.drawing import Field, Scene, Shape, blob, clouds, finish, greys, grid, noise, place, soft


def _head(rng: np.random.Generator, shape: Shape) -> tuple[Field, Field]:
    """Distance from the middle of an oval head (1 at its outline), and the angle."""
    y, x = grid(shape)
    u, v = y / rng.uniform(0.84, 0.92), x / rng.uniform(0.68, 0.76)
    return np.asarray(np.hypot(u, v)), np.asarray(np.arctan2(u, v))


def head_ct(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """A slice of a head: bright skull, grey brain, dark ventricles; faulty with a bright bleeding."""
    r, _ = _head(rng, shape)
    y, x = grid(shape)
    level = np.where(r < 1, 0.25, 0.02)
    level = np.where(r < 0.95, 0.92, level)
    brain = 0.4 + 0.025 * clouds(rng, shape)
    level = np.where(r < 0.84, brain, level)
    for side in (-1, 1):
        ventricle = np.hypot((x - side * 0.12) * 9, (y + 0.05 - 0.25 * np.abs(x)) * 3.4) < 1
        level = np.where(ventricle, 0.22, level)
    level = np.where((np.abs(x) < 0.008) & (r < 0.84) & (np.abs(y) > 0.3), 0.5, level)
    mask = None
    if faulty:
        mask = blob(rng, shape, *place(rng, 0.4), rng.uniform(0.12, 0.22), 0.3, rng.uniform(1, 1.4)) & (r < 0.84)
        level = level * (1 - soft(mask, 2)) + 0.78 * soft(mask, 2)
    return finish(greys(level), mask, "hemorrhage" if faulty else "normal", rng)


def brain_mri(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """A slice of a brain with folds; faulty with a bright tumour with a darker rim."""
    r, angle = _head(rng, shape)
    # Folds fade towards the white matter; the ventricles in the middle are dark.
    fade = ((r - 0.3) / 0.25).clip(0, 1)
    folds = 0.46 + 0.11 * (np.sin(11 * angle + 2.2 * clouds(rng, shape)) - 0.4) * fade + 0.04 * clouds(rng, shape)
    y, x = grid(shape)
    for side in (-1, 1):
        ventricle = np.hypot((x - side * 0.1) * 11, (y - 0.02 - 0.3 * np.abs(x)) * 3.8) < 1
        folds = folds * (1 - 0.6 * soft(ventricle, 1.5))
    level = np.where(r < 0.86, folds, 0.12)
    level = np.where((r > 0.93) & (r < 1), 0.55, level)
    level = np.where(r > 1, 0.02, level)
    mask = None
    if faulty:
        at = place(rng, 0.42)
        radius = rng.uniform(0.13, 0.22)
        rim = blob(rng, shape, *at, radius * 1.35, 0.2) & (r < 0.86)
        mask = blob(rng, shape, *at, radius, 0.2) & rim
        level = level * (1 - 0.6 * soft(rim, 2)) + 0.2 * 0.6 * soft(rim, 2)
        level = level * (1 - soft(mask, 2)) + (0.86 + 0.05 * noise(rng, shape, 0.02)) * soft(mask, 2)
    return finish(greys(level), mask, "tumour" if faulty else "normal", rng)


def thyroid(rng: np.random.Generator, shape: Shape) -> Scene:
    """An ultrasound of the neck: bright layers under the skin, speckled gland, a dark nodule with a pale rim."""
    y, x = grid(shape)
    depth = (y - y.min()) / (y.max() - y.min())
    bend = 0.05 * noise(rng, shape, (0.3, 0.15)) + 0.06 * x**2
    level = 0.5 + 0.05 * noise(rng, shape, 0.1) - 0.12 * depth
    for middle, width, light in ((0.05, 0.03, 0.4), (0.16, 0.015, 0.25), (0.24, 0.02, 0.3), (0.86, 0.03, 0.25)):
        level += light * np.exp(-(((depth + bend - middle) / width) ** 2))
    level -= 0.14 * np.exp(-(((depth + bend - 0.2) / 0.03) ** 2))
    py, px = rng.uniform(-0.1, 0.3), rng.uniform(-0.4, 0.4)
    radius = rng.uniform(0.2, 0.32)
    # The rim is the same shape, a little larger: both are drawn from the same numbers.
    outline = int(rng.integers(1 << 32))
    mask = blob(np.random.default_rng(outline), shape, py, px, radius, 0.2, 1.2)
    rim = blob(np.random.default_rng(outline), shape, py, px, radius * 1.13, 0.2, 1.2)
    level += 0.16 * soft(rim & ~mask, 1.2)
    # Sound goes through a nodule that is filled with fluid more easily: what lies behind it is brighter.
    behind = (np.abs(x - px) < 0.8 * radius) & (y > py + 0.8 * radius)
    level += 0.08 * soft(behind, 5)
    level = level * (1 - soft(mask, 1.5)) + (0.14 + 0.025 * noise(rng, shape, 0.03)) * soft(mask, 1.5)
    # Speckle is multiplicative: the envelope of many echoes, Rayleigh distributed, smeared along the beam.
    speckle = np.hypot(noise(rng, shape, (0.005, 0.009)), noise(rng, shape, (0.005, 0.009))) / np.sqrt(np.pi / 2)
    level = level.clip(0.03) * (0.45 + 0.55 * speckle)
    return finish(greys(level), mask, "anomalous", rng)
