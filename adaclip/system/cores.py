"""How many cores this process may use, and how its threads wait for one another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

#: What one job takes at most unless the user says how much: with several GPUs several jobs run at once.
MOST = 4


def cores() -> int:
    """Cores that this process may use: what its affinity and the quota of its control group leave of the machine."""
    from joblib import cpu_count

    return int(cpu_count())


def threads_of_a_model(runtime: Mapping[str, Any]) -> int:
    """CPU threads of a job that runs a model, from the configuration's `runtime`.

    `auto` does not look at what else the machine is doing: the number of threads decides how sums are rounded, and the
    same machine should give the same figures every time. Jobs on a CPU run side by side with one thread each, which was
    measured to end sooner than one after another with more (docs/benchmarks.md). With a GPU there is one job for each,
    or one at a time where no GPU is found after all.
    """
    if runtime["threads"] != "auto":
        return int(runtime["threads"])
    return 1 if runtime["device"] == "cpu" else min(MOST, cores())


def processes_of_a_reader(runtime: Mapping[str, Any]) -> int:
    """Processes of a job that reads images without a model, from the configuration's `runtime`."""
    return min(MOST, cores()) if runtime["threads"] == "auto" else int(runtime["threads"])


def wait_passively() -> None:
    """Let threads sleep while they wait for one another; only before PyTorch is loaded.

    OpenMP's threads spin for a while at the end of each parallel part. On a core that something else wants too, that
    takes the core from the very thread that is waited for. A setting of the user's stands.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
