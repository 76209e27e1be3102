"""Drawn surfaces: cloth, stone, wood, wire, and the grey statistical textures of DAGM."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from adaclip.data.simulate.drawing import (
    Field,
    Scene,
    Shape,
    blend,
    blob,
    clouds,
    finish,
    greys,
    grid,
    noise,
    place,
    scratch,
    soft,
    tint,
)
from adaclip.data.simulate.faults import maybe


def carpet(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """A grey carpet of fine loops."""
    y, x = grid(shape)
    period = rng.uniform(44, 50)
    loops = np.sin(period * x + 0.6 * noise(rng, shape, 0.02)) * np.sin(period * y + 0.6 * noise(rng, shape, 0.02))
    level = 0.45 + 0.16 * loops + 0.05 * noise(rng, shape, 0.01) + 0.03 * noise(rng, shape, 0.2)
    return maybe(rng, tint(level, (0.26, 0.27, 0.3), (0.74, 0.75, 0.78)), faulty, "hole", "colour", "rust", reach=0.7)


def wire_grid(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """A lattice of pale wire before a dark ground, in grey; faulty with a dark smear or a cut."""
    y, x = grid(shape)
    shift = rng.uniform(0, 1, 2)
    u, v = 4.5 * (x + y) + shift[0], 4.5 * (x - y) + shift[1]
    wire = np.maximum(np.cos(2 * np.pi * u), np.cos(2 * np.pi * v))
    level = 0.46 + 0.34 / (1 + np.exp(-9 * (wire - 0.45))) + 0.02 * noise(rng, shape, 0.01)
    scene = maybe(rng, greys(level), faulty, "hole", "scratch", reach=0.7)
    return Scene(greys(scene.grey.astype(float)).astype(np.uint8), scene.labels, scene.defect)


def blotchy(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """Green and ochre blotches."""
    level = 1 / (1 + np.exp(-2.5 * noise(rng, shape, 0.05)))
    colours = tint(level, (0.28, 0.42, 0.22), (0.66, 0.6, 0.34)) + 0.02 * noise(rng, shape, 0.008)[..., None]
    return maybe(rng, colours, faulty, "hole", "colour", "rust", reach=0.7)


def marbled(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """Pale stone with grey veins."""
    y, x = grid(shape)
    veins = np.abs(np.sin(4 * x + 3 * y + 1.3 * clouds(rng, shape)))
    level = 0.55 + 0.35 * veins**0.5 + 0.04 * noise(rng, shape, 0.05)
    return maybe(rng, tint(level, (0.3, 0.32, 0.36), (0.8, 0.78, 0.74)), faulty, "hole", "colour", "scratch", reach=0.7)


def woven(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """Blue cloth: threads over and under."""
    y, x = grid(shape)
    count = 13
    phase = rng.uniform(0, 2, 2)
    u, v = count * x + phase[0], count * y + phase[1]
    over = (np.floor(u) + np.floor(v)) % 2 == 0
    thread = np.where(over, np.sin(np.pi * (u % 1)), np.sin(np.pi * (v % 1)))
    level = 0.15 + 0.7 * thread + np.where(over, 0.08, -0.08) + 0.04 * noise(rng, shape, 0.01)
    return maybe(
        rng, tint(level, (0.14, 0.22, 0.42), (0.5, 0.64, 0.86)), faulty, "hole", "colour", "scratch", reach=0.7
    )


def veneer(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """Light wood with upright grain."""
    _, x = grid(shape)
    bent = x + 0.06 * noise(rng, shape, (0.4, 0.1))
    rings = 0.5 + 0.28 * np.sin(24 * bent + 2 * np.sin(5 * bent + rng.uniform(0, 6)))
    level = rings + 0.12 * noise(rng, shape, (0.12, 0.004)) + 0.05 * noise(rng, shape, 0.2)
    return maybe(rng, tint(level, (0.62, 0.44, 0.26), (0.9, 0.74, 0.52)), faulty, "hole", "scratch", "burn", reach=0.65)


def grain(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """DAGM: fine grey grain; faulty with a dark blot."""
    level = 0.55 + 0.1 * noise(rng, shape, 0.008) + 0.06 * noise(rng, shape, 0.04)
    return _statistical(rng, level, faulty, "blot")


def ridges(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """DAGM: long grey ridges across; faulty with a dark scratch."""
    level = 0.58 + 0.12 * noise(rng, shape, (0.008, 0.08)) + 0.05 * noise(rng, shape, 0.2)
    return _statistical(rng, level, faulty, "scratch")


def pebbles(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """DAGM: rounded grey cells with dark joints; faulty with a patch where they are worn away."""
    field = noise(rng, shape, 0.022)
    level = 0.32 + 0.34 * np.sqrt(np.abs(field).clip(0, 1.6)) + 0.03 * noise(rng, shape, 0.008)
    return _statistical(rng, level, faulty, "worn")


def lattice(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """DAGM: a regular pattern under noise; faulty with a scratch."""
    y, x = grid(shape)
    phase = rng.uniform(0, 6, 2)
    level = 0.55 + 0.1 * np.sin(38 * x + phase[0]) * np.sin(38 * y + phase[1]) + 0.07 * noise(rng, shape, 0.012)
    return _statistical(rng, level, faulty, "scratch")


def _statistical(rng: np.random.Generator, level: Field, faulty: bool, kind: str) -> Scene:
    """A grey texture; its faults are small and differ in lightness or grain."""
    shape: Shape = (level.shape[0], level.shape[1])
    if not faulty:
        return finish(greys(level), None, "good", rng)
    y, x = place(rng, 0.65)
    if kind == "blot":
        mask = blob(rng, shape, y, x, rng.uniform(0.12, 0.2), 0.2, rng.uniform(1.1, 1.6))
        spoiled = level - 0.42 * soft(mask, 2)
    elif kind == "scratch":
        mask = scratch(rng, shape, y, x, rng.uniform(0.25, 0.45), rng.uniform(0.03, 0.045))
        spoiled = level - 0.42 * soft(mask, 1)
    else:  # worn
        mask = blob(rng, shape, y, x, rng.uniform(0.16, 0.24), 0.3)
        smooth = gaussian_filter(level, 0.03 * min(shape), mode="wrap") - 0.3
        spoiled = blend(greys(level), greys(smooth), soft(mask, 1.5))[..., 0]
    return finish(greys(spoiled), mask, "defect", rng)
