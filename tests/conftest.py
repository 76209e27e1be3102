"""What many tests share: one thread, one tiny backbone, and small prepared sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sets import write_set


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny():
    """A random CLIP at 56 px: 7 x 7 patches, widths 128 and 64."""
    import adaclip

    return adaclip.load_backbone("tiny", image_size=56)


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small prepared set; see `write_set`. Gives its manifest's path."""

    def write(name: str, **options: object) -> Path:
        return write_set(tmp_path / "prepared" / name, name, **options)  # type: ignore[arg-type]

    return write
