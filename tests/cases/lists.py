"""Reading an original that has a list of its images, for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adaclip.data.prepare import Prepared, prepare
from adaclip.data.registry import dataset_for
from adaclip.errors import AdaclipError
from tests.raw import draw_image


def run(root: Path, **entry: Any) -> Prepared:
    # The folders hold more images than most of these lists name, on purpose.
    return prepare(dataset_for("own", {"unused": "allow", **entry}), root, root.parent / "out", jobs=1)


def found(root: Path, **entry: Any) -> dict[str, tuple[int, bool]]:
    """Label and whether there is a mask, by the image's name."""
    return {Path(row.image).name: (row.label, bool(row.mask)) for row in run(root, **entry).rows}


def refused(root: Path, **entry: Any) -> str:
    with pytest.raises(AdaclipError) as caught:
        run(root, **entry)
    assert "\n" not in str(caught.value)
    assert not (root.parent / "out").exists()
    return str(caught.value)


def folders(root: Path) -> None:
    """Folders that would be read if no listing were there, or if it were passed over."""
    draw_image(root / "good/1.png")
    draw_image(root / "bad/1.png")


TRUTH = {"a.png": (0, False), "b.png": (0, False), "x.png": (1, True), "y.png": (1, True)}
TABLE = "image,label,mask\na.png,0,\nb.png,normal,\nx.png,1,mx.png\ny.png,bad,my.png\n"
ENTRIES = [
    {"img_path": "a.png", "mask_path": "", "cls_name": "nut", "specie_name": "good", "anomaly": 0},
    {"img_path": "b.png", "mask_path": "", "cls_name": "nut", "specie_name": "good", "anomaly": 0},
    {"img_path": "x.png", "mask_path": "mx.png", "cls_name": "nut", "specie_name": "bent", "anomaly": 1},
    {"img_path": "y.png", "mask_path": "my.png", "cls_name": "nut", "specie_name": "bent", "anomaly": 1},
]
