"""Originals with layouts of their own: VisA, KolektorSDD, DAGM."""

from __future__ import annotations

import csv
import io

import numpy as np
from scipy.ndimage import binary_dilation

from adaclip.data.simulate import objects, parts, textures
from adaclip.data.simulate.folders import TRAIN, Draw
from adaclip.data.simulate.tree import Order, Tree

VISA: dict[str, Draw] = {
    "candle": objects.candles,
    "cashew": objects.cashew,
    "chewinggum": objects.chewing_gum,
    "pcb1": parts.circuit_board,
}


def visa(order: Order, tree: Tree) -> None:
    """`<category>/Data/Images/{Normal,Anomaly}/*.JPG`, `Data/Masks/Anomaly/*.png`, `split_csv/1cls.csv`.

    A mask holds the number of the fault's kind: 1 and up, so that it looks black.
    """
    table = io.StringIO(newline="")
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("object", "split", "label", "image", "mask"))
    for category, draw in VISA.items():
        rng = order.rng(category)
        top = f"{category}/Data"
        for index in range(TRAIN + order.normal):
            name = f"{top}/Images/Normal/{index:04}.JPG"
            tree.picture(name, draw(rng, order.square, False).image)
            rows.writerow((category, "train" if index < TRAIN else "test", "normal", name, ""))
        for index in range(order.anomalous):
            scene = draw(rng, order.square, True)
            name, mask = f"{top}/Images/Anomaly/{index:03}.JPG", f"{top}/Masks/Anomaly/{index:03}.png"
            tree.picture(name, scene.image)
            tree.picture(mask, scene.labels)
            rows.writerow((category, "test", "anomaly", name, mask))
    tree.write("split_csv/1cls.csv", table.getvalue())


def ksdd(order: Order, tree: Tree) -> None:
    """`kosNN/PartM.jpg` and `kosNN/PartM_label.bmp`: grey, two and a half times as high as wide.

    The images of the last two items are copies of those of the first two, byte for byte, with other labels: the cracks
    of one are outlined more widely, those of the other are not marked at all.
    """
    rng = order.rng()
    items, per_item = 4, max(2, order.images // 4)
    for item in range(1, items + 1):
        cracked = int(rng.integers(per_item))
        for part in range(per_item):
            # 1235 to 1285 high at 500 wide.
            height = round(order.size * rng.integers(1235, 1286) / 500)
            # Every second item has two cracked parts, to have enough of them.
            faulty = part == cracked or (item % 2 == 0 and part == (cracked + 1) % per_item)
            scene = parts.commutator(rng, (height, order.size), faulty)
            name = f"kos{item:02}/Part{part}"
            tree.picture(f"{name}.jpg", scene.grey)
            tree.picture(f"{name}_label.bmp", scene.mask_image())
            if item <= 2:
                copy = f"kos{item + items:02}/Part{part}"
                tree.write(f"{copy}.jpg", (tree.root / f"{name}.jpg").read_bytes())
                other = binary_dilation(scene.mask, iterations=4) if item == 1 else np.zeros_like(scene.mask)
                tree.picture(f"{copy}_label.bmp", other.astype(np.uint8) * 255)


DAGM: dict[str, Draw] = {
    "Class1": textures.grain,
    "Class2": textures.ridges,
    "Class6": textures.pebbles,
    "Class10": textures.lattice,
}


def dagm(order: Order, tree: Tree) -> None:
    """`ClassN/{Train,Test}/NNNN.PNG`, `Label/NNNN_label.PNG` for defective ones, and `Label/Labels.txt`; all grey.

    As in the original there are more normal images than defective ones, and the splits are numbered through.
    """
    defective = max(2, order.images * 3 // 8)
    for category, draw in DAGM.items():
        rng = order.rng(category)
        number = 0
        for split, count, faulty_count in (("Train", TRAIN + 1, 1), ("Test", order.images, defective)):
            lines = ["1"]
            chosen = set(rng.permutation(count)[:faulty_count].tolist())
            for index in range(count):
                number += 1
                scene = draw(rng, order.square, index in chosen)
                tree.picture(f"{category}/{split}/{number:04}.PNG", scene.grey)
                label = "0"
                if index in chosen:
                    label = f"{number:04}_label.PNG"
                    tree.picture(f"{category}/{split}/Label/{label}", scene.mask_image())
                lines.append(f"{number}\t{int(index in chosen)}\t{number:04}.PNG\t0\t{label}")
            tree.write(f"{category}/{split}/Label/Labels.txt", "\n".join(lines) + "\n")
