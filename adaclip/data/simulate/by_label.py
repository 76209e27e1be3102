"""Originals with a label for each image and no masks: HeadCT, BrainMRI, Br35H."""

from __future__ import annotations

import csv
import dataclasses
import io

import numpy as np
from PIL import Image

from adaclip.data.simulate import scans
from adaclip.data.simulate.drawing import Scene
from adaclip.data.simulate.tree import FORMATS, Order, Tree, encode

#: (high, wide) of HeadCT's images as shares of the ordinary size; 134 to 957 pixels in the original.
HEADCT_SHAPES = ((1.0, 1.0), (0.7, 0.6), (1.0, 0.85), (1.3, 1.1))


def headct(order: Order, tree: Tree) -> None:
    """`head_ct/head_ct/NNN.png`, `labels.csv` with the header `id, hemorrhage` and unpadded ids; some with alpha.

    Without masks a set yields image-level figures only, so it has twice the images.
    """
    rng = order.rng()
    table = io.StringIO(newline="")
    table.write("id, hemorrhage\n")
    rows = csv.writer(table, lineterminator="\n")
    for index in range(2 * order.images):
        label = int(index < order.images)
        high, wide = HEADCT_SHAPES[index % len(HEADCT_SHAPES)]
        scene = scans.head_ct(rng, (round(high * order.size), round(wide * order.size)), bool(label))
        opaque = np.full(scene.labels.shape, 255, np.uint8)
        tree.picture(
            f"head_ct/head_ct/{index:03}.png", np.dstack([scene.image, opaque]) if index % 8 == 3 else scene.image
        )
        rows.writerow((index, label))
    tree.write("labels.csv", table.getvalue())


#: Names of the first of BrainMRI's images, and what is odd about them: in the original, suffixes are mixed, names hold
#: blanks, and some files are not what their suffix says. The rest have ordinary names.
BRAIN_MRI = {
    "yes": (("Y92.jpg", ""), ("Y92.png", ""), ("Y15.jpg", "png with alpha"), ("Y24.JPG", "grey")),
    "no": (("1 no.jpeg", ""), ("no 2.jpeg", "copy"), ("N3.jpg", "png with palette"), ("4 no.JPG", "grey")),
}


def brain_mri_files(order: Order) -> dict[str, bytes]:
    """BrainMRI's files by their path below the top folder (`yes/Y92.jpg`)."""
    rng = order.rng()
    files: dict[str, bytes] = {}
    for folder, odd in BRAIN_MRI.items():
        for index in range(order.images):
            suffix = (".jpg", ".JPG", ".jpg", ".jpeg")[index % 4]
            ordinary = f"Y{100 + index}{suffix}" if folder == "yes" else f"{100 + index} no{suffix}"
            name, kind = odd[index] if index < len(odd) else (ordinary, "")
            scene = scans.brain_mri(rng, order.square, folder == "yes")
            files[f"{folder}/{name}"] = next(reversed(files.values())) if kind == "copy" else _odd(scene, kind, name)
    return files


def _odd(scene: Scene, kind: str, name: str) -> bytes:
    if kind == "png with alpha":
        return encode(np.dstack([scene.image, np.full(scene.labels.shape, 255, np.uint8)]), "PNG")
    if kind == "png with palette":
        return encode(Image.fromarray(scene.grey).convert("P"), "PNG")
    suffix = name[name.rindex(".") :].lower()
    return encode(scene.grey if kind == "grey" else scene.image, FORMATS[suffix])


def brain_mri(order: Order, tree: Tree) -> None:
    """`brain_tumor_dataset/{yes,no}/*`."""
    for name, content in brain_mri_files(order).items():
        tree.write(f"brain_tumor_dataset/{name}", content)


def br35h(order: Order, tree: Tree) -> None:
    """`{yes,no,pred}/*`; some PNGs are named .jpg, some images are grey, and some files are BrainMRI's, byte for byte.

    Of the 253 files of the original BrainMRI, 225 are in Br35H. Here half of each folder comes from the simulated
    BrainMRI of the same seed, number and size, so that an audit for leakage has something to find.
    """
    rng = order.rng()
    shared = brain_mri_files(dataclasses.replace(order, dataset="brain_mri"))
    for folder in ("yes", "no"):
        taken = [content for name, content in shared.items() if name.startswith(f"{folder}/")][: order.images // 2]
        for index in range(order.images):
            name = f"{folder}/{'y' if folder == 'yes' else 'no'}{index}.jpg"
            if index == order.images - 1 and folder == "no":
                name = "no/No12.jpg"  # one name is written otherwise in the original
            kind = {1: "grey", 2: "png with alpha"}.get(index - len(taken), "")
            content = (
                taken[index]
                if index < len(taken)
                else _odd(scans.brain_mri(rng, order.square, folder == "yes"), kind, name)
            )
            tree.write(name, content)
            if index == 0:
                tree.write(f"pred/pred{0 if folder == 'no' else 1}.jpg", content)
    tree.picture("pred/pred2.jpg", scans.brain_mri(rng, order.square, True).image)
