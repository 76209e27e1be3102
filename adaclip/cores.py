"""How many cores this process may use, and how its threads wait for one another."""

from __future__ import annotations

import os


def cores() -> int:
    """Cores that this process may use: what its affinity and the quota of its control group leave of the machine."""
    from joblib import cpu_count

    return int(cpu_count())


def wait_passively() -> None:
    """Let threads sleep while they wait for one another; only before PyTorch is loaded.

    OpenMP's threads spin for a while at the end of each parallel part. On a core that something else wants too, that
    takes the core from the very thread that is waited for. A setting of the user's stands.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
