"""Drawn industrial parts: plates, tubes, circuit boards, castings, a commutator's surface."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter

from adaclip.data.simulate.drawing import (
    Field,
    Mask,
    Scene,
    Shape,
    blend,
    finish,
    greys,
    grid,
    noise,
    place,
    plain,
    soft,
    tint,
)
from adaclip.data.simulate.faults import maybe


def metal_plate(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """Brushed steel with a bolt in each corner."""
    y, x = grid(shape)
    level = 0.6 + 0.1 * noise(rng, shape, (0.004, 0.12)) + 0.12 * np.cos(2.2 * x + rng.uniform(0, 6))
    colours = tint(level, (0.42, 0.45, 0.48), (0.86, 0.88, 0.9))
    for top in (-1, 1):
        for side in (-1, 1):
            r = np.hypot(y - 0.8 * top, x - 0.8 * side) / 0.1
            bolt = tint(0.8 - 0.5 * r + 0.3 * (np.abs(y - 0.8 * top) < 0.02), (0.35, 0.37, 0.4), (0.92, 0.93, 0.95))
            colours = blend(colours, bolt, soft(r < 1))
    return maybe(rng, colours, faulty, "rust", "scratch", "hole", reach=0.6)


def tubes(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """A row of teal plastic tubes on a conveyor."""
    y, x = grid(shape)
    colours = plain(shape, (0.6, 0.62, 0.58)) + 0.02 * noise(rng, shape, 0.01)[..., None]
    shift = rng.uniform(-0.06, 0.06)
    on = np.zeros(shape, bool)
    for middle in (-0.66, -0.22, 0.22, 0.66):
        u = (x - middle - shift) / 0.17
        shade = 0.25 + 0.75 * np.sqrt((1 - u**2).clip(0)) * (1 - 0.25 * u)
        tube = tint(shade + 0.03 * np.sin(40 * y), (0.1, 0.36, 0.42), (0.55, 0.9, 0.9))
        inside = (np.abs(u) < 1) & (np.abs(y) < 0.9)
        colours = blend(colours, tube, soft(inside))
        on |= inside & (np.abs(x) < 0.75)
    return maybe(rng, colours, faulty, "colour", "scratch", "hole", on=on)


def circuit_board(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """A small green board: traces, two chips with legs, resistors, holes for the pins."""
    y, x = grid(shape)
    dy, dx = place(rng, 0.03)
    y, x = y - dy, x - dx
    colours = plain(shape, (0.86, 0.86, 0.84)) + 0.015 * noise(rng, shape, 0.01)[..., None]
    board = (np.abs(y) < 0.68) & (np.abs(x) < 0.88)
    green = tint(0.5 + 0.12 * noise(rng, shape, 0.03), (0.1, 0.4, 0.26), (0.2, 0.54, 0.36))
    colours = blend(colours, green, soft(board))
    for line in np.linspace(-0.58, 0.58, 9):
        trace = (np.abs(y - line - 0.1 * np.sign(line) * (x > 0.1)) < 0.014) & (np.abs(x) < 0.8)
        colours = blend(colours, (0.34, 0.7, 0.48), 0.8 * soft(trace, 0.7))
    for side in np.linspace(-0.78, 0.78, 11):
        r = np.hypot(y + 0.58, x - side)
        colours = blend(colours, (0.88, 0.78, 0.46), soft(r < 0.055, 0.8))
        colours = blend(colours, (0.5, 0.5, 0.48), soft(r < 0.025, 0.8))
    for cy, cx in ((-0.08, -0.42), (0.1, 0.36)):
        colours = _chip(colours, y - cy, x - cx)
    for cy, cx in ((0.5, -0.55), (0.5, -0.2), (0.52, 0.1), (-0.36, 0.05), (-0.36, 0.62)):
        v, u = y - cy, x - cx
        colours = blend(colours, (0.86, 0.87, 0.88), soft((np.abs(v) < 0.05) & (np.abs(u) < 0.12), 0.8))
        colours = blend(colours, (0.72, 0.62, 0.42), soft((np.abs(v) < 0.05) & (np.abs(u) < 0.075), 0.8))
    return maybe(rng, colours, faulty, "burn", "colour", "scratch", on=board, most=2)


def _chip(colours: Field, v: Field, u: Field) -> Field:
    """A black chip with legs on two sides, middle at (0, 0)."""
    legs = (np.abs(v) < 0.24) & (np.abs(u) < 0.26) & (np.cos(28 * u) > 0)
    colours = blend(colours, (0.85, 0.86, 0.88), soft(legs, 0.7))
    body = (np.abs(v) < 0.17) & (np.abs(u) < 0.27)
    colours = blend(colours, tint(0.5 - 0.5 * (v + u), (0.24, 0.25, 0.27), (0.36, 0.37, 0.4)), soft(body, 0.8))
    return blend(colours, (0.6, 0.6, 0.6), soft(np.hypot(v + 0.1, u + 0.2) < 0.03, 0.7))


def casting(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """BTAD 01: a round casting from above, with a hub, spokes and bolt holes."""
    y, x = grid(shape)
    dy, dx = place(rng, 0.04)
    v, u = y - dy, x - dx
    r, angle = np.hypot(v, u), np.arctan2(v, u) + rng.uniform(0, 6)
    colours = plain(shape, (0.9, 0.89, 0.86)) + 0.015 * noise(rng, shape, 0.02)[..., None]
    disc = r < 0.86
    level = 0.55 + 0.12 * np.cos(np.arctan2(v, u) * 2) + 0.05 * np.cos(70 * r) + 0.04 * noise(rng, shape, 0.02)
    colours = blend(colours, tint(level, (0.4, 0.44, 0.5), (0.8, 0.84, 0.9)), soft(disc))
    ribs = (r > 0.3) & (r < 0.74) & (np.cos(6 * angle) > 0.55)
    colours = blend(colours, tint(level + 0.15, (0.5, 0.54, 0.6), (0.9, 0.93, 0.96)), soft(ribs))
    for rim in (0.28, 0.78):
        colours = blend(colours, (0.42, 0.45, 0.5), 0.8 * soft(np.abs(r - rim) < 0.015, 0.8))
    colours = blend(colours, (0.86, 0.86, 0.84), soft(r < 0.13))
    return maybe(rng, colours, faulty, "rust", "scratch", "hole", on=disc & (r > 0.2))


def ribbed_ring(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """BTAD 03: a pale blue ribbed ring on a grey belt."""
    y, x = grid(shape)
    dy, dx = place(rng, 0.05)
    v, u = y - dy, x - dx
    r, angle = np.hypot(v, u), np.arctan2(v, u)
    belt = tint(0.5 + 0.1 * noise(rng, shape, (0.1, 0.006)), (0.5, 0.5, 0.5), (0.64, 0.64, 0.63))
    colours = blend(belt, (0.3, 0.3, 0.3), 0.5 * soft((np.hypot(v - 0.05, u - 0.04) < 0.85) & (r > 0.4), 4))
    ring = (r < 0.84) & (r > 0.42)
    shade = 0.6 + 0.2 * np.cos(angle + 2.2) + 0.16 * np.cos(36 * angle) * (r > 0.6) + 0.03 * noise(rng, shape, 0.03)
    colours = blend(colours, tint(shade, (0.44, 0.6, 0.74), (0.86, 0.93, 0.98)), soft(ring))
    colours = blend(colours, (0.4, 0.54, 0.66), 0.7 * soft(np.abs(r - 0.6) < 0.012, 0.8))
    return maybe(rng, colours, faulty, "colour", "hole", "burn", on=ring)


def commutator(rng: np.random.Generator, shape: Shape, faulty: bool) -> Scene:
    """KolektorSDD: the grey surface of a commutator, taller than wide; faulty with a crack across it."""
    _, x = grid(shape)
    level = 0.58 + 0.05 * noise(rng, shape, (0.12, 0.006)) + 0.05 * noise(rng, shape, 0.012)
    level += 0.05 * noise(rng, shape, 0.3) + 0.06 * np.cos(2 * x + rng.uniform(-0.4, 0.4))
    edge = np.abs(x) > 0.9 + 0.015 * noise(rng, shape, (0.2, 0.2))
    level = np.where(edge, 0.36 + 0.03 * noise(rng, shape, 0.02), level)
    # Wear marks that are no fault: faint upright lines.
    for middle in rng.uniform(-0.7, 0.7, 3):
        level -= 0.06 * soft(np.abs(x - middle) < 0.01, 1)
    mask = None
    if faulty:
        mask = _crack(rng, shape)
        level = level * (1 - soft(mask, 0.9)) + 0.08 * soft(mask, 0.9)
        # Annotators draw wider than the crack is.
        mask = binary_dilation(mask, iterations=max(1, min(shape) // 80))
    return finish(greys(level), mask, "crack" if faulty else "good", rng)


def _crack(rng: np.random.Generator, shape: Shape) -> Mask:
    """A jagged line over a good part of the width (height, width)."""
    y, x = grid(shape)
    tall = shape[0] / min(shape)
    walk = gaussian_filter(rng.standard_normal(shape[1]).cumsum(), 1.2)
    walk = (walk - walk.mean()) / max(float(np.abs(walk - walk.mean()).max()), 1e-9)
    slope = rng.uniform(-0.25, 0.25)
    line = rng.uniform(-0.75, 0.75) * tall + 0.22 * walk[None, :] + slope * x
    left = rng.uniform(-0.85, -0.4)
    right = rng.uniform(0.3, 0.85)
    width = 0.026 + 0.012 * rng.uniform()
    return np.asarray((np.abs(y - line) < width) & (x > left) & (x < right))
