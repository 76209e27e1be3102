"""What one image and the text of one class cost with each method, at the size that its authors ran it.

    python benchmarks/methods.py --methods winclip adaclip --threads 1

Weights are random: they change no time. Each method is measured on the CPU in a process of its own, one after another.
Then the same two images are given as a batch, with different class names: that must change nothing. Prints a table.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from adaclip.errors import AdaclipError
from adaclip.methods.base import Prediction
from adaclip.methods.load import load_method
from adaclip.methods.registry import BUILT_IN, find_card
from adaclip.runs.device import take_device

Result = TypeVar("Result")
#: Methods that run a model; the untrained one is AdaCLIP again.
METHODS = tuple(name for name in BUILT_IN if find_card(name).uses_backbone and name != "untrained")
CLASS_NAMES = ["metal nut", "bottle"]
COLUMNS = (
    "method",
    "model, px",
    "learned parameters",
    "text of a class, s",
    "image, s",
    "times the first",
    "plain pass, s",
    "passes",
    "peak, GiB",
    "peak with two, GiB",
    "map: spread",
    "map: difference",
    "score: difference",
)


@dataclass(frozen=True)
class Measured:
    """One method; seconds are of the processor.

    Attributes:
        model: name and input size.
        learned: number of parameters that its training changes.
        text: seconds of the text features of one class; None where they depend on the image and are part of it.
        image: seconds of one prediction, text features given; the shorter of two images.
        plain: seconds of the frozen image embedding on the same backbone; the shorter of two.
        peak: bytes that the process held at most until after one image, Python and weights included.
        peak_of_two: the same after a batch of two.
        spread: greatest minus smallest value of a map, the smaller of two.
        of_map: largest difference of a map's pixel, alone and in the batch.
        of_score: the same of a score.
    """

    model: str
    learned: int
    text: float | None
    image: float
    plain: float
    peak: int
    peak_of_two: int
    spread: float
    of_map: float
    of_score: float


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds of the processor, so that other processes hardly count, and what came out."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def peak() -> int:
    """The most memory that this process has held, in bytes."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if platform.system() == "Darwin" else 1024 * held


def difference(alone: list[Tensor], together: Tensor) -> float:
    """Largest difference between results of single images and the same ones of a batch."""
    return float((torch.cat(alone) - together).abs().max())


@torch.no_grad()
def measure(name: str, model: str | None, image_size: int | None, threads: int) -> Measured:
    """Measure one method in this process."""
    take_device("cpu", threads)
    settings = find_card(name).backbone
    size = image_size or settings.image_size
    method = load_method(name, model or settings.model, None, size)
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    text_seconds, text = timed(lambda: method.text(CLASS_NAMES[:1]))
    texts = [text, method.text(CLASS_NAMES[1:])]
    plain = min(timed(lambda: method.backbone.encode_image(images[:1]))[0] for _ in CLASS_NAMES)

    def one(position: int) -> Prediction:
        chosen = slice(position, position + 1)
        return method.predict(images[chosen], CLASS_NAMES[chosen], text=texts[position])

    first, prediction = timed(lambda: one(0))
    after_one = peak()
    second, other = timed(lambda: one(1))
    alone = [prediction, other]
    both = method.predict(images, CLASS_NAMES, text=method.text(CLASS_NAMES))
    maps = [single.anomaly_map for single in alone]
    return Measured(
        model=f"{settings.model if model is None else model}, {size}",
        learned=sum(parameter.numel() for parameter in method.parameters()),
        text=None if text is None else text_seconds,
        image=min(first, second),
        plain=plain,
        peak=after_one,
        peak_of_two=peak(),
        spread=min(float(single.max() - single.min()) for single in maps),
        of_map=difference(maps, both.anomaly_map),
        of_score=difference([single.anomaly_score for single in alone], both.anomaly_score),
    )


def line(name: str, found: Measured, first: Measured) -> str:
    """A line of the table."""
    cells = (
        find_card(name).title,
        found.model,
        f"{found.learned:,}",
        "with the image" if found.text is None else f"{found.text:.3g}",
        f"{found.image:.3g}",
        f"{found.image / first.image:.2f}",
        f"{found.plain:.3g}",
        f"{found.image / found.plain:.2f}",
        f"{found.peak / 2**30:.2f}",
        f"{found.peak_of_two / 2**30:.2f}",
        f"{found.spread:.2g}",
        f"{found.of_map:.1e}",
        f"{found.of_score:.1e}",
    )
    return f"| {' | '.join(cells)} |"


def processor() -> str:
    """The processor's name."""
    try:
        described = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        described = []
    named = (text.partition(":")[2].strip() for text in described if text.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS, metavar="ID")
    parser.add_argument("--threads", type=int, default=1, help="seconds are then the sum over the threads")
    parser.add_argument("--model", help="instead of what each method's authors ran")
    parser.add_argument("--image-size", type=int, help="side of the input in pixels, instead of theirs")
    chosen = parser.parse_args()
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{datetime.now(UTC):%d %B %Y}; Python {platform.python_version()}, PyTorch {torch.__version__},", end=" ")
    print(f"open_clip {version('open_clip_torch')}; {processor()}, {os.cpu_count()} cores, load {load};", end=" ")
    print(f"fp32, threads {chosen.threads}\n")
    print(f"| {' | '.join(COLUMNS)} |\n|---|---|{'---:|' * (len(COLUMNS) - 2)}", flush=True)
    first = None
    for name in chosen.methods:
        # A process of its own for each, so that one's memory is not another's.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            try:
                found = pool.submit(measure, name, chosen.model, chosen.image_size, chosen.threads).result()
            except AdaclipError as error:
                sys.exit(f"{name}: {error}")
        first = first or found
        print(line(name, found, first), flush=True)


if __name__ == "__main__":
    main()
