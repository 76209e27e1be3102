"""The raw layouts of the medical sets: HeadCT, BrainMRI, Br35H, ISIC, ColonDB, ClinicDB, TN3K."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from adaclip.data.layouts import Original, read_original, recognise
from adaclip.data.registry import dataset_for
from adaclip.errors import AdaclipError
from tests.raw import draw_image, draw_mask


def read(root: Path, dataset: str) -> Original:
    return read_original(root, dataset_for(dataset))


def labels(original: Original) -> dict[str, int]:
    return {item.image.name: item.label for item in original.reading.items}


# HeadCT


def head_ct(root: Path, images: str = "head_ct/head_ct", header: str = "id, hemorrhage") -> Path:
    for number in range(4):
        draw_image(root / images / f"{number:03}.png")
    table = root / "labels.csv"
    table.write_text(f"{header}\n0,1\n1, 1\n2,0\n3,0\n")
    return table


@pytest.mark.parametrize("images", ["head_ct/head_ct", "head_ct", ""])
def test_headct(tmp_path: Path, images: str) -> None:
    head_ct(tmp_path, images)
    original = read(tmp_path, "headct")
    assert original.layout == "headct"
    assert labels(original) == {"000.png": 1, "001.png": 1, "002.png": 0, "003.png": 0}
    assert {item.category for item in original.reading.items} == {"headct"}


def test_headct_tables_that_do_not_fit(tmp_path: Path) -> None:
    table = head_ct(tmp_path)
    text = table.read_text()
    for wrong, message in (
        (text.replace("3,0\n", ""), r"has no label for .*003\.png"),
        (text + "4,0\n", "has a label for id 4, but"),
        (text + "3,1\n", "line 6: id 3 stands twice"),
        (text + "4,yes\n", "line 6: expected a number"),
        (text.replace("id, hemorrhage", "number,kind"), "expected the header"),
        (text.replace("id, hemorrhage", "image,label"), "line 2 names a file that is not there"),
        ("", "found nothing"),
        (text + "4,é\n", r"cannot read .*labels\.csv: line 6 is not in UTF-8"),
    ):
        table.write_text(wrong, encoding="latin-1")
        with pytest.raises(AdaclipError, match=message):
            read(tmp_path, "headct")


# BrainMRI, Br35H


def test_brain_mri_names(tmp_path: Path) -> None:
    """Suffixes in all spellings, spaces, and two images whose names differ in the suffix only."""
    top = tmp_path / "brain_tumor_dataset"
    for name in ("Y1.jpg", "Y92.jpg", "Y92.png", "Y4.JPG"):
        draw_image(top / "yes" / name)
    for name in ("1 no.jpeg", "No12.jpg", "no 2.jpg"):
        draw_image(top / "no" / name)
    original = read(tmp_path, "brain_mri")
    assert (original.layout, original.top) == ("folders", top)
    assert labels(original) == {
        "1 no.jpeg": 0, "No12.jpg": 0, "no 2.jpg": 0, "Y1.jpg": 1, "Y4.JPG": 1, "Y92.jpg": 1, "Y92.png": 1,
    }  # fmt: skip


def test_br35h_leaves_out_pred(tmp_path: Path) -> None:
    for folder in ("yes", "no", "pred"):
        for number in range(2):
            draw_image(tmp_path / folder / f"{folder}{number}.jpg")
    original = read(tmp_path, "br35h")
    assert sorted(labels(original)) == ["no0.jpg", "no1.jpg", "yes0.jpg", "yes1.jpg"]
    assert original.reading.notes == ["2 of 6 image files are not part of the set: 2 in pred"]


def test_hidden_shadows_are_no_images(tmp_path: Path) -> None:
    draw_image(tmp_path / "yes/Y1.jpg")
    draw_image(tmp_path / "no/N1.jpg")
    for shadow in ("yes/._Y1.jpg", "__MACOSX/yes/Y1.jpg", ".cache/no/N1.jpg"):
        (tmp_path / shadow).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / shadow).write_bytes(b"no image")
    original = read(tmp_path, "brain_mri")
    assert sorted(labels(original)) == ["N1.jpg", "Y1.jpg"]
    assert not original.reading.notes


def test_a_kind_of_image_that_is_not_read_is_said(tmp_path: Path) -> None:
    draw_image(tmp_path / "yes/Y1.jpg")
    draw_image(tmp_path / "no/N1.jpg")
    (tmp_path / "no/N2.heic").write_bytes(b"a picture")
    assert read(tmp_path, "brain_mri").reading.notes == ["1 of 3 image files are not part of the set: 1 in no"]


# Pairs of folders


@pytest.mark.parametrize(
    ("dataset", "images", "masks", "image", "mask"),
    [
        (
            "isic",
            "ISBI2016_ISIC_Part1_Test_Data",
            "ISBI2016_ISIC_Part1_Test_GroundTruth",
            "ISIC_{}.jpg",
            "ISIC_{}_Segmentation.png",
        ),
        ("clinicdb", "Original", "Ground Truth", "{}.tif", "{}.tif"),
        ("clinicdb", "images", "masks", "{}.png", "{}.png"),
        ("colondb", "images", "masks", "{}.png", "{}.png"),
        ("tn3k", "test-image", "test-mask", "{:04}.jpg", "{:04}.jpg"),
        ("clinicdb", "CVC-ClinicDB/TIF/Original", "CVC-ClinicDB/TIF/ground_truth", "{}.tif", "{}.tif"),
    ],
)
def test_pairs(tmp_path: Path, dataset: str, images: str, masks: str, image: str, mask: str) -> None:
    for number in (1, 2, 10):
        draw_image(tmp_path / images / image.format(number))
        draw_mask(tmp_path / masks / mask.format(number))
    original = read(tmp_path, dataset)
    assert original.layout == "pairs"
    found = {item.image: item.mask for item in original.reading.items}
    assert found == {tmp_path / images / image.format(n): tmp_path / masks / mask.format(n) for n in (1, 2, 10)}
    assert {(item.split, item.label) for item in original.reading.items} == {("test", 1)}


def test_pairs_without_partner(tmp_path: Path) -> None:
    for number in range(3):
        draw_image(tmp_path / "Original" / f"{number}.tif")
        draw_mask(tmp_path / "Ground Truth" / f"{number}.tif")
    (tmp_path / "Ground Truth/1.tif").unlink()
    with pytest.raises(AdaclipError, match=r"no mask for image .*Original/1\.tif"):
        read(tmp_path, "clinicdb")
    (tmp_path / "Original/1.tif").unlink()
    draw_mask(tmp_path / "Ground Truth/77.tif")
    with pytest.raises(AdaclipError, match=r"mask without an image: .*77\.tif"):
        read(tmp_path, "clinicdb")


def test_training_and_validation_parts(tmp_path: Path) -> None:
    for part in ("test", "trainval", "val"):
        draw_image(tmp_path / f"{part}-image/0.jpg")
        draw_mask(tmp_path / f"{part}-mask/0.jpg")
    original = read(tmp_path, "tn3k")
    assert Counter(item.split for item in original.reading.items) == {"test": 1, "train": 1}
    assert "images of val-image are for validation and are left out" in original.reading.notes


def test_of_several_sets_the_one_named_like_it(tmp_path: Path) -> None:
    for name in ("CVC-300", "CVC-ClinicDB", "CVC-ColonDB"):
        draw_image(tmp_path / name / "images/1.png")
        draw_mask(tmp_path / name / "masks/1.png")
    assert recognise(tmp_path, dataset_for("colondb")).top.name == "CVC-ColonDB"
    assert recognise(tmp_path, dataset_for("clinicdb")).top.name == "CVC-ClinicDB"


# ColonDB


def colon(folder: Path) -> None:
    for number, suffix in ((1, "tiff"), (77, "tif"), (97, "tif"), (100, "tiff")):
        draw_image(folder / f"{number}.{suffix}")
        draw_mask(folder / f"p{number}.{suffix}")
        draw_mask(folder / f"cp{number}.{suffix}")


def test_colondb(tmp_path: Path) -> None:
    colon(tmp_path / "CVC-ColonDB")
    original = read(tmp_path, "colondb")
    assert original.layout == "colondb"
    assert {item.image.name: item.mask.name for item in original.reading.items if item.mask} == {
        "1.tiff": "p1.tiff",
        "77.tif": "p77.tif",
        "97.tif": "p97.tif",
        "100.tiff": "p100.tiff",
    }
    assert original.reading.notes == ["4 contours are not used"]


def test_colondb_without_partner(tmp_path: Path) -> None:
    colon(tmp_path)
    (tmp_path / "p77.tif").unlink()
    with pytest.raises(AdaclipError, match=r"no mask p77 for image .*77\.tif"):
        read(tmp_path, "colondb")
    (tmp_path / "77.tif").unlink()
    draw_image(tmp_path / "1.tif")
    with pytest.raises(AdaclipError, match=r"1\.tif and 1\.tiff in .* have the same number"):
        read(tmp_path, "colondb")
    (tmp_path / "1.tif").unlink()
    draw_image(tmp_path / "x5.tif")
    with pytest.raises(AdaclipError, match=r"x5\.tif is neither"):
        read(tmp_path, "colondb")
    (tmp_path / "x5.tif").unlink()
    (tmp_path / "97.tif").unlink()
    with pytest.raises(AdaclipError, match=r"mask without an image: .*p97\.tif"):
        read(tmp_path, "colondb")
