"""Faults of things that are made: scratches, holes, stains, rust, burns.

Like many real faults they are darker or redder than what surrounds them: a randomly initialised backbone sees little
but colour, and could not carry anything else from one set to another.
"""

from __future__ import annotations

import numpy as np

from adaclip.data.simulate.drawing import (
    Field,
    Mask,
    Scene,
    Shape,
    blend,
    blob,
    finish,
    noise,
    place,
    place_on,
    scratch,
    soft,
    tint,
)


def maybe(
    rng: np.random.Generator,
    colours: Field,
    faulty: bool,
    *kinds: str,
    reach: float = 0.6,
    on: Mask | None = None,
    most: int = 1,
) -> Scene:
    """The drawing as it is, or with faults.

    Args:
        rng: source of the numbers.
        colours: the faultless drawing (height, width, 3).
        faulty: whether to spoil it.
        kinds: names of the faults to choose from.
        reach: faults lie at most so far from the middle.
        on: (height, width); where given, faults lie on it and nowhere else, however far from the middle.
        most: faults of one drawing at most; they are of different kinds.

    Returns:
        The scene; its labels number the kinds from 1, in the order given.
    """
    if not faulty:
        return finish(colours, None, "good", rng)
    shape: Shape = (colours.shape[0], colours.shape[1])
    labels = np.zeros(shape, np.uint8)
    count = int(rng.integers(1, most + 1))
    chosen = [str(kind) for kind in rng.permutation(kinds)[:count]]
    for kind in chosen:
        y, x = place(rng, reach) if on is None else place_on(rng, on)
        mask, paint, edge = _fault(rng, shape, kind, y, x)
        if on is not None:
            mask &= on
        colours = blend(colours, paint, soft(mask, edge) if on is None else soft(mask, edge) * on)
        labels[mask] = kinds.index(kind) + 1
    return finish(colours, labels, chosen[0], rng)


def _fault(rng: np.random.Generator, shape: Shape, kind: str, y: float, x: float) -> tuple[Mask, Field, float]:
    """Where a fault around (y, x) is, its colours, and how soft its edge is in pixels."""
    if kind == "scratch":
        mask = scratch(rng, shape, y, x, rng.uniform(0.25, 0.45), rng.uniform(0.025, 0.04))
        return mask, np.array((0.16, 0.07, 0.06)), 0.8
    if kind == "hole":
        return blob(rng, shape, y, x, rng.uniform(0.12, 0.2)), np.array((0.04, 0.02, 0.02)), 1.2
    if kind == "colour":
        mask = blob(rng, shape, y, x, rng.uniform(0.14, 0.24))
        return mask, np.array(((0.72, 0.08, 0.1), (0.55, 0.05, 0.2), (0.8, 0.2, 0.06))[rng.integers(3)]), 1.5
    if kind == "burn":
        mask = blob(rng, shape, y, x, rng.uniform(0.15, 0.24), roughness=0.35)
        return mask, tint(0.3 + 0.25 * noise(rng, shape, 0.03), (0.05, 0.02, 0.01), (0.4, 0.16, 0.06)), 2.5
    if kind == "rust":
        mask = blob(rng, shape, y, x, rng.uniform(0.16, 0.26), roughness=0.4)
        return mask, tint(0.5 + 0.3 * noise(rng, shape, 0.012), (0.2, 0.06, 0.02), (0.68, 0.28, 0.1)), 1.5
    raise ValueError(f"no such fault: {kind}")
