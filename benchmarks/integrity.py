"""What it costs to compare each image and mask with its SHA-256 as it is read.

    python benchmarks/integrity.py --size 1024

Draws a set, prepares it, and times in one run, in turn with and without the check: reading and decoding alone, and an
evaluation with the tiny CLIP, whose arithmetic is next to nothing beside a real one's. Times are processor time.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch

import adaclip
from adaclip.data.decode import open_image, open_mask
from adaclip.data.prepare import prepare
from adaclip.data.registry import load_registry
from adaclip.data.rows import read_rows
from adaclip.data.simulate import draw_tree
from adaclip.metrics.settings import EvaluateSettings
from adaclip.runs.evaluate import predictions


def seconds(work: Callable[[], object], check: bool) -> float:
    """Processor time of one call with the check on or off."""
    os.environ["ADACLIP_VERIFY"] = str(int(check))
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="mvtec", help="which set is drawn")
    parser.add_argument("--size", type=int, default=1024, help="shorter side of its images in pixels")
    parser.add_argument("--images", type=int, default=4, help="of each category")
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        raw, out = Path(folder) / "raw", Path(folder) / "set"
        draw_tree(chosen.set, raw, images=chosen.images, size=chosen.size)
        prepare(load_registry()[chosen.set], raw, out)
        rows = read_rows(out / "manifest.csv")
        size = sum(path.stat().st_size for row in rows for path in (row.image, row.mask) if path is not None)
        model = adaclip.AdaCLIP(adaclip.load_backbone("tiny14", image_size=518)).eval()

        def decode() -> None:
            for row in rows:
                open_image(row.image, row.sha256)
                if row.mask is not None:
                    open_mask(row.mask, row.mask_sha256)

        def evaluate() -> None:
            for _ in predictions(model, rows, None, EvaluateSettings()):
                pass

        print(f"{platform.processor() or platform.machine()}; Python {platform.python_version()},", end=" ")
        print(f"PyTorch {torch.__version__}, Pillow {version('pillow')}; one thread")
        print(f"{chosen.set}, {chosen.size} px: images {len(rows)}, MB with masks {size / 1e6:.1f}")
        contents = [path.read_bytes() for row in rows for path in (row.image, row.mask) if path is not None]

        def digests() -> None:
            for content in contents:
                hashlib.sha256(content).hexdigest()

        # The best of each: other processes only ever add.
        alone = min(seconds(digests, True) for _ in range(chosen.repeats))
        print(f"digests: ms an image {1e3 * alone / len(rows):.2f}")
        for name, work in (("read and decode", decode), ("evaluate, tiny CLIP", evaluate)):
            work()
            pairs = [(seconds(work, True), seconds(work, False)) for _ in range(chosen.repeats)]
            checked, without = (min(times) for times in zip(*pairs, strict=True))
            print(
                f"{name}: ms an image {1e3 * without / len(rows):.2f} without, {1e3 * checked / len(rows):.2f} with;",
                end=" ",
            )
            print(
                f"the digests are {100 * alone / without:.2f} % of it, measured {100 * (checked / without - 1):+.2f} %"
            )


if __name__ == "__main__":
    main()
