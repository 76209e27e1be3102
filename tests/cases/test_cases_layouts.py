"""Raw folders: every label is right, or one line refuses; nothing is guessed, dropped or passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from adaclip.data.layouts.kinds import label_of, sounds_normal
from adaclip.data.registry import dataset_for, reading_facts
from adaclip.errors import AdaclipError, UsageError
from tests.cases.folder_trees import draw, read, several, truth

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
        ("testgood", "TestBad"),
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
    "odd",
    [
        "ok_front",
        "good_2",
        "normal-light",
        "GoodFront",
        "good (2)",
        "without_scratch",
        "golden",
        "unsorted",
        "overlay",
    ],
)
def test_a_kind_that_sounds_normal_is_never_taken_for_a_defect(tmp_path: Path, odd: str) -> None:
    draw(tmp_path, several("nut/test/good") + several(f"nut/test/{odd}") + several("nut/test/bent"))
    with pytest.raises(AdaclipError, match="looks as if it were no defect") as error:
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


def test_a_test_split_of_known_defects_alone_has_to_be_meant(tmp_path: Path) -> None:
    draw(tmp_path, several("nut/train/good") + several("nut/test/bad") + several("nut/test/ko"))
    with pytest.raises(
        AdaclipError, match=r"test split of nut has no normal kind \(kinds: bad, ko\).*anomalous: \[bad, ko\]"
    ):
        read(tmp_path)
    found = read(tmp_path, anomalous=["bad", "ko"]).reading.items
    assert {item.label for item in found if item.split == "test"} == {1}


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


@pytest.mark.parametrize("name", ["bottle_train", "test nuts", "test1"])
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


def test_categories_within_kinds_are_what_the_entry_says(tmp_path: Path) -> None:
    images = [name for kind in ("good", "bad") for nut in ("Nut", "bolt") for name in several(f"{kind}/{nut}")]
    draw(tmp_path, images)
    with pytest.raises(AdaclipError, match="list it under 'categories'"):
        read(tmp_path)
    found = truth(read(tmp_path, categories={"nut": "nut", "bolt": "bolt"}), tmp_path)
    assert found == {name: (name.split("/")[1].lower(), "test", int(name.startswith("bad")), None) for name in images}


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
