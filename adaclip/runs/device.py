"""Which device a job computes on, and how."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

# cuBLAS repeats its sums in the same order only with a fixed workspace; it reads this when CUDA starts.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import torch

from adaclip.errors import UsageError
from adaclip.system.cores import MOST, cores
from adaclip.system.settings import Precision
from adaclip.system.wording import counted

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_held: list[IO[str]] = []


def take_device(name: str, threads: int | None = None, *, training: bool = False) -> torch.device:
    """The device for this process, set up so that equal seeds give equal numbers.

    With several GPUs, Snakemake says how many jobs may run but not which GPU each takes: the first GPU that no other
    process of this program holds is taken, by a lock that ends with the process. Without a free one it waits.

    Args:
        name: auto, cpu or cuda.
        threads: CPU threads, or None for PyTorch's choice, but no more than the cores that this process may use.
        training: whether gradients will be computed.

    Raises:
        UsageError: cuda where there is none, or another name.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"unknown device '{name}': use auto, cpu or cuda")
    # PyTorch knows nothing of the quota of a control group.
    torch.set_num_threads(threads or min(torch.get_num_threads(), cores()))
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UsageError("device cuda: PyTorch sees no CUDA GPU here; use --device cpu, or auto")
    on_cpu = name == "cpu" or not available
    if training or not on_cpu:
        # On a CPU only sums of gradients depend on the order of threads. The call loads PyTorch's whole compiler, which
        # takes as long as a small evaluation.
        torch.use_deterministic_algorithms(True, warn_only=True)
    if on_cpu:
        return torch.device("cpu")
    torch.backends.cudnn.benchmark = False
    device = torch.device("cuda", _free_gpu(torch.cuda.device_count()))
    torch.cuda.set_device(device)
    return device


def _free_gpu(count: int) -> int:
    if count == 1:
        return 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(count)))).split(",")
    while True:
        for index in range(count):
            path = Path(tempfile.gettempdir()) / f"adaclip-gpu-{os.getuid()}-{visible[index]}.lock"
            stream = path.open("a", encoding="utf-8")
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stream.close()
                continue
            _held.append(stream)  # the lock lives as long as the process
            return index
        time.sleep(1)


def decoders(asked: int | None, device: torch.device) -> int:
    """Processes that decode images: as many as were asked for; some beside a GPU, none beside the threads of a CPU.

    Args:
        asked: by the user, or None.
        device: where the model computes.
    """
    if asked is not None:
        return asked
    return min(MOST, cores()) if device.type == "cuda" else 0


@contextlib.contextmanager
def computing(device: torch.device, precision: Precision) -> Iterator[None]:
    """Autocast in the given precision; fp32 is left alone.

    Raises:
        UsageError: fp16 on a CPU, where it is neither fast nor complete.
    """
    if precision == "fp32":
        yield
        return
    if precision == "fp16" and device.type == "cpu":
        raise UsageError("precision fp16 needs a GPU: use bf16 or fp32 on a CPU")
    with torch.autocast(device.type, dtype=_DTYPES[precision]):
        yield


def describe(device: torch.device) -> str:
    """A name for reports: the GPU's, or the CPU's thread count."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"CPU, {counted(torch.get_num_threads(), 'thread')}"


def peak_memory(device: torch.device) -> int | None:
    """Most bytes that tensors took on a GPU so far; None on a CPU."""
    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else None
