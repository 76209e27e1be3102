"""Originals with a folder for each category, split and kind: MVTec AD, MPDD, DTD-Synthetic, BTAD."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from adaclip.data.simulate import objects, parts, textures
from adaclip.data.simulate.drawing import Pixels, Scene, Shape
from adaclip.data.simulate.tree import Order, Tree

Draw = Callable[[np.random.Generator, Shape, bool], Scene]

#: What is drawn for each category.
CATEGORIES: dict[str, dict[str, Draw]] = {
    "mvtec": {
        "bottle": objects.bottle,
        "carpet": textures.carpet,
        "grid": textures.wire_grid,
        "hazelnut": objects.hazelnut,
    },
    "mpdd": {"metal_plate": parts.metal_plate, "tubes": parts.tubes},
    "dtd": {"Blotchy_099": textures.blotchy, "Marbled_078": textures.marbled, "Woven_001": textures.woven},
}
#: Categories whose files have one channel.
GREY = frozenset({"grid"})
#: Images of the train split of each category: it is not used, but it has to be there.
TRAIN = 2


def mvtec(order: Order, tree: Tree) -> None:
    """`<category>/{train,test}/<good or defect>/NNN.png` and `<category>/ground_truth/<defect>/NNN_mask.png`."""
    for category, draw in CATEGORIES[order.dataset].items():
        rng = order.rng(category)
        pixels = _grey if category in GREY else _colour
        for index in range(TRAIN):
            tree.picture(f"{category}/train/good/{index:03}.png", pixels(draw(rng, order.square, False)))
        for index in range(order.normal):
            tree.picture(f"{category}/test/good/{index:03}.png", pixels(draw(rng, order.square, False)))
        numbers: dict[str, int] = {}
        for _ in range(order.anomalous):
            scene = draw(rng, order.square, True)
            index = numbers[scene.defect] = numbers.get(scene.defect, -1) + 1
            tree.picture(f"{category}/test/{scene.defect}/{index:03}.png", pixels(scene))
            tree.picture(f"{category}/ground_truth/{scene.defect}/{index:03}_mask.png", scene.mask_image())


def _grey(scene: Scene) -> Pixels:
    return scene.grey


def _colour(scene: Scene) -> Pixels:
    return scene.image


#: Category of BTAD: what is drawn, suffix of the images, suffix of the masks.
BTAD: dict[str, tuple[Draw, str, str]] = {
    "01": (parts.casting, ".bmp", ".png"),
    "02": (textures.veneer, ".png", ".png"),
    "03": (parts.ribbed_ring, ".bmp", ".bmp"),
}


def btad(order: Order, tree: Tree) -> None:
    """`{01,02,03}/{train,test}/{ok,ko}/NNNN.*` and `ground_truth/ko/NNNN.*`, whose suffix can be another."""
    for category, (draw, image_suffix, mask_suffix) in BTAD.items():
        rng = order.rng(category)
        top = f"BTech_Dataset_transformed/{category}"
        for index in range(TRAIN):
            tree.picture(f"{top}/train/ok/{index:04}{image_suffix}", draw(rng, order.square, False).image)
        for index in range(order.normal):
            tree.picture(f"{top}/test/ok/{index:04}{image_suffix}", draw(rng, order.square, False).image)
        for index in range(order.anomalous):
            scene = draw(rng, order.square, True)
            tree.picture(f"{top}/test/ko/{index:04}{image_suffix}", scene.image)
            tree.picture(f"{top}/ground_truth/ko/{index:04}{mask_suffix}", scene.mask_image())
