"""Simulated originals: small drawn sets in the raw layouts of the real ones, for the demo and the tests."""

from __future__ import annotations

import csv
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from adaclip.data.simulate import industrial, medical
from adaclip.data.simulate.drawing import Pixels, Scene
from adaclip.errors import AdaclipError, UsageError

Draw = Callable[[np.random.Generator, int, bool], Scene]

#: What is drawn for each category of the sets in MVTec's layout.
_MVTEC_LIKE: dict[str, dict[str, Draw]] = {
    "mvtec": {"bottle": industrial.bottle, "carpet": industrial.carpet, "hazelnut": industrial.hazelnut},
    "mpdd": {"metal_plate": industrial.metal_plate, "tubes": industrial.tubes},
    "dtd": {"Blotchy_099": industrial.blotchy, "Marbled_078": industrial.marbled, "Woven_001": industrial.woven},
}


def simulate(dataset: str, out: Path, *, seed: int = 0, images: int = 16, size: int = 192) -> None:
    """Draw a set in its original's raw layout.

    Args:
        dataset: id of a set that can be drawn.
        out: folder to write; an earlier one is replaced when the new one is whole.
        seed: equal seeds give equal files.
        images: test images of each category, half of them normal where the original has normal ones.
        size: side of the images in pixels.

    Raises:
        UsageError: a set that cannot be drawn.
        AdaclipError: the folder cannot be written.
    """
    if dataset not in SIMULATED:
        raise UsageError(f"cannot simulate '{dataset}': known are {', '.join(SIMULATED)}")
    if images < 4 or size < 64:
        raise UsageError(f"cannot simulate {images} images of {size} px: at least 4 of 64 px")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
        try:
            # Every set has numbers of its own, so that adding one does not change the others.
            rng = np.random.default_rng([seed, zlib.crc32(dataset.encode())])
            SIMULATED[dataset](dataset, work / "set", rng, images, size)
            if out.exists():
                out.rename(work / "old")
            (work / "set").rename(out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise AdaclipError(f"cannot write {out}: {error.strerror or error}") from error


def _save(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"quality": 92} if path.suffix in (".jpg", ".JPG") else {}
    Image.fromarray(pixels).save(path, **options)


def _mvtec(dataset: str, out: Path, rng: np.random.Generator, images: int, size: int) -> None:
    """`<category>/{train,test}/<good or defect>/NNN.png` and `ground_truth/<defect>/NNN_mask.png`."""
    for category, draw in _MVTEC_LIKE[dataset].items():
        for index in range(2):
            _save(out / category / "train/good" / f"{index:03}.png", draw(rng, size, False).image)
        for index in range(images // 2):
            _save(out / category / "test/good" / f"{index:03}.png", draw(rng, size, False).image)
        numbers: dict[str, int] = {}
        for _ in range(images - images // 2):
            scene = draw(rng, size, True)
            number = numbers.setdefault(scene.defect, 0)
            numbers[scene.defect] += 1
            _save(out / category / "test" / scene.defect / f"{number:03}.png", scene.image)
            _save(out / category / "ground_truth" / scene.defect / f"{number:03}_mask.png", scene.mask_image())


def _headct(dataset: str, out: Path, rng: np.random.Generator, images: int, size: int) -> None:
    """`head_ct/head_ct/NNN.png` and `labels.csv` with unpadded ids; some images have an alpha channel."""
    rows = []
    for index in range(2 * images):
        label = int(index >= images)
        scene = medical.head_ct(rng, size, bool(label))
        pixels = scene.image
        if index % 8 == 3:
            pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
        _save(out / "head_ct/head_ct" / f"{index:03}.png", pixels)
        rows.append((index, label))
    with (out / "labels.csv").open("w", newline="") as stream:
        stream.write("id, hemorrhage\n")
        csv.writer(stream, lineterminator="\n").writerows(rows)


def _brain_mri(dataset: str, out: Path, rng: np.random.Generator, images: int, size: int) -> None:
    """`brain_tumor_dataset/{yes,no}/*` with mixed suffixes, blanks in names, and grey images."""
    for index in range(2 * images):
        label = index % 2
        scene = medical.brain_mri(rng, size, bool(label))
        suffix = (".jpg", ".JPG", ".png", ".jpeg")[index // 2 % 4]
        name = f"Y{index}{suffix}" if label else f"{index} no{suffix}"
        pixels = scene.image[..., 0] if index % 5 == 0 else scene.image
        _save(out / "brain_tumor_dataset" / ("yes" if label else "no") / name, pixels)


def _isic(dataset: str, out: Path, rng: np.random.Generator, images: int, size: int) -> None:
    """A folder of images, a folder of `*_Segmentation.png`; every image shows a lesion."""
    for index in range(images):
        scene = medical.skin_lesion(rng, size)
        name = f"ISIC_{index:07}"
        _save(out / "ISBI2016_ISIC_Part1_Test_Data" / f"{name}.jpg", scene.image)
        _save(out / "ISBI2016_ISIC_Part1_Test_GroundTruth" / f"{name}_Segmentation.png", scene.mask_image())


def _colondb(dataset: str, out: Path, rng: np.random.Generator, images: int, size: int) -> None:
    """`N.tiff`, mask `pN.tiff` and contour `cpN.tiff` in one folder; some images are `.tif`."""
    for index in range(1, images + 1):
        scene = medical.polyp(rng, size)
        suffix = ".tif" if index % 4 == 0 else ".tiff"
        _save(out / f"{index}{suffix}", scene.image)
        _save(out / f"p{index}.tiff", scene.mask_image())
        _save(out / f"cp{index}.tiff", scene.contour_image())


SIMULATED: dict[str, Callable[[str, Path, np.random.Generator, int, int], None]] = {
    "mvtec": _mvtec,
    "mpdd": _mvtec,
    "dtd": _mvtec,
    "headct": _headct,
    "brain_mri": _brain_mri,
    "isic": _isic,
    "colondb": _colondb,
}
