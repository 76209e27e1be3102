"""Masks in raw folders: every one is paired with its image, or one line refuses; none is dropped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.data.prepare import prepare
from adaclip.data.registry import dataset_for
from adaclip.errors import AdaclipError
from tests.cases.folder_trees import draw, read, several, truth
from tests.raw import draw_mask


@pytest.mark.parametrize(
    "name", ["ground_truth", "GroundTruth", "Ground Truth", "gt", "masks", "Mask", "label", "annotations"]
)
@pytest.mark.parametrize("ending", ["", "_mask", "_gt", "-label"])
def test_masks_under_their_other_names(tmp_path: Path, name: str, ending: str) -> None:
    images = several("nut/test/good") + several("nut/test/bent", suffix=".JPG")
    masks = {f"nut/test/bent/{number:03}.JPG": f"nut/{name}/bent/{number:03}{ending}.png" for number in range(2)}
    found = truth(read(draw(tmp_path, images, masks.values())), tmp_path)
    assert found == {image: ("nut", "test", int(image in masks), masks.get(image)) for image in images}


@pytest.mark.parametrize(
    ("normal", "anomalous", "masks", "category"),
    [
        ("normal", "abnormal", "masks", "own"),
        ("test/normal/images", "test/anomalous/images", "test/anomalous/masks", "own"),
        ("test/good/img", "test/Ungood/img", "test/Ungood/label", "own"),
        ("nut/good", "nut/scratch", "nut/mask/scratch", "own"),
        ("images/normal", "images/abnormal", "masks/abnormal", "own"),
        ("good", "bad", "bad_masks", "own"),
        ("good", "bad", "bad/masks", "own"),
        ("nut/test/ok", "nut/test/bent", "nut/test/masks/bent", "nut"),
        ("test/nut/ok", "test/nut/bent", "ground_truth/nut/bent", "nut"),
        ("Test/OK/Images", "Test/NG/Images", "Test/NG/Masks", "own"),
        ("test/ok/img", "test/ko/img", "test/ko/anomaly_mask", "own"),
        ("ok/img", "hole/img", "hole/anomaly_mask", "own"),
        ("good", "hole", "groundtruth", "own"),
    ],
)
@pytest.mark.parametrize("wrapped", ["", "a/b/"])
def test_masks_wherever_they_are(
    tmp_path: Path, normal: str, anomalous: str, masks: str, category: str, wrapped: str
) -> None:
    good = [f"{wrapped}{normal}/n{number}.tif" for number in range(3)]
    bad = {f"{wrapped}{anomalous}/a{number}.tif": f"{wrapped}{masks}/a{number}.png" for number in range(2)}
    found = truth(read(draw(tmp_path, [*good, *bad], bad.values())), tmp_path)
    if wrapped and category == "own":
        category = next(iter(found.values()))[0]
        assert category in ("own", "b")
    assert found == {name: (category, "test", int(name in bad), bad.get(name)) for name in (*good, *bad)}


def test_masks_beside_their_images_in_one_folder(tmp_path: Path) -> None:
    draw(tmp_path, several("good") + several("bad"), [f"bad/{number:03}_mask.png" for number in range(2)])
    found = truth(read(tmp_path), tmp_path)
    assert found["bad/001.png"] == ("own", "test", 1, "bad/001_mask.png")
    assert set(found) == {*several("good"), *several("bad")}


def test_masks_tell_that_a_folder_beside_two_kinds_holds_defects(tmp_path: Path) -> None:
    images = [f"{kind}/{kind}{number}.png" for kind in ("good", "bad", "hole") for number in range(2)]
    draw(tmp_path, images)
    with pytest.raises(AdaclipError, match=r"2 in hole: say what they are in its entry, such as anomalous: \[hole\]"):
        read(tmp_path)
    draw(tmp_path, [], [f"masks/{kind}{number}.png" for kind in ("bad", "hole") for number in range(2)])
    found = truth(read(tmp_path), tmp_path)
    assert found["hole/hole1.png"] == ("own", "test", 1, "masks/hole1.png")
    assert len(found) == 6


@pytest.mark.parametrize("folder", ["", "images/", "a/b/c/"])
def test_one_folder_of_images_and_their_masks(tmp_path: Path, folder: str) -> None:
    masks = [f"{folder}{number}_seg.png" for number in range(2)]
    draw(tmp_path, [f"{folder}{number}.jpg" for number in range(2)], masks, masks[:1])
    found = truth(read(tmp_path), tmp_path)
    assert found == {f"{folder}{number}.jpg": ("own", "test", number, masks[number]) for number in range(2)}


def test_a_test_split_of_two_parts(tmp_path: Path) -> None:
    """As MVTec AD 2 has them; the private parts have no labels."""
    draw(tmp_path, several("can/train/good") + several("can/test_public/good") + several("can/test_public/bad"))
    draw(tmp_path, several("can/test_private", 1), several("can/test_public/ground_truth/bad"))
    with pytest.raises(AdaclipError, match="1 of 9 image files"):
        read(tmp_path)
    original = read(tmp_path, unused="allow")
    found = truth(original, tmp_path)
    assert found["can/test_public/bad/001.png"] == ("can", "test", 1, "can/test_public/ground_truth/bad/001.png")
    assert found["can/train/good/001.png"] == ("can", "train", 0, None)
    assert original.reading.notes == ["1 of 9 image files are not part of the set: 1 in can/test_private"]


def test_masks_of_equal_names_belong_to_the_anomalous_images(tmp_path: Path) -> None:
    draw(tmp_path, several("normal") + several("abnormal"), several("masks"))
    found = truth(read(tmp_path), tmp_path)
    assert found["abnormal/001.png"] == ("own", "test", 1, "masks/001.png")
    assert found["normal/001.png"] == ("own", "test", 0, None)


@pytest.mark.parametrize("order", ["{split}/{content}", "{content}/{split}", "{split}_{content}"])
def test_pairs_in_three_splits(tmp_path: Path, order: str) -> None:
    def folder(split: str, content: str) -> str:
        return order.format(split=split, content=content)

    pairs = {
        f"{folder(split, 'images')}/{split}_{number}.jpg": f"{folder(split, 'masks')}/{split}_{number}.png"
        for split in ("train", "val", "test")
        for number in range(2)
    }
    original = read(draw(tmp_path, pairs, pairs.values()))
    assert truth(original, tmp_path) == {
        image: ("own", image.partition("_0")[0].partition("_1")[0].split("/")[-1], 1, mask)
        for image, mask in pairs.items()
        if "/val_" not in image
    }
    assert any("for validation and are left out" in note for note in original.reading.notes)


def test_validation_is_the_test_split_where_there_is_none(tmp_path: Path) -> None:
    draw(tmp_path, several("train/images") + several("val/images"), several("train/masks") + several("val/masks"))
    original = read(tmp_path)
    assert truth(original, tmp_path)["val/images/000.png"] == ("own", "test", 1, "val/masks/000.png")
    assert any("without a test split" in note for note in original.reading.notes)


def test_an_empty_mask_means_a_normal_image(tmp_path: Path) -> None:
    draw(tmp_path, several("images", 3), several("masks", 3), ["masks/001.png"])
    found = truth(read(tmp_path), tmp_path)
    assert [label for _, _, label, _ in found.values()].count(0) == 1
    assert found["images/001.png"] == ("own", "test", 0, "masks/001.png")
    draw_mask(tmp_path / "masks/000.png", value=1)
    with pytest.raises(AdaclipError, match=r"is .* normal or anomalous"):
        read(tmp_path, options={"mask_rule": "half"})


def test_masks_that_fit_nothing_are_refused_and_named(tmp_path: Path) -> None:
    draw(tmp_path, several("good") + several("bad"), ["masks/x.png"])
    with pytest.raises(AdaclipError, match=r"mask without an image: .*masks/x\.png"):
        read(tmp_path)
    (tmp_path / "masks/x.png").unlink()
    draw(tmp_path, [], ["masks/scratch/000.png"])
    with pytest.raises(AdaclipError, match=r"masks without images: .*masks/scratch"):
        read(tmp_path)


@pytest.mark.parametrize("masks", ["bad", "masks"])
def test_a_part_of_the_masks_is_refused(tmp_path: Path, masks: str) -> None:
    draw(tmp_path, several("test/good") + several("test/bad", 3), [f"ground_truth/{masks}/000.png"])
    with pytest.raises(AdaclipError, match=r"no mask for image|masks without images"):
        read(tmp_path)


def test_an_image_without_a_mask_is_not_normal(tmp_path: Path) -> None:
    draw(tmp_path, several("images", 3), several("masks", 2))
    with pytest.raises(AdaclipError, match=r"no mask for image .*002\.png"):
        read(tmp_path)


def test_one_mask_for_two_defects_is_refused(tmp_path: Path) -> None:
    draw(tmp_path, several("test/good") + several("test/cut") + several("test/bent"), several("masks"))
    with pytest.raises(AdaclipError, match="claim the same mask"):
        read(tmp_path)


def test_masks_in_files_that_are_not_read_are_refused(tmp_path: Path) -> None:
    draw(tmp_path, several("good") + several("bad"))
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/000.npy").write_bytes(b"numbers")
    with pytest.raises(AdaclipError, match=r"masks should hold masks, but .*000\.npy"):
        read(tmp_path)
    assert len(read(tmp_path, unused="allow").reading.items) == 4


def test_a_defect_whose_name_speaks_of_masks(tmp_path: Path) -> None:
    draw(tmp_path, several("test/good") + several("test/missing_label"))
    with pytest.raises(AdaclipError, match="hold masks, or images of a defect"):
        read(tmp_path)
    assert truth(read(tmp_path, anomalous=["missing_label"]), tmp_path)["test/missing_label/000.png"][2] == 1


def test_masks_that_only_their_suffix_tells_from_images(tmp_path: Path) -> None:
    draw(tmp_path, [*several("good", suffix=".jpg"), *several("bad", suffix=".jpg"), "good/000.png"])
    assert len(read(tmp_path).reading.items) == 5
    draw_mask(tmp_path / "bad/000.png")
    with pytest.raises(AdaclipError, match=r"bad/000\.jpg and 000\.png looks like the mask"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["mask_{}", "GT-{}", "{}_label"])
def test_names_of_masks_beside_their_images(tmp_path: Path, name: str) -> None:
    draw(tmp_path, [*several("good"), "bad/a.png"], [f"bad/{name.format('a')}.png"])
    assert truth(read(tmp_path), tmp_path)["bad/a.png"] == ("own", "test", 1, f"bad/{name.format('a')}.png")


def test_images_that_look_like_masks_are_worth_a_warning(tmp_path: Path) -> None:
    draw(tmp_path / "raw", several("good") + several("bad"), ["bad/000_defects.png"])
    result = prepare(dataset_for("own"), tmp_path / "raw", tmp_path / "out", jobs=1)
    assert result.warnings == [
        "own: 1 of 5 images are black and one other grey only, as masks are, such as "
        "images/own/test/bad/000_defects.png: if they are masks, put them into a folder called masks"
    ]


@pytest.mark.parametrize("name", ["ground_truth/bent/000.npy", "masks/bent/000.mat", "nut/gt/bent/deep/000.txt"])
def test_masks_by_kind_in_files_that_are_no_images(tmp_path: Path, name: str) -> None:
    draw(tmp_path, several("nut/test/good") + several("nut/test/bent"))
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes(b"numbers")
    with pytest.raises(AdaclipError, match=r"should hold masks, but holds no image that is read \(such as 000"):
        read(tmp_path)
    assert len(truth(read(tmp_path, unused="allow"), tmp_path)) == 4


def test_outlines_beside_images_are_named(tmp_path: Path) -> None:
    draw(tmp_path, several("test/good") + several("test/bent"))
    (tmp_path / "test/bent/000.json").write_text('{"shapes": [], "imagePath": "000.png"}', encoding="utf-8")
    assert any("1 .json in test/bent" in note for note in read(tmp_path).reading.notes)


@pytest.mark.parametrize("name", ["ground_truth.zip", "nut_masks.tar.gz", "test/gt.7z"])
def test_an_archive_called_as_masks_is_never_passed_over(tmp_path: Path, name: str) -> None:
    draw(tmp_path, several("test/good") + several("test/bent"))
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(AdaclipError, match=r"called as masks are.*unpack it"):
        read(tmp_path)
    assert any("not opened" in note for note in read(tmp_path, unused="allow").reading.notes)


@pytest.mark.parametrize("name", ["train.parquet", "test.xlsx", "validation.ods", "labels.parquet"])
def test_a_list_of_one_split_that_is_not_read_is_the_error(tmp_path: Path, name: str) -> None:
    draw(tmp_path, several("test/good") + several("test/bent"))
    (tmp_path / name).write_bytes(b"PAR1")
    with pytest.raises(AdaclipError, match="a listing in a format that is not read"):
        read(tmp_path)


@pytest.mark.parametrize("inverted", [False, True])
def test_inverted_masks_are_told(tmp_path: Path, inverted: bool) -> None:
    draw(tmp_path / "raw", several("test/good") + several("test/bent"))
    for number in range(2):
        mask = draw_mask(tmp_path / f"raw/ground_truth/bent/{number:03}.png")
        if inverted:
            pixels = np.asarray(Image.open(mask))
            Image.fromarray(255 - pixels).save(mask)
    told = prepare(dataset_for("own", {}), tmp_path / "raw", tmp_path / "out", jobs=1).warnings
    assert any("2 of 2 masks mark more than half of their image" in text for text in told) is inverted
