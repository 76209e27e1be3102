"""Originals to prepared sets: what is checked, what is changed, and that nothing is lost."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from adaclip.data.decode import open_image, open_mask
from adaclip.data.manifest import read_manifest, read_prepared
from adaclip.data.prepare import Prepared, prepare
from adaclip.data.registry import dataset_for
from adaclip.errors import AdaclipError, UsageError
from tests.raw import damage, draw_image, draw_mask
from tests.unit.test_decode import mislabelled_tiff


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A small set in MVTec's layout: 2 + 3 test images, 1 for training."""
    root = tmp_path / "raw"
    draw_image(root / "nut/train/good/000.png")
    for number in range(2):
        draw_image(root / f"nut/test/good/{number:03}.png")
    for number in range(3):
        draw_image(root / f"nut/test/bent/{number:03}.png")
        draw_mask(root / f"nut/ground_truth/bent/{number:03}_mask.png")
    return root


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "prepared/mine"


def run(raw: Path, out: Path, dataset: str = "mine", **entry: Any) -> Prepared:
    return prepare(dataset_for(dataset, entry), raw, out, jobs=1)


def pixels(path: Path) -> Any:
    return np.asarray(open_image(path).convert("RGB"))


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_prepared_set(raw: Path, out: Path) -> None:
    result = run(raw, out)
    frame = read_manifest(out / "manifest.csv")
    assert len(frame) == 6
    for row in frame.to_dict("records"):
        image = out / row["image"]
        kind = "test" if row["split"] == "test" else "train"
        source = raw / "nut" / kind / row["defect"] / image.name
        assert image.read_bytes() == source.read_bytes()
        assert row["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
        assert (row["width"], row["height"]) == (12, 9)
        assert bool(row["mask"]) == (row["label"] == 1)
        if row["mask"]:
            assert (out / row["mask"]).name == f"{image.stem}_mask.png"
            assert np.asarray(open_mask(out / row["mask"])).any()
    facts = read_prepared(out / "manifest.csv")
    assert facts["counts"] == {"test": {"normal": 2, "anomalous": 3}, "train": {"normal": 1, "anomalous": 0}}
    assert facts["counts_by_category"] == {"nut": facts["counts"]}
    assert facts["labels"] == ["image", "mask"]
    assert facts["options"] == {"mask_rule": "nonzero", "tiff_reading": "colour"}
    assert (facts["set"], facts["layout"], facts["prompts"]) == ("mine", "mvtec", {"nut": "nut"})
    assert facts["source"] == str(raw)
    assert facts["warnings"] == facts["duplicate_groups"] == []
    assert "layout mvtec, 6 images (test 2 + 3, train 1 + 0 normal + anomalous), 3 masks" in result.text()


def test_meta_json_stands_beside_and_can_be_prepared_again(raw: Path, out: Path, tmp_path: Path) -> None:
    run(raw, out)
    (out / "manifest.csv").rename(tmp_path / "first.csv")
    again = run(out, tmp_path / "again")
    assert again.layout == "meta"
    assert (tmp_path / "again/manifest.csv").read_bytes() == (tmp_path / "first.csv").read_bytes()


def test_processes_give_the_same_bytes(out: Path, tmp_path: Path) -> None:
    for number in range(120):
        draw_image(tmp_path / "raw" / ("good" if number % 2 else "bad") / f"{number}.png")
    prepare(dataset_for("mine"), tmp_path / "raw", out, jobs=1)
    prepare(dataset_for("mine"), tmp_path / "raw", tmp_path / "other/mine", jobs=2)
    assert (out / "manifest.csv").read_bytes() == (tmp_path / "other/mine/manifest.csv").read_bytes()
    assert len(read_manifest(out / "manifest.csv")) == 120
    damage(tmp_path / "raw/bad/60.png")
    with pytest.raises(AdaclipError, match=r"cannot decode .*bad/60\.png"):
        prepare(dataset_for("mine"), tmp_path / "raw", out, jobs=2)
    assert len(read_manifest(out / "manifest.csv")) == 120


# What is refused


def test_an_error_leaves_the_earlier_set_and_nothing_else(raw: Path, out: Path) -> None:
    run(raw, out)
    before = (out / "manifest.csv").read_bytes()
    damage(raw / "nut/test/bent/001.png")
    with pytest.raises(AdaclipError, match=r"cannot decode .*bent/001\.png"):
        run(raw, out)
    assert (out / "manifest.csv").read_bytes() == before
    assert [entry.name for entry in out.parent.iterdir()] == ["mine"]


def test_damaged_mask(raw: Path, out: Path) -> None:
    damage(raw / "nut/ground_truth/bent/001_mask.png")
    with pytest.raises(AdaclipError, match=r"cannot decode .*001_mask\.png"):
        run(raw, out)
    assert not out.exists()


def test_zero_bytes_and_another_type(raw: Path, out: Path) -> None:
    (raw / "nut/test/good/001.png").write_bytes(b"")
    with pytest.raises(AdaclipError, match=r"good/001\.png is empty"):
        run(raw, out)
    (raw / "nut/test/good/001.png").write_text("<html>please log in</html>")
    with pytest.raises(AdaclipError, match=r"good/001\.png: it is a web page"):
        run(raw, out)


def test_a_link_that_leads_nowhere_is_not_passed_over(raw: Path, out: Path) -> None:
    (raw / "nut/test/good/002.png").symlink_to(raw / "gone.png")
    with pytest.raises(AdaclipError, match=r"no such image: .*good/002\.png"):
        run(raw, out)


def test_mask_of_another_size(raw: Path, out: Path) -> None:
    draw_mask(raw / "nut/ground_truth/bent/001_mask.png", size=(9, 12))
    with pytest.raises(AdaclipError, match=r"001_mask\.png is 9 x 12, but its image .*001\.png is 12 x 9"):
        run(raw, out)


def test_empty_mask(raw: Path, out: Path) -> None:
    draw_mask(raw / "nut/ground_truth/bent/001_mask.png", value=0)
    with pytest.raises(AdaclipError, match=r"001_mask\.png is empty, but its image .*001\.png is labelled anomalous"):
        run(raw, out)


def test_missing_folder(tmp_path: Path, out: Path) -> None:
    with pytest.raises(AdaclipError, match="no such file or folder"):
        run(tmp_path / "none", out)


def test_places_that_would_lose_something(raw: Path, tmp_path: Path) -> None:
    for place in (raw, raw / "out", tmp_path):
        with pytest.raises(UsageError, match="lie in one another"):
            run(raw, place)
    photos = tmp_path / "photos"
    draw_image(photos / "holiday.png")
    with pytest.raises(UsageError, match=r"holds holiday\.png, which is no part of a prepared set"):
        run(raw, photos)
    assert (photos / "holiday.png").exists()
    with pytest.raises(UsageError, match="is a file"):
        run(raw, photos / "holiday.png")


def test_an_interrupted_set_is_replaced(raw: Path, out: Path) -> None:
    """Before a rule runs again, Snakemake removes the manifest and leaves the folders."""
    run(raw, out)
    (out / "manifest.csv").unlink()
    (out / "prepared.json").unlink()
    run(raw, out)
    assert len(read_manifest(out / "manifest.csv")) == 6


# Masks


def test_half_rule_is_written_out(raw: Path, out: Path) -> None:
    mask = np.array(Image.open(raw / "nut/ground_truth/bent/000_mask.png"))
    mask[7] = 127
    mask[8] = 128
    Image.fromarray(mask).save(raw / "nut/ground_truth/bent/000_mask.png")
    result = run(raw, out, options={"mask_rule": "half"})
    found = np.asarray(Image.open(out / "masks/nut/test/bent/000_mask.png"))
    assert np.array_equal(found, np.where(mask > 127, 255, 0))
    assert read_prepared(out / "manifest.csv")["options"]["mask_rule"] == "half"
    said = "1 of 3 masks are not binary; in 1 of them the rule nonzero marks over 10 %"
    assert any(note.startswith(said) for note in result.notes)
    # As published it is linked, whatever values it has.
    run(raw, out)
    assert np.array_equal(np.asarray(Image.open(out / "masks/nut/test/bent/000_mask.png")), mask)


def test_half_rule_on_label_masks_says_why_they_are_empty(raw: Path, out: Path) -> None:
    draw_mask(raw / "nut/ground_truth/bent/000_mask.png", value=2)
    run(raw, out)
    with pytest.raises(AdaclipError, match=r"000_mask\.png is empty above 127 \(option mask_rule: half\)"):
        run(raw, out, options={"mask_rule": "half"})


def test_normal_images_with_masks(out: Path, tmp_path: Path) -> None:
    root = tmp_path / "raw"
    draw_image(root / "a.png")
    draw_image(root / "b.png")
    draw_mask(root / "m/a.png", value=0)
    draw_mask(root / "m/b.png")
    (root / "manifest.csv").write_text("image,mask,label\na.png,m/a.png,0\nb.png,m/b.png,1\n")
    run(root, out)
    assert [(row["label"], bool(row["mask"])) for row in rows(out)] == [("1", True), ("0", False)]
    (root / "manifest.csv").write_text("image,mask,label\na.png,m/a.png,0\nb.png,m/b.png,0\n")
    with pytest.raises(AdaclipError, match=r"b\.png marks 30 pixels, but its image .*b\.png is labelled normal"):
        run(root, out)


def test_anomalous_images_without_mask(out: Path, tmp_path: Path) -> None:
    root = tmp_path / "raw"
    for name in "abc":
        draw_image(root / f"{name}.png")
    draw_mask(root / "m/a.png")
    (root / "manifest.csv").write_text("image,mask,label\na.png,m/a.png,1\nb.png,none,1\nc.png,,0\n")
    assert run(root, out).warnings == ["mine: 1 of 2 anomalous images have no mask: pixel figures leave them out"]
    with pytest.raises(AdaclipError, match=r"no mask for image .*b\.png, but the set should have masks"):
        run(root, out, labels=["image", "mask"])


# What is changed on the way


def test_ksdd_thirds(out: Path, tmp_path: Path) -> None:
    size = (6, 31)
    for part in range(2):
        draw_image(tmp_path / f"raw/kos01/Part{part}.jpg", mode="L", size=size)
        draw_mask(tmp_path / f"raw/kos01/Part{part}_label.bmp", 255, size, slice(9, 12) if part else slice(0, 0))
    run(tmp_path / "raw", out, "ksdd")
    found = {Path(row["image"]).name: row for row in rows(out)}
    source = pixels(tmp_path / "raw/kos01/Part1.jpg")
    first, second = found["kos01_Part1_1.png"], found["kos01_Part1_2.png"]
    assert np.array_equal(pixels(out / first["image"]), source[:10])
    assert np.array_equal(pixels(out / second["image"]), source[10:20])
    assert (first["width"], first["height"], first["label"]) == ("6", "10", "1")
    mask = np.asarray(open_mask(out / second["mask"]))
    assert mask.shape == (10, 6)
    assert mask[:2, 1:-1].all()
    assert mask.sum() == 2 * 4 * 255
    assert first["sha256"] == hashlib.sha256((out / first["image"]).read_bytes()).hexdigest()
    # Four normal thirds, one kept.
    assert sorted(row["label"] for row in found.values()) == ["0", "1", "1"]
    assert all(not row["mask"] for row in found.values() if row["label"] == "0")


def test_ksdd_whole(out: Path, tmp_path: Path) -> None:
    for item in (1, 2):
        draw_image(tmp_path / f"raw/kos{item:02}/Part0.jpg", mode="L")
        draw_mask(tmp_path / f"raw/kos{item:02}/Part0_label.bmp", 255 if item == 1 else 0)
    result = run(tmp_path / "raw", out, "ksdd", options={"ksdd_cut": "whole"})
    assert [(row["image"], row["mask"]) for row in rows(out)] == [
        ("images/SDD/test/defect/kos01_Part0.jpg", "masks/SDD/test/defect/kos01_Part0.bmp"),
        ("images/SDD/test/good/kos02_Part0.jpg", ""),
    ]
    assert "ksdd: 1 normal test images, the published set has 347" in result.warnings


def test_clinicdb_in_colour_and_as_the_reference_sees_it(out: Path, tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    for number in range(2):
        (tmp_path / "raw/Original").mkdir(parents=True, exist_ok=True)
        colour[0, 0] = number
        (tmp_path / f"raw/Original/{number}.tif").write_bytes(mislabelled_tiff(colour))
        draw_mask(tmp_path / f"raw/Ground Truth/{number}.tif")
    run(tmp_path / "raw", out, "clinicdb")
    # As PNG, so that programs that would refuse the TIFF or see it in grey read the colours too.
    assert rows(out)[1]["image"].endswith("1.tif.png")
    with Image.open(out / rows(out)[1]["image"]) as image:
        assert np.array_equal(np.asarray(image), colour)
    result = run(tmp_path / "raw", out, "clinicdb", options={"tiff_reading": "reference_grey"})
    assert rows(out)[1]["image"].endswith("1.tif.png")
    assert np.array_equal(pixels(out / rows(out)[1]["image"]), colour[..., [0, 0, 0]])
    assert "2 colour TIFFs were read as the grey of their first channel, as the reference does" in result.notes


def test_an_option_that_changes_nothing(raw: Path, out: Path) -> None:
    with pytest.raises(UsageError, match="reference_grey changes nothing"):
        run(raw, out, options={"tiff_reading": "reference_grey"})


def test_16_bit_images_are_scaled(out: Path, tmp_path: Path) -> None:
    values = np.arange(12 * 9, dtype=np.uint16).reshape(9, 12)
    for folder, factor in (("good", 600), ("bad", 30)):
        (tmp_path / "raw" / folder).mkdir(parents=True)
        Image.fromarray(values * np.uint16(factor)).save(tmp_path / "raw" / folder / "1.png")
    result = run(tmp_path / "raw", out)
    found = Image.open(out / "images/mine/test/good/1.png")
    assert found.mode == "L"
    assert np.array_equal(np.asarray(found), np.round(values * 600.0 / 257))
    assert "2 16-bit grey images were scaled from 0..65535 to 8 bits" in result.notes
    assert len(result.warnings) == 1
    assert "1 16-bit images use values below 4096 only" in result.warnings[0]


def test_odd_images_go_in_as_they_are(out: Path, tmp_path: Path) -> None:
    """RGBA, grey, palette and PNGs called .jpg: content decides, and no file is lost."""
    draw_image(tmp_path / "raw/no/1 no.jpg", kind="PNG")
    draw_image(tmp_path / "raw/no/2.png", mode="RGBA")
    draw_image(tmp_path / "raw/yes/Y92.jpg", mode="L")
    draw_image(tmp_path / "raw/yes/Y92.png", mode="P")
    run(tmp_path / "raw", out, "brain_mri")
    assert [Path(row["image"]).name for row in rows(out)] == ["1 no.jpg", "2.png", "Y92.jpg", "Y92.png"]
    for row in rows(out):
        source = tmp_path / "raw" / row["defect"] / Path(row["image"]).name
        assert (out / row["image"]).read_bytes() == source.read_bytes()


# What a person should look at


def test_counts_are_held_against_the_registry(raw: Path, out: Path) -> None:
    (raw / "nut").rename(raw / "bottle")
    warnings = run(raw, out, "mvtec").warnings
    assert "mvtec: 2 normal test images of bottle, the published set has 20" in warnings
    assert "mvtec: 3 anomalous test images of bottle, the published set has 63" in warnings
    assert warnings[0].startswith("mvtec: no images of the categories cable, capsule")
    assert len(warnings) == 3
    assert run(raw, out, test={"normal": 2, "anomalous": 4}).warnings == [
        "mine: 3 anomalous test images, the published set has 4"
    ]
    assert not run(raw, out, test={"normal": 2, "anomalous": 3}).warnings


def test_duplicates(raw: Path, out: Path) -> None:
    shutil.copy(raw / "nut/test/good/000.png", raw / "nut/test/good/007.png")
    assert run(raw, out).warnings == ["mine: 1 group of identical image files (listed in prepared.json)"]
    shutil.copy(raw / "nut/test/good/001.png", raw / "nut/test/bent/000.png")
    assert run(raw, out).warnings == [
        "mine: 2 groups of identical image files (listed in prepared.json), 1 of them with different labels"
    ]
    assert json.loads((out / "prepared.json").read_text())["duplicate_groups"] == [
        ["images/nut/test/bent/000.png", "images/nut/test/good/001.png"],
        ["images/nut/test/good/000.png", "images/nut/test/good/007.png"],
    ]


# Archives


@pytest.mark.parametrize("kind", ["zip", "tar.xz", "tar"])
def test_archive(raw: Path, out: Path, tmp_path: Path, kind: str) -> None:
    name = shutil.make_archive(str(tmp_path / "set"), {"zip": "zip", "tar": "tar", "tar.xz": "xztar"}[kind], raw)
    assert name.endswith(kind)
    run(raw, tmp_path / "from_folder")
    run(Path(name), out)
    assert (out / "manifest.csv").read_bytes() == (tmp_path / "from_folder/manifest.csv").read_bytes()
    assert [entry.name for entry in out.parent.iterdir()] == ["mine"]


@pytest.mark.parametrize("wrapped", [True, False])
def test_folder_of_two_archives(out: Path, tmp_path: Path, wrapped: bool) -> None:
    """ISIC: images and masks come as two archives; some copies have no folder inside."""
    store = tmp_path / "raw"
    store.mkdir()
    for name, draw in (("Test_Data", draw_image), ("Test_GroundTruth", draw_mask)):
        ending = "_Segmentation.png" if name == "Test_GroundTruth" else ".jpg"
        with zipfile.ZipFile(store / f"{name}.zip", "w") as archive:
            for number in range(2):
                file = draw(tmp_path / "files" / name / f"ISIC_{number}{ending}")
                archive.write(file, f"{name}/{file.name}" if wrapped else file.name)
    result = run(store, out, "isic")
    assert result.layout == "pairs"
    assert [bool(row["mask"]) for row in rows(out)] == [True, True]


def test_archive_in_an_archive(raw: Path, out: Path, tmp_path: Path) -> None:
    inner = shutil.make_archive(str(tmp_path / "inner"), "zip", raw)
    with tarfile.open(tmp_path / "outer.tar", "w") as archive:
        archive.add(inner, "data/inner.zip")
    assert len(run(tmp_path / "outer.tar", out).rows) == 6


def test_damaged_archive(raw: Path, out: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "set"), "zip", raw))
    damage(archive)
    with pytest.raises(AdaclipError, match=r"set\.zip"):
        run(archive, out)
    assert list(out.parent.iterdir()) == []


def test_what_is_wrong_in_an_archive_is_named_by_the_archive(raw: Path, out: Path, tmp_path: Path) -> None:
    """The folder that it was unpacked to is gone when a person reads the error."""
    damage(raw / "nut/test/good/000.png")
    archive = Path(shutil.make_archive(str(tmp_path / "set"), "zip", raw))
    with pytest.raises(AdaclipError, match=rf"cannot decode {archive}/nut/test/good/000\.png"):
        run(archive, out)
    shutil.rmtree(raw / "nut/test")
    archive = Path(shutil.make_archive(str(tmp_path / "other"), "zip", raw))
    with pytest.raises(AdaclipError, match=rf"masks without images: {archive}/nut/ground_truth/bent"):
        run(archive, out)


def test_a_list_is_no_archive(raw: Path, out: Path) -> None:
    (raw / "manifest.csv").write_text("image,label\n")
    with pytest.raises(AdaclipError, match="give the folder that holds it"):
        run(raw / "manifest.csv", out)


def test_folders_beside_one_another_in_two_archives_may_not_collide(raw: Path, out: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    for name in ("a", "b"):
        content = io.BytesIO((raw / "nut/test/good/000.png").read_bytes())
        with tarfile.open(store / f"{name}.tar", "w") as archive:
            entry = tarfile.TarInfo("x/000.png")
            entry.size = content.getbuffer().nbytes
            archive.addfile(entry, content)
    with pytest.raises(AdaclipError, match=r"b\.tar holds 000\.png, and so does another archive"):
        run(store, out)
