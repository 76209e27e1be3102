"""An overview counts what is there, and its thumbnails show the mask's outline around what it marks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.cli import main
from adaclip.data.manifest import ManifestRow, write_manifest
from adaclip.errors import AdaclipError
from adaclip.report.overview import OUTLINE, draw_outline, write_overview


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Two categories: `a` with masks over 1, 4 and 16 % of 20 x 10 images, `b` normal only, one image grey JPEG."""
    rows = []

    def add(category: str, split: str, name: str, label: int, image: Image.Image, covered: int = 0) -> None:
        path = tmp_path / "images" / category / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
        mask = ""
        if covered:
            mask = f"masks/{name}"
            values = np.zeros(200, np.uint8)
            values[:covered] = 3
            (tmp_path / "masks").mkdir(exist_ok=True)
            Image.fromarray(values.reshape(10, 20)).save(tmp_path / mask)
        defect = "bent" if label else "good"
        size = image.size
        rows.append(ManifestRow("toy", category, split, f"images/{category}/{name}", mask, label, defect, *size, ""))

    colour = Image.new("RGB", (20, 10), (10, 20, 30))
    for name, covered in (("1.png", 2), ("2.png", 32), ("3.png", 8)):
        add("a", "test", name, 1, colour, covered)
    add("a", "test", "good.png", 0, colour)
    add("a", "train", "good2.png", 0, colour)
    add("b", "test", "good.png", 0, Image.new("RGB", (400, 300)))
    # Grey, and a JPEG under the name of a PNG.
    Image.new("L", (7, 5)).save(tmp_path / "grey.jpg")
    add("b", "test", "grey.png", 0, colour)
    (tmp_path / "images/b/grey.png").write_bytes((tmp_path / "grey.jpg").read_bytes())
    rows[-1] = ManifestRow(**{**rows[-1].__dict__, "width": 7, "height": 5})
    write_manifest(tmp_path / "manifest.csv", rows)
    (tmp_path / "prepared.json").write_text(
        json.dumps(
            {"title": "Toy", "domain": "custom", "labels": ["mask"], "prompts": {"a": "bolt"}, "warnings": ["w"]}
        )
    )
    return tmp_path / "manifest.csv"


def test_counts_sizes_modes_and_areas(manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "overview"
    assert main(["overview", "--manifest", str(manifest), "--out", str(out), "--jobs", "1"]) == 0
    found = json.loads((out / "overview.json").read_text())
    assert (found["set"], found["title"], found["images"], found["warnings"]) == ("toy", "Toy", 7, ["w"])
    assert found["splits"] == {"test": {"normal": 3, "anomalous": 3}, "train": {"normal": 1, "anomalous": 0}}
    assert found["size"] == {
        "different": 3,
        "smallest": [7, 5],
        "largest": [400, 300],
        "frequent": [
            {"width": 20, "height": 10, "images": 5},
            {"width": 7, "height": 5, "images": 1},
            {"width": 400, "height": 300, "images": 1},
        ],
    }
    assert found["modes"] == [{"mode": "RGB", "images": 6}, {"mode": "L", "images": 1}]
    assert found["formats"] == [{"format": "PNG", "images": 6}, {"format": "JPEG", "images": 1}]
    assert found["mask_area"] == pytest.approx({"masks": 3, "min": 0.01, "median": 0.04, "max": 0.16})
    a, b = found["categories"]
    assert (a["name"], a["prompt"], b["prompt"], b["mask_area"]) == ("a", "bolt", "b", None)
    assert [(e["kind"], e["image"], e["outlined"]) for e in a["examples"]] == [
        ("normal", "images/a/good.png", False),
        ("anomalous", "images/a/3.png", True),
    ]
    assert a["examples"][1]["alt"] == "a, anomalous (bent), mask outlined"
    assert [e["kind"] for e in b["examples"]] == ["normal"]
    for example in a["examples"] + b["examples"]:
        with Image.open(out / example["file"]) as thumbnail:
            assert thumbnail.size == (example["width"], example["height"])
            assert max(thumbnail.size) <= 192


def test_thumbnails_of_before_go(manifest: Path, tmp_path: Path) -> None:
    stale = tmp_path / "overview" / "thumbnails" / "007_normal.webp"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"")
    write_overview(manifest, tmp_path / "overview")
    assert not stale.exists()
    assert (stale.parent / "000_normal.webp").exists()


def test_outline_surrounds_the_mask_and_leaves_what_it_marks() -> None:
    image = Image.new("RGB", (40, 40), (100, 0, 0))
    mask = Image.new("L", (40, 40))
    mask.paste(1, (10, 10, 20, 20))
    draw_outline(image, mask)
    pixels = np.asarray(image)
    assert (pixels[10:20, 10:20] == (100, 0, 0)).all()
    assert (pixels[9, 9:21] == OUTLINE).all()
    assert (pixels[20, 9:21] == OUTLINE).all()
    assert (pixels[30:, 30:] == (100, 0, 0)).all()


def test_one_pixel_of_a_large_mask_is_outlined() -> None:
    image = Image.new("RGB", (20, 20))
    mask = Image.new("L", (2000, 2000))
    mask.putpixel((1050, 1050), 255)
    draw_outline(image, mask)
    assert (np.asarray(image)[9:12, 9:12] == OUTLINE).all(axis=2).sum() == 8


def test_missing_file_is_named(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "images/a/1.png").unlink()
    with pytest.raises(AdaclipError, match=r"no such image: .*1\.png"):
        write_overview(manifest, tmp_path / "overview")
    assert not (tmp_path / "overview" / "overview.json").exists()
