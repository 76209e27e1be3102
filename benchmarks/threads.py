"""Training with one thread or more, with and without processes that decode, and with threads that spin or sleep.

python benchmarks/threads.py [--busy N] [--rounds N] [--threads N] [--image-size PX]

Every round runs each way once, in turn, so that what else the machine does meets all of them alike; what is compared is
the median of each way's ratios to the first way of the same round. With --busy, N processes compute beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adaclip.system.cores import cores

#: What libgomp does unless it is told otherwise: so many looks at a barrier before a thread sleeps.
SPINNING = {"GOMP_SPINCOUNT": "300000", "OMP_WAIT_POLICY": "ACTIVE"}
SLEEPING = {"OMP_WAIT_POLICY": "PASSIVE"}
ADACLIP = [sys.executable, "-m", "adaclip.cli"]


@dataclass(frozen=True)
class Way:
    """How a training is run.

    Attributes:
        threads: of the computation.
        workers: processes that decode.
        wait: environment that says how threads wait.
        together: trainings side by side; their seconds are divided by so many.
    """

    threads: int
    workers: int
    wait: dict[str, str]
    together: int = 1

    def __str__(self) -> str:
        """For the table."""
        waiting = "spin" if self.wait is SPINNING else "sleep"
        each = f"{self.threads} thread{'s' * (self.threads > 1)}, {self.workers} workers, {waiting}"
        return f"{self.together} side by side: {each}" if self.together > 1 else each


def ways(threads: int) -> list[Way]:
    """Those that are compared; the first is what the others are measured by."""
    return [
        Way(1, 0, SLEEPING),
        Way(1, 2, SLEEPING),
        Way(threads, 0, SLEEPING),
        Way(threads, 2, SLEEPING),
        Way(threads, 0, SPINNING),
        Way(threads, 2, SPINNING),
        Way(1, 0, SLEEPING, together=threads),
    ]


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Processes that compute without end."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def adaclip(*arguments: str | Path) -> None:
    """A verb to its end."""
    subprocess.run([*ADACLIP, *map(str, arguments)], check=True, capture_output=True)


def draw(folder: Path, images: int, backbone: str) -> list[str]:
    """A drawn set, prepared, with its features; gives the arguments that train on it."""
    manifest, features = folder / "set/manifest.csv", folder / "features.safetensors"
    adaclip("data", "simulate", "btad", "--tree", "--images", str(images), "--out", folder / "raw")
    adaclip("data", "prepare", "btad", "--raw", folder / "raw", "--out", folder / "set")
    adaclip("features", "--backbone", backbone, "--manifest", manifest, "--out", features, "--device", "cpu")
    return ["--backbone", backbone, "--manifest", str(manifest), "--features", str(features), "--device", "cpu"]


def train(way: Way, arguments: list[str], folder: Path) -> float:
    """Seconds of one training by its own clock, without the loading of libraries; shared where several run together."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_"))} | way.wait
    outs = [folder / f"out-{number}" for number in range(way.together)]
    flags = ["--threads", str(way.threads), "--workers", str(way.workers)]
    running = [
        subprocess.Popen(
            [*ADACLIP, "train", *arguments, *flags, "--out", str(out / "checkpoint.safetensors")],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for out in outs
    ]
    for process in running:
        if process.wait():
            raise SystemExit(f"a training failed: {process.args!r}")
    return max(float(json.loads((out / "cost.json").read_text())["seconds"]) for out in outs) / way.together


def main() -> None:
    """Compare and print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="processes beside (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--threads", type=int, default=cores(), metavar="N", help="(default: the cores, %(default)s)")
    parser.add_argument("--images", type=int, default=8, metavar="N", help="of a category (default: %(default)s)")
    parser.add_argument("--image-size", type=int, default=112, metavar="PX", help="(default: %(default)s)")
    chosen = parser.parse_args()

    backbone = json.dumps({"model": "tiny", "image_size": chosen.image_size})
    compared = ways(chosen.threads)
    seconds: list[list[float]] = [[] for _ in compared]
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as work, neighbours(chosen.busy):
        arguments = draw(Path(work), chosen.images, backbone)
        arguments += ["--train", json.dumps({"epochs": 1, "batch_size": 4})]
        for _ in range(chosen.rounds):
            for way, own in zip(compared, seconds, strict=True):
                own.append(train(way, arguments, Path(work)))
                print(f"{way!s:48}{own[-1]:9.2f}", file=sys.stderr, flush=True)
    loads = f"load {load:.1f} before, {os.getloadavg()[0]:.1f} after"
    print(f"{cores()} cores, {chosen.busy} busy processes of ours, {loads}")
    print(f"{'way':48}{'seconds':>9}{'ratio':>8}{'from':>8}{'to':>8}")
    for way, own in zip(compared, seconds, strict=True):
        ratios = sorted(value / first for value, first in zip(own, seconds[0], strict=True))
        print(
            f"{way!s:48}{statistics.median(own):9.2f}{statistics.median(ratios):8.2f}{ratios[0]:8.2f}{ratios[-1]:8.2f}"
        )
    print(json.dumps({str(way): own for way, own in zip(compared, seconds, strict=True)}))


if __name__ == "__main__":
    main()
