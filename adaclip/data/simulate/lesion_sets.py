"""Originals with a mask for each image, all anomalous: ISIC, ColonDB, ClinicDB, TN3K."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from adaclip.data.simulate import lesions, scans
from adaclip.data.simulate.drawing import Pixels
from adaclip.data.simulate.tree import Order, Tree, encode

#: (high, wide) of ISIC's images as shares of the ordinary size: the largest of all sets, in many sizes.
ISIC_SHAPES = ((1.5, 2.0), (1.8, 2.7), (2.1, 2.8), (1.5, 2.0), (2.25, 3.0))


def isic(order: Order, tree: Tree) -> None:
    """A folder of images, a folder of `*_Segmentation.png`; they come as two archives."""
    rng = order.rng()
    for index in range(order.images):
        high, wide = (round(share * order.size) for share in ISIC_SHAPES[index % len(ISIC_SHAPES)])
        # Drawn small and enlarged: skin is smooth, and large drawings are slow.
        scene = lesions.skin_lesion(rng, (order.size, round(order.size * wide / high)))
        image = Image.fromarray(scene.image).resize((wide, high), Image.Resampling.BICUBIC)
        mask = Image.fromarray(scene.mask_image()).resize((wide, high), Image.Resampling.BILINEAR)
        name = f"ISIC_{index:07}"
        tree.picture(f"ISBI2016_ISIC_Part1_Test_Data/{name}.jpg", image)
        binary = (np.asarray(mask) > 127).astype(np.uint8) * 255
        tree.picture(f"ISBI2016_ISIC_Part1_Test_GroundTruth/{name}_Segmentation.png", binary)


def colondb(order: Order, tree: Tree) -> None:
    """`N.tiff` or `N.tif`, mask `pN.tiff` and contour `cpN.tiff` in one folder.

    The third frame shows the same pixels as the second, in a file that is packed otherwise.
    """
    rng = order.rng()
    previous = None
    for number in range(1, order.images + 1):
        scene = lesions.polyp(rng, order.square, wall=((0.78, 0.5, 0.44), (0.97, 0.78, 0.7)))
        if number == 3 and previous is not None:
            scene = previous
            tree.write(f"{number}.tiff", _packed(scene.image))
        else:
            tree.picture(f"{number}{'.tif' if number % 4 == 0 else '.tiff'}", scene.image)
        tree.picture(f"p{number}.tiff", scene.mask_image())
        tree.picture(f"cp{number}.tiff", scene.contour_image())
        previous = scene


def _packed(image: Pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "TIFF", compression="tiff_lzw")
    return stream.getvalue()


def clinicdb(order: Order, tree: Tree) -> None:
    """`Original/N.tif` with tags that contradict each other, `Ground Truth/N.tif`; some masks are not binary."""
    rng = order.rng()
    for number in range(1, order.images + 1):
        shape = (order.size, round(order.size * 4 / 3))
        scene = lesions.polyp(rng, shape, wall=((0.72, 0.42, 0.24), (0.98, 0.74, 0.5)), frame=True)
        mask = scene.mask_image()
        if number % 4 == 2:
            # As if it had been scaled: grey from 1 to 254 round the border.
            mask = gaussian_filter(mask.astype(float), order.size / 40).round().astype(np.uint8)
        tree.write(f"CVC-ClinicDB/Original/{number}.tif", contradictory_tiff(scene.image))
        tree.picture(f"CVC-ClinicDB/Ground Truth/{number}.tif", mask)


def contradictory_tiff(image: Pixels) -> bytes:
    """A TIFF as ClinicDB has them: grey by its photometric tag, three samples, and no word on the extra two.

    Pillow refuses it, OpenCV returns the red channel as grey, tifffile reads the colours. Written by hand, since
    libraries rightly refuse to write it (TIFF 6.0: BlackIsZero with 3 samples needs ExtraSamples).

    Args:
        image: (height, width, 3).
    """
    height, width, samples = image.shape
    short, long = 3, 4
    count = 10
    # Header, directory, the three bit depths, pixels.
    depths = 8 + 2 + 12 * count + 4
    pixels = depths + 2 * samples
    tags = [
        (256, long, 1, width),
        (257, long, 1, height),
        (258, short, samples, depths),  # bits of each sample
        (259, short, 1, 1),  # not compressed
        (262, short, 1, 1),  # BlackIsZero
        (273, long, 1, pixels),
        (277, short, 1, samples),
        (278, long, 1, height),  # one strip
        (279, long, 1, image.size),
        (284, short, 1, 1),  # samples side by side
    ]
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"".join(
        (
            struct.pack("<2sHI", b"II", 42, 8),
            struct.pack("<H", count),
            directory,
            struct.pack("<I", 0),
            struct.pack(f"<{samples}H", *[8] * samples),
            image.tobytes(),
        )
    )


def tn3k(order: Order, tree: Tree) -> None:
    """`{test,trainval}-image/NNNN.jpg` and `{test,trainval}-mask/NNNN.jpg`; the test split alone is used.

    A mask's JPEG noise lies near 0 and near 255: `> 127` gives back what was drawn, `> 0` would grow it by a ragged
    band of 8 x 8 blocks.
    """
    rng = order.rng()
    for split, count in (("test", order.images), ("trainval", 2)):
        for index in range(count):
            scene = scans.thyroid(rng, (order.size, round(order.size * 1.3)))
            tree.picture(f"{split}-image/{index:04}.jpg", scene.image)
            tree.write(f"{split}-mask/{index:04}.jpg", encode(scene.mask_image(), "JPEG"))
