"""What several of these tests start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.raw import draw_image, draw_mask


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Two normal images and two anomalous ones with masks, which no layout of folders would read."""
    root = tmp_path / "raw"
    for name in ("a.png", "b.png", "x.png", "y.png"):
        draw_image(root / name)
    for name in ("x", "y"):
        draw_mask(root / f"m{name}.png")
    return root
