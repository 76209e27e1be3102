"""Preparing a set against a bare loop that decodes the same files with the same decoder and number of processes.

python benchmarks/prepare.py --jobs 2 [FOLDER ...]

Without folders a set of 1024 px images is generated. Both are timed in turn in one run, with the files in the page
cache.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from adaclip.data.decode import open_image, open_mask
from adaclip.data.layouts import read_original
from adaclip.data.layouts.common import Item
from adaclip.data.prepare import prepare
from adaclip.data.registry import dataset_for

SIDE = 1024
Seconds = tuple[float, float]


def generate(folder: Path, images: int) -> None:
    """A set in MVTec's layout: JPEG and PNG in turn, the second half with masks."""
    rng = np.random.default_rng(0)
    for number in range(images):
        coarse = rng.integers(0, 256, (SIDE // 32, SIDE // 32, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.int16)
        # Sensor noise is what makes a photograph costly to decode.
        pixels = (smooth + rng.integers(-4, 5, smooth.shape)).clip(0, 255).astype(np.uint8)
        anomalous = number >= images // 2
        path = folder / "nut/test" / ("bent" if anomalous else "good") / f"{number:04}{('.jpg', '.png')[number % 2]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, quality=90)
        if anomalous:
            mask = np.zeros((SIDE, SIDE), np.uint8)
            mask[200:300, 400:600] = 255
            truth = folder / "nut/ground_truth/bent" / f"{number:04}_mask.png"
            truth.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(truth)


def decode(item: Item) -> None:
    """What the bare loop does to an item."""
    open_image(item.image)
    if item.mask is not None:
        open_mask(item.mask)


def timed(call: Callable[[], object]) -> Seconds:
    """Wall and processor seconds of a call, its finished processes included."""
    before, started = os.times(), time.perf_counter()
    call()
    wall, after = time.perf_counter() - started, os.times()
    return wall, sum(after[:4]) - sum(before[:4])


def compare(folder: Path, jobs: int, repeats: int) -> dict[str, float | int | str]:
    """Best times of both over the same files."""
    dataset = dataset_for(folder.name.lower().replace("-", "_"))
    items = list(read_original(folder, dataset).reading.items)

    def bare() -> None:
        if jobs == 1:
            for item in items:
                decode(item)
        else:
            with ProcessPoolExecutor(jobs) as pool:
                list(pool.map(decode, items, chunksize=max(1, min(16, len(items) // (8 * jobs)))))

    with tempfile.TemporaryDirectory(dir=folder.parent if os.access(folder.parent, os.W_OK) else None) as work:
        bare()
        runs: list[tuple[Seconds, Seconds]] = []
        for number in range(repeats):
            out = Path(work) / str(number)
            runs.append((timed(bare), timed(lambda out=out: prepare(dataset, folder, out, jobs))))  # type: ignore[misc]
    # The best run is the one that other programs disturbed least.
    wall = [min(run[part][0] for run in runs) for part in range(2)]
    cpu = [min(run[part][1] for run in runs) for part in range(2)]
    return {
        "set": folder.name,
        "images": len(items),
        "masks": sum(item.mask is not None for item in items),
        "jobs": jobs,
        "bare": len(items) / wall[0],
        "prepare": len(items) / wall[1],
        "share": wall[0] / wall[1],
        "cpu_share": cpu[0] / cpu[1],
    }


def main() -> None:
    """Compare and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="originals")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--images", type=int, default=160, help="of the generated set (default: %(default)s)")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as work:
        folders = arguments.folders
        if not folders:
            folders = [Path(work) / "generated"]
            generate(folders[0], arguments.images)
        results = [compare(folder, arguments.jobs, arguments.repeats) for folder in folders]
    print(f"images per second, {arguments.jobs} processes, best of {arguments.repeats}")
    print(f"{'set':14}{'images':>8}{'masks':>7}{'bare loop':>11}{'prepare':>9}{'share':>8}{'processor':>11}")
    for row in results:
        print(
            f"{row['set']:14}{row['images']:8}{row['masks']:7}{row['bare']:11.1f}{row['prepare']:9.1f}"
            f"{row['share']:8.0%}{row['cpu_share']:11.0%}"
        )
    print(json.dumps(results))


if __name__ == "__main__":
    main()
