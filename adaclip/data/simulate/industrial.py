"""Drawn objects and textures with faults."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from adaclip.data.simulate.drawing import (
    Field,
    Scene,
    blend,
    blob,
    clouds,
    finish,
    grid,
    noise,
    place,
    scratch,
    soft,
    tint,
)


def _spoil(rng: np.random.Generator, colours: Field, reach: float, kinds: tuple[str, ...]) -> Scene:
    """Draw one of several kinds of fault at most `reach` from the middle.

    Like many real faults they are darker or redder than what surrounds them: a randomly initialised backbone sees little
    but colour, and could not carry anything else from one set to another.
    """
    size = colours.shape[0]
    kind = str(rng.choice(kinds))
    y, x = place(rng, reach)
    if kind == "scratch":
        mask = scratch(rng, size, y, x, rng.uniform(0.25, 0.45), rng.uniform(0.025, 0.04))
        spoiled = blend(colours, (0.16, 0.07, 0.06), soft(mask, 0.8))
    elif kind == "hole":
        mask = blob(rng, size, y, x, rng.uniform(0.12, 0.2))
        spoiled = blend(colours, (0.04, 0.02, 0.02), soft(mask))
    elif kind == "colour":
        mask = blob(rng, size, y, x, rng.uniform(0.14, 0.24))
        paint = ((0.72, 0.08, 0.1), (0.55, 0.05, 0.2), (0.8, 0.2, 0.06))[rng.integers(3)]
        spoiled = blend(colours, paint, 0.9 * soft(mask, 1.5))
    else:  # rust
        mask = blob(rng, size, y, x, rng.uniform(0.16, 0.26), roughness=0.4)
        rust = tint(0.5 + 0.3 * noise(rng, size, 0.012), (0.2, 0.06, 0.02), (0.68, 0.28, 0.1))
        spoiled = blend(colours, rust, 0.92 * soft(mask, 1.5))
    return finish(spoiled, mask, kind, rng)


def _scene(rng: np.random.Generator, colours: Field, faulty: bool, reach: float, *kinds: str) -> Scene:
    return _spoil(rng, colours, reach, kinds) if faulty else finish(colours, None, "good", rng)


def bottle(rng: np.random.Generator, size: int, faulty: bool) -> Scene:
    """A green bottle from above on a white table: rings of glass around the mouth."""
    y, x = grid(size)
    dy, dx = place(rng, 0.04)
    r = np.hypot(y - dy, x - dx)
    angle = np.arctan2(y - dy, x - dx)
    colours = np.full((size, size, 3), 0.93) - 0.03 * noise(rng, size, 0.2)[..., None]
    glass = 0.35 + 0.15 * np.cos(14 * r) + 0.12 * np.cos(2 * angle + rng.uniform(0, 6))
    colours = blend(colours, tint(glass, (0.14, 0.36, 0.22), (0.55, 0.82, 0.58)), soft(r < 0.8))
    colours = blend(colours, tint(0.5 + 0.3 * np.cos(angle * 3), (0.2, 0.42, 0.28), (0.42, 0.68, 0.48)), soft(r < 0.5))
    colours = blend(colours, (0.3, 0.5, 0.4), soft(r < 0.4))
    return _scene(rng, colours, faulty, 0.55, "scratch", "rust", "colour")


def hazelnut(rng: np.random.Generator, size: int, faulty: bool) -> Scene:
    """A nut on a pale cloth, lit from one side."""
    y, x = grid(size)
    dy, dx = place(rng, 0.06)
    u, v = (y - dy) / rng.uniform(0.66, 0.76), (x - dx) / rng.uniform(0.6, 0.72)
    r = np.hypot(u, v)
    shade = np.sqrt((1 - r**2).clip(0)) * 0.75 + 0.2 * (-u - v) * (r < 1) + 0.06 * np.sin(18 * np.arctan2(v, u + 1.2))
    shell = tint(shade + 0.04 * noise(rng, size, 0.015), (0.5, 0.36, 0.2), (0.88, 0.72, 0.5))
    colours = np.full((size, size, 3), 0.82) + 0.02 * noise(rng, size, 0.01)[..., None]
    colours = blend(colours, shell, soft(r < 1))
    return _scene(rng, colours, faulty, 0.45, "hole", "colour", "scratch")


def carpet(rng: np.random.Generator, size: int, faulty: bool) -> Scene:
    """A grey carpet of fine loops."""
    y, x = grid(size)
    period = rng.uniform(44, 50)
    loops = np.sin(period * x + 0.6 * noise(rng, size, 0.02)) * np.sin(period * y + 0.6 * noise(rng, size, 0.02))
    level = 0.45 + 0.16 * loops + 0.05 * noise(rng, size, 0.01) + 0.03 * noise(rng, size, 0.2)
    return _scene(rng, tint(level, (0.26, 0.27, 0.3), (0.74, 0.75, 0.78)), faulty, 0.7, "hole", "colour", "rust")


def blotchy(rng: np.random.Generator, size: int, faulty: bool) -> Scene:
    """Green and ochre blotches."""
    level = 1 / (1 + np.exp(-2.5 * noise(rng, size, 0.05)))
    colours = tint(level, (0.28, 0.42, 0.22), (0.66, 0.6, 0.34)) + 0.02 * noise(rng, size, 0.008)[..., None]
    return _scene(rng, colours, faulty, 0.7, "hole", "colour", "rust")


def marbled(rng: np.random.Generator, size: int, faulty: bool) -> Scene:
    """Pale stone with grey veins."""
    y, x = grid(size)
    veins = np.abs(np.sin(4 * x + 3 * y + 1.3 * clouds(rng, size)))
    level = 0.55 + 0.35 * veins**0.5 + 0.04 * noise(rng, size, 0.05)
    return _scene(rng, tint(level, (0.3, 0.32, 0.36), (0.8, 0.78, 0.74)), faulty, 0.7, "hole", "colour", "scratch")


def woven(rng: np.random.Generator, size: int, faulty: bool) -> Scene:
    """Blue cloth: threads over and under."""
    y, x = grid(size)
    count = 13
    phase = rng.uniform(0, 2, 2)
    u, v = count * x + phase[0], count * y + phase[1]
    over = (np.floor(u) + np.floor(v)) % 2 == 0
    thread = np.where(over, np.sin(np.pi * (u % 1)), np.sin(np.pi * (v % 1)))
    level = 0.15 + 0.7 * thread + np.where(over, 0.08, -0.08) + 0.04 * noise(rng, size, 0.01)
    return _scene(rng, tint(level, (0.14, 0.22, 0.42), (0.5, 0.64, 0.86)), faulty, 0.7, "hole", "colour", "scratch")


def metal_plate(rng: np.random.Generator, size: int, faulty: bool) -> Scene:
    """Brushed steel with a bolt in each corner."""
    y, x = grid(size)
    brushed = gaussian_filter(rng.standard_normal((size, size)), (0.6, 0.12 * size), mode="wrap")
    level = 0.6 + 0.1 * brushed / brushed.std() + 0.12 * np.cos(2.2 * x + rng.uniform(0, 6))
    colours = tint(level, (0.42, 0.45, 0.48), (0.86, 0.88, 0.9))
    for top in (-1, 1):
        for side in (-1, 1):
            r = np.hypot(y - 0.8 * top, x - 0.8 * side) / 0.1
            bolt = tint(0.8 - 0.5 * r + 0.3 * (np.abs(y - 0.8 * top) < 0.02), (0.35, 0.37, 0.4), (0.92, 0.93, 0.95))
            colours = blend(colours, bolt, soft(r < 1))
    return _scene(rng, colours, faulty, 0.6, "rust", "scratch", "hole")


def tubes(rng: np.random.Generator, size: int, faulty: bool) -> Scene:
    """A row of teal plastic tubes on a conveyor."""
    y, x = grid(size)
    colours = np.full((size, size, 3), (0.6, 0.62, 0.58)) + 0.02 * noise(rng, size, 0.01)[..., None]
    shift = rng.uniform(-0.06, 0.06)
    for middle in (-0.66, -0.22, 0.22, 0.66):
        u = (x - middle - shift) / 0.17
        shade = 0.25 + 0.75 * np.sqrt((1 - u**2).clip(0)) * (1 - 0.25 * u)
        tube = tint(shade + 0.03 * np.sin(40 * y), (0.1, 0.36, 0.42), (0.55, 0.9, 0.9))
        colours = blend(colours, tube, soft((np.abs(u) < 1) & (np.abs(y) < 0.9)))
    return _scene(rng, colours, faulty, 0.6, "colour", "scratch", "hole")
