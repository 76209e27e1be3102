"""Drawn things one could pick up: a bottle from above, nuts, candles."""

from __future__ import annotations

import numpy as np

from adaclip.data.simulate.drawing import Scene, Shape, blend, grid, noise, place, plain, soft, tint
from adaclip.data.simulate.faults import maybe


def bottle(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """A green bottle from above on a white table: rings of glass around the mouth."""
    y, x = grid(shape)
    dy, dx = place(rng, 0.04)
    r = np.hypot(y - dy, x - dx)
    angle = np.arctan2(y - dy, x - dx)
    colours = plain(shape, (0.93, 0.93, 0.93)) - 0.03 * noise(rng, shape, 0.2)[..., None]
    glass = 0.35 + 0.15 * np.cos(14 * r) + 0.12 * np.cos(2 * angle + rng.uniform(0, 6))
    colours = blend(colours, tint(glass, (0.14, 0.36, 0.22), (0.55, 0.82, 0.58)), soft(r < 0.8))
    colours = blend(colours, tint(0.5 + 0.3 * np.cos(angle * 3), (0.2, 0.42, 0.28), (0.42, 0.68, 0.48)), soft(r < 0.5))
    colours = blend(colours, (0.3, 0.5, 0.4), soft(r < 0.4))
    return maybe(rng, colours, faulty, "scratch", "rust", "colour", reach=0.55)


def hazelnut(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """A nut on a pale cloth, lit from one side."""
    y, x = grid(shape)
    dy, dx = place(rng, 0.06)
    u, v = (y - dy) / rng.uniform(0.66, 0.76), (x - dx) / rng.uniform(0.6, 0.72)
    r = np.hypot(u, v)
    shade = np.sqrt((1 - r**2).clip(0)) * 0.75 + 0.2 * (-u - v) * (r < 1) + 0.06 * np.sin(18 * np.arctan2(v, u + 1.2))
    shell = tint(shade + 0.04 * noise(rng, shape, 0.015), (0.5, 0.36, 0.2), (0.88, 0.72, 0.5))
    colours = plain(shape, (0.82, 0.82, 0.82)) + 0.02 * noise(rng, shape, 0.01)[..., None]
    colours = blend(colours, shell, soft(r < 1))
    return maybe(rng, colours, faulty, "hole", "colour", "scratch", on=r < 0.98)


def candles(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """Four tea lights from above on a blue-green cloth."""
    y, x = grid(shape)
    colours = tint(0.5 + 0.12 * noise(rng, shape, 0.012), (0.2, 0.36, 0.38), (0.36, 0.54, 0.54))
    wax = np.zeros(shape, bool)
    for top in (-0.46, 0.46):
        for side in (-0.46, 0.46):
            dy, dx = place(rng, 0.04)
            v, u = y - top - dy, x - side - dx
            r = np.hypot(v, u)
            colours = blend(colours, (0.1, 0.2, 0.21), 0.6 * soft(np.hypot(v - 0.05, u - 0.05) < 0.4, 3))
            cup = tint(0.6 + 0.35 * np.cos(np.arctan2(v, u) * 2 + 0.8), (0.5, 0.5, 0.52), (0.95, 0.95, 0.96))
            colours = blend(colours, cup, soft(r < 0.4))
            top_side = tint(0.8 - 0.35 * r - 0.12 * (u + v), (0.66, 0.58, 0.42), (0.98, 0.93, 0.8))
            colours = blend(colours, top_side, soft(r < 0.35))
            colours = blend(colours, (0.93, 0.92, 0.86), soft(np.hypot(v, u) < 0.055))
            colours = blend(colours, (0.45, 0.42, 0.38), soft(np.hypot(v, u) < 0.025))
            wax |= r < 0.34
    return maybe(rng, colours, faulty, "colour", "hole", "burn", on=wax, most=2)


def cashew(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """A cashew kernel on green cloth: a thick bent shape, pale and shaded."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = grid(shape)
    dy, dx = place(rng, 0.06)
    v = (y - dy) * np.cos(angle) + (x - dx) * np.sin(angle)
    u = -(y - dy) * np.sin(angle) + (x - dx) * np.cos(angle)
    # Distance from an arc: the kernel's backbone.
    reach, radius = 1.25, 0.55
    turn = np.arctan2(u, v + 0.3).clip(-reach, reach)
    distance = np.hypot(v + 0.3 - radius * np.cos(turn), u - radius * np.sin(turn))
    thick = 0.34 - 0.07 * np.abs(turn) / reach
    kernel = distance < thick
    shade = np.sqrt((1 - (distance / thick) ** 2).clip(0)) * 0.8 + 0.12 * (-y - x) + 0.04 * noise(rng, shape, 0.03)
    colours = tint(0.5 + 0.12 * noise(rng, shape, 0.01), (0.22, 0.38, 0.22), (0.36, 0.54, 0.34))
    shadow = np.roll(kernel, (shape[0] // 32, shape[1] // 32), (0, 1))
    colours = blend(colours, (0.1, 0.18, 0.1), 0.6 * soft(shadow, 3))
    colours = blend(colours, tint(shade + 0.1, (0.66, 0.48, 0.28), (0.98, 0.9, 0.72)), soft(kernel))
    return maybe(rng, colours, faulty, "burn", "hole", "scratch", on=kernel, most=2)


def chewing_gum(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """A white pillow of gum on a dark blue ground."""
    y, x = grid(shape)
    dy, dx = place(rng, 0.08)
    v, u = (y - dy) / rng.uniform(0.46, 0.54), (x - dx) / rng.uniform(0.68, 0.76)
    r = (v**4 + u**4) ** 0.25
    gum = r < 1
    shade = 1 - 0.5 * r.clip(0, 1) ** 5 - 0.08 * (u + v) + 0.03 * noise(rng, shape, 0.05)
    colours = tint(0.5 + 0.1 * noise(rng, shape, 0.01), (0.2, 0.26, 0.44), (0.34, 0.42, 0.6))
    shadow = np.roll(gum, (shape[0] // 32, shape[1] // 32), (0, 1))
    colours = blend(colours, (0.08, 0.1, 0.2), 0.6 * soft(shadow, 3))
    colours = blend(colours, tint(shade, (0.5, 0.52, 0.52), (0.95, 0.95, 0.92)), soft(gum))
    return maybe(rng, colours, faulty, "hole", "colour", "scratch", on=gum, most=2)
