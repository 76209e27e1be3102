"""Raw folders: every label and mask is right, or one line refuses; nothing is guessed, dropped or passed over.

Each tree is written with its truth: a path, and what the image shows. Masks are written beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from adaclip.data.layouts import Original, read_original
from adaclip.data.layouts.kinds import label_of, sounds_normal
from adaclip.data.registry import dataset_for, reading_facts
from adaclip.errors import AdaclipError, UsageError
from tests.raw import draw_image, draw_mask

Truth = dict[str, tuple[str, str, int, str | None]]


def draw(root: Path, images: Iterable[str], masks: Iterable[str] = (), empty: Iterable[str] = ()) -> Path:
    for name in images:
        draw_image(root / name)
    for name in masks:
        draw_mask(root / name)
    for name in empty:
        draw_mask(root / name, value=0)
    return root


def read(root: Path, dataset: str = "own", **entry: Any) -> Original:
    return read_original(root, dataset_for(dataset, entry))


def truth(original: Original, root: Path) -> Truth:
    """(category, split, label, mask) of each image."""
    return {
        item.image.relative_to(root).as_posix(): (
            item.category,
            item.split,
            item.label,
            item.mask.relative_to(root).as_posix() if item.mask else None,
        )
        for item in original.reading.items
    }


def several(folder: str, count: int = 2, suffix: str = ".png") -> list[str]:
    return [f"{folder}/{number:03}{suffix}" for number in range(count)]


# Which kind is normal


@pytest.mark.parametrize(
    ("normal", "anomalous"),
    [
        ("normal", "abnormal"),
        ("Normal", "Anomalous"),
        ("good", "ungood"),
        ("OK", "NG"),
        ("healthy", "diseased"),
        ("negative", "positive"),
        ("no", "yes"),
        ("Non-Defective", "Defective"),
        ("non defective", "defects"),
        ("NonDefective", "Faulty"),
        ("intact", "broken"),
        ("clean", "not_ok"),
        ("no_defect", "no_good"),
        ("test_good", "test_bad"),
    ],
)
@pytest.mark.parametrize("layout", ["mvtec", "folders", "below", "beside"])
def test_words_for_normal_are_one_table(tmp_path: Path, normal: str, anomalous: str, layout: str) -> None:
    top = {"mvtec": "nut/test/", "folders": "", "below": "test/", "beside": "nut/images/"}[layout]
    images = several(f"{top}{normal}") + several(f"{top}{anomalous}", 3)
    found = truth(read(draw(tmp_path, images)), tmp_path)
    assert {name: label for name, (_, _, label, _) in found.items()} == {
        name: int(name.startswith(f"{top}{anomalous}/")) for name in images
    }


@pytest.mark.parametrize(
    "odd", ["ok_front", "good_2", "normal-light", "GoodFront", "good (2)", "without_scratch", "golden", "unsorted"]
)
def test_a_kind_that_sounds_normal_is_never_taken_for_a_defect(tmp_path: Path, odd: str) -> None:
    draw(tmp_path, several("nut/test/good") + several(f"nut/test/{odd}") + several("nut/test/bent"))
    with pytest.raises(AdaclipError, match="looks as if it were normal") as error:
        read(tmp_path)
    assert f"normal: [{odd}]" in str(error.value)
    labels = {item.defect: item.label for item in read(tmp_path, normal=[odd]).reading.items}
    assert labels == {"good": 0, odd: 0, "bent": 1}
    labels = {item.defect: item.label for item in read(tmp_path, anomalous=[odd]).reading.items}
    assert labels == {"good": 0, odd: 1, "bent": 1}


@pytest.mark.parametrize("split", ["test", "Test", "TESTING"])
def test_a_test_split_without_a_normal_kind_is_refused(tmp_path: Path, split: str) -> None:
    draw(tmp_path, several("nut/train/good") + several(f"nut/{split}/front") + several(f"nut/{split}/scratch"))
    with pytest.raises(
        AdaclipError, match=r"no kind that is surely normal \(kinds: front, scratch\).*anomalous: \[front, scratch\]"
    ):
        read(tmp_path)
    labels = {
        item.defect: item.label for item in read(tmp_path, normal=["Front"]).reading.items if item.split == "test"
    }
    assert labels == {"front": 0, "scratch": 1}


def test_a_training_kind_that_nobody_can_call(tmp_path: Path) -> None:
    draw(tmp_path, several("nut/train/front") + several("nut/test/good") + several("nut/test/bent"))
    with pytest.raises(AdaclipError, match="kinds: front"):
        read(tmp_path)
    (tmp_path / "nut/train/front").rename(tmp_path / "nut/train/bent")
    found = truth(read(tmp_path), tmp_path)
    assert found["nut/train/bent/000.png"] == ("nut", "train", 1, None)


def test_what_is_said_of_kinds_must_be_of_kinds_that_are_there(tmp_path: Path) -> None:
    draw(tmp_path, several("good") + several("bad"))
    with pytest.raises(UsageError, match="'normal' names 'ok_frnt', but no folder"):
        read(tmp_path, normal=["ok_frnt"])
    with pytest.raises(UsageError, match="both normal and anomalous"):
        read(tmp_path, normal=["good"], anomalous=["Good"])
    labels = {item.defect: item.label for item in read(tmp_path, normal=["bad"], anomalous=["good"]).reading.items}
    assert labels == {"good": 1, "bad": 0}
    draw(tmp_path / "listed", ["1.png"])
    (tmp_path / "listed/manifest.csv").write_text("image,label\n1.png,0\n")
    with pytest.raises(UsageError, match="change nothing in the layout 'csv'"):
        read(tmp_path / "listed", normal=["1"])


def test_what_is_said_of_kinds_plans_the_preparation_anew() -> None:
    facts = [reading_facts(dataset_for("own", entry)) for entry in ({}, {"normal": ["a"]}, {"unused": "allow"})]
    assert facts[0] != facts[1] != facts[2] != facts[0]


def test_folders_without_a_split_are_what_the_entry_says(tmp_path: Path) -> None:
    draw(tmp_path, several("good", 5) + several("bent") + several("cut"))
    with pytest.raises(AdaclipError, match="not in a known layout"):
        read(tmp_path)
    labels = {item.defect: item.label for item in read(tmp_path, anomalous=["bent", "cut"]).reading.items}
    assert labels == {"good": 0, "bent": 1, "cut": 1}


@pytest.mark.parametrize("name", ["bottle_train", "test nuts"])
def test_a_folder_that_may_be_a_split_or_a_category(tmp_path: Path, name: str) -> None:
    draw(tmp_path, several(f"{name}/good") + several(f"{name}/bad") + several("other/good") + several("other/bad"))
    with pytest.raises(AdaclipError, match="a split or a category"):
        read(tmp_path)


def test_table_of_words() -> None:
    assert [label_of(word) for word in ("GOOD", "No Defect", "n.g.", "NOK", "scratch", "ok_front")] == [
        0, 0, 1, 1, None, None,
    ]  # fmt: skip
    assert not any(map(sounds_normal, ("scratch", "color", "broken_large", "book", "noise", "cut_lead", "knot")))


# What lies below the folder


@pytest.mark.parametrize("wrapped", ["", "wrapped/", "one/two/three/four/"])
def test_several_folders_are_categories(tmp_path: Path, wrapped: str) -> None:
    lines = ["line1", "line2", "Line 3"]
    images = [name for line in lines for kind in ("good", "bad") for name in several(f"{wrapped}{line}/{kind}")]
    found = truth(read(draw(tmp_path, images)), tmp_path)
    assert found == {name: (name.split("/")[-3], "test", int("/bad/" in name), None) for name in images}


def test_nested_categories_at_different_depths(tmp_path: Path) -> None:
    images = []
    for category in ("metal/nut", "metal/bolt", "bottle"):
        for folder in ("train/good", "test/good", "test/bent"):
            images += several(f"{category}/{folder}")
    found = truth(read(draw(tmp_path, images)), tmp_path)
    assert {category for category, *_ in found.values()} == {"nut", "bolt", "bottle"}
    assert set(found) == set(images)


def test_two_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    for hall in ("hall1", "hall2"):
        draw(tmp_path, several(f"{hall}/Nut/good") + several(f"{hall}/Nut/bad"))
    with pytest.raises(AdaclipError, match="would both be of the category 'Nut'"):
        read(tmp_path)


def test_two_layouts_side_by_side_are_refused(tmp_path: Path) -> None:
    draw(tmp_path, several("line1/good") + several("line1/bad") + several("line2/images"), several("line2/masks"))
    with pytest.raises(AdaclipError, match=r"two layouts in one folder: .*line1.*line2"):
        read(tmp_path)


def test_a_category_beside_kinds_is_refused(tmp_path: Path) -> None:
    draw(tmp_path, several("good") + several("bad") + several("line2/good") + several("line2/bad"))
    with pytest.raises(AdaclipError, match="'line2' stands beside a normal kind"):
        read(tmp_path)


def test_a_category_called_like_a_kind_decides_nothing(tmp_path: Path) -> None:
    images = several("clean/test/good") + several("clean/test/scratch")
    found = truth(read(draw(tmp_path, images)), tmp_path)
    assert found["clean/test/scratch/000.png"] == ("clean", "test", 1, None)
    draw(tmp_path, several("nut/test/good") + several("nut/test/scratch"))
    with pytest.raises(AdaclipError, match="is it a kind or a category"):
        read(tmp_path)


@pytest.mark.parametrize("names", [("frames", "photos"), ("data", "nut")])
def test_categories_called_after_images_are_not_made_one(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        draw(tmp_path, several(f"{name}/test/good") + several(f"{name}/test/scratch"))
    with pytest.raises(AdaclipError, match=r"two categories|lies within the folder"):
        read(tmp_path)


def test_unused_images_are_counted_from_the_root_by_folder(tmp_path: Path) -> None:
    draw(tmp_path, several("in/good", 20) + several("in/bad", 20) + several("in/pred", 2) + ["cover.png"])
    original = read(tmp_path)
    assert original.reading.notes == [
        "3 of 43 image files are not part of the set: 2 in in/pred, 1 in the folder itself"
    ]
    draw(tmp_path, several("in/pred", 9))
    with pytest.raises(AdaclipError, match=r"10 of 50 image files .* 9 in in/pred.*unused: allow"):
        read(tmp_path)
    assert "9 in in/pred" in read(tmp_path, unused="allow").reading.notes[0]
    assert len(read(tmp_path, unused="allow").reading.items) == 40


def test_hidden_files_are_never_data(tmp_path: Path) -> None:
    images = several("good") + several("bad")
    draw(tmp_path, images)
    for hidden in (
        ".cache/x/1.png",
        "__MACOSX/good/._000.png",
        "good/._000.png",
        "bad/@eaDir/000.png",
        "bad/Thumbs.db",
    ):
        (tmp_path / hidden).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / hidden).write_bytes(b"no image")
    original = read(tmp_path)
    assert set(truth(original, tmp_path)) == set(images)
    assert not original.reading.notes


@pytest.mark.parametrize("suffix", [".dcm", ".heic", ".npy", ""])
def test_pictures_that_are_not_read_are_the_reason(tmp_path: Path, suffix: str) -> None:
    draw(tmp_path, several("good") + several("bad"))
    for path in tmp_path.glob("*/*.png"):
        path.rename(path.with_suffix(suffix))
    with pytest.raises(AdaclipError, match=rf"4 pictures are not read for their suffix, such as bad/000{suffix} "):
        read(tmp_path)


def test_other_files_beside_images_are_told_by_folder_and_suffix(tmp_path: Path) -> None:
    draw(tmp_path, several("good") + several("bad"))
    for name in ("bad/notes.txt", "bad/000.xml", "bad/001.xml", "readme.md"):
        (tmp_path / name).write_text("text")
    assert read(tmp_path).reading.notes == ["beside images lie files that are no images: 1 .txt in bad, 2 .xml in bad"]


def test_a_listing_is_no_exception(tmp_path: Path) -> None:
    draw(tmp_path, several("good", 4) + several("bad", 4))
    (tmp_path / "manifest.csv").write_text("image,label\ngood/000.png,0\nbad/000.png,1\n")
    with pytest.raises(AdaclipError, match=r"6 of 8 image files are not part of the set: 3 in bad, 3 in good"):
        read(tmp_path)
    assert len(read(tmp_path, unused="allow").reading.items) == 2


def test_a_published_archive_that_holds_its_folders_twice(tmp_path: Path) -> None:
    images = several("yes") + several("no")
    draw(tmp_path, images + [f"brain_tumor_dataset/{name}" for name in images])
    original = read(tmp_path, "brain_mri")
    assert set(truth(original, tmp_path)) == set(images)
    assert "2 in brain_tumor_dataset/no" in original.reading.notes[0]


def test_a_folder_with_a_split_beside_kinds_is_no_defect(tmp_path: Path) -> None:
    images = several("yes") + several("no")
    draw(tmp_path, [*images, *several("Mask-RCNN/TRAIN"), *several("Mask-RCNN/TEST")])
    assert set(truth(read(tmp_path, "br35h"), tmp_path)) == set(images)
    with pytest.raises(AdaclipError, match=r"masks without images: .*Mask-RCNN"):
        read(tmp_path)


# Masks


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
