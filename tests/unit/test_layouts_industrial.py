"""The raw layouts of the industrial sets: MVTec AD and its like, VisA, KolektorSDD, DAGM."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from adaclip.data.layouts import Original, read_original, recognise
from adaclip.data.registry import dataset_for
from adaclip.errors import AdaclipError, UsageError
from tests.raw import draw_image, draw_mask


def read(root: Path, dataset: str, **options: Any) -> Original:
    return read_original(root, dataset_for(dataset, {"options": options} if options else None))


def counts(original: Original, split: str = "test") -> dict[int, int]:
    return dict(Counter(item.label for item in original.reading.items if item.split == split))


def mvtec_like(root: Path, category: str, normal: str, defect: str, image: str, mask: str) -> Path:
    for number in range(2):
        draw_image(root / category / "train" / normal / image.format(number))
        draw_image(root / category / "test" / normal / image.format(number))
    for number in range(3):
        draw_image(root / category / "test" / defect / image.format(number))
        draw_mask(root / category / "ground_truth" / defect / mask.format(number))
    return root


# MVTec AD, MPDD, DTD-Synthetic, BTAD


@pytest.mark.parametrize(
    ("dataset", "names"),
    [
        ("mvtec", ("bottle", "good", "broken_large", "{:03}.png", "{:03}_mask.png")),
        ("mpdd", ("tubes", "good", "anomalous", "{:03}.png", "{:03}_mask.png")),
        ("dtd", ("Woven_001", "good", "bad", "{:03}.png", "{:03}_mask.png")),
        ("btad", ("01", "ok", "ko", "{:04}.bmp", "{:04}.png")),
        ("btad", ("03", "ok", "ko", "{:04}.bmp", "{:04}.bmp")),
    ],
)
@pytest.mark.parametrize("level", ["", "wrapped", "two/levels"])
def test_mvtec_like(tmp_path: Path, dataset: str, names: tuple[str, str, str, str, str], level: str) -> None:
    mvtec_like(tmp_path / level, *names)
    original = read(tmp_path, dataset)
    assert original.layout == "mvtec"
    assert original.top == tmp_path / level
    assert counts(original) == {0: 2, 1: 3}
    assert counts(original, "train") == {0: 2}
    for item in original.reading.items:
        assert item.category == names[0]
        assert (item.mask is not None) == bool(item.label)
        assert item.mask is None or item.mask.stem.removesuffix("_mask") == item.image.stem


def test_one_category_by_itself(tmp_path: Path) -> None:
    mvtec_like(tmp_path, "mvtec_grid", "good", "bent", "{:03}.png", "{:03}_mask.png")
    assert {item.category for item in read(tmp_path / "mvtec_grid", "mvtec").reading.items} == {"grid"}
    # A set of one's own goes by its id, whatever its folder or archive is called.
    assert {item.category for item in read(tmp_path / "mvtec_grid", "mine").reading.items} == {"mine"}


def test_masks_are_paired_by_name_not_by_position(tmp_path: Path) -> None:
    mvtec_like(tmp_path, "bottle", "good", "bent", "{:03}.png", "{:03}_mask.png")
    (tmp_path / "bottle/ground_truth/bent/001_mask.png").unlink()
    with pytest.raises(AdaclipError, match=r"no mask for image .*bent/001\.png"):
        read(tmp_path, "mvtec")
    (tmp_path / "bottle/test/bent/001.png").unlink()
    assert counts(read(tmp_path, "mvtec")) == {0: 2, 1: 2}
    (tmp_path / "bottle/test/bent/002.png").unlink()
    with pytest.raises(AdaclipError, match=r"mask without an image: .*002_mask\.png"):
        read(tmp_path, "mvtec")


def test_masks_of_a_defect_that_is_not_there(tmp_path: Path) -> None:
    mvtec_like(tmp_path, "bottle", "good", "bent", "{:03}.png", "{:03}_mask.png")
    draw_mask(tmp_path / "bottle/ground_truth/scratch/000_mask.png")
    with pytest.raises(AdaclipError, match=r"masks without images: .*scratch"):
        read(tmp_path, "mvtec")


def test_masks_of_normal_images_are_paired_too(tmp_path: Path) -> None:
    mvtec_like(tmp_path, "01", "ok", "ko", "{:04}.bmp", "{:04}.png")
    for number in range(2):
        draw_mask(tmp_path / f"01/ground_truth/ok/{number:04}.png", value=0)
    original = read(tmp_path, "btad")
    assert counts(original) == {0: 2, 1: 3}
    assert all(item.mask is not None for item in original.reading.items if item.split == "test")
    draw_mask(tmp_path / "01/ground_truth/ok/0009.png", value=0)
    with pytest.raises(AdaclipError, match=r"mask without an image: .*ok/0009\.png"):
        read(tmp_path, "btad")


def test_two_images_cannot_share_a_mask(tmp_path: Path) -> None:
    mvtec_like(tmp_path, "bottle", "good", "bent", "{:03}.png", "{:03}_mask.png")
    draw_image(tmp_path / "bottle/test/bent/001.jpg")
    with pytest.raises(AdaclipError, match=r"001\.jpg and 001\.png claim the same mask"):
        read(tmp_path, "mvtec")
    (tmp_path / "bottle/test/bent/001.jpg").unlink()
    draw_mask(tmp_path / "bottle/ground_truth/bent/001.bmp")
    with pytest.raises(AdaclipError, match=r"two masks for one image: 001\.bmp and 001_mask\.png"):
        read(tmp_path, "mvtec")


def test_unknown_category(tmp_path: Path) -> None:
    mvtec_like(tmp_path, "teapot", "good", "bent", "{:03}.png", "{:03}_mask.png")
    with pytest.raises(AdaclipError, match="unknown category 'teapot'"):
        read(tmp_path, "mvtec")


def test_masks_that_a_set_should_have(tmp_path: Path) -> None:
    draw_image(tmp_path / "bottle/test/good/000.png")
    draw_image(tmp_path / "bottle/test/bent/000.png")
    with pytest.raises(AdaclipError, match="no ground_truth"):
        read(tmp_path, "mvtec")
    assert counts(read(tmp_path, "mine")) == {0: 1, 1: 1}


# VisA


def visa(root: Path, table: bool = True, normal: int = 15) -> list[list[str]]:
    """Two categories; labels in masks are small numbers. Half of the normal images are in the test split."""
    rows = []
    for category in ("candle", "pcb1"):
        for number in range(normal):
            name = f"{category}/Data/Images/Normal/{number:04}.JPG"
            draw_image(root / name, kind="JPEG")
            rows.append([category, "test" if number % 2 else "train", "normal", name, ""])
        for number in range(3):
            name = f"{category}/Data/Images/Anomaly/{number:03}.JPG"
            mask = f"{category}/Data/Masks/Anomaly/{number:03}.png"
            draw_image(root / name, kind="JPEG")
            draw_mask(root / mask, value=number + 1)
            rows.append([category, "test", "anomaly", name, mask])
    if table:
        write_table(root, rows)
    return rows


def write_table(root: Path, rows: list[list[str]]) -> None:
    (root / "split_csv").mkdir(exist_ok=True)
    with (root / "split_csv/1cls.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["object", "split", "label", "image", "mask"], *rows])


def test_visa_after_its_table(tmp_path: Path) -> None:
    rows = visa(tmp_path / "VisA")
    original = read(tmp_path, "visa")
    assert original.layout == "visa"
    assert "1cls.csv" in original.reading.notes[0]
    found = {item.image.relative_to(tmp_path / "VisA").as_posix(): item for item in original.reading.items}
    assert set(found) == {row[3] for row in rows}
    for category, split, label, image, mask in rows:
        item = found[image]
        assert (item.category, item.split, item.label) == (category, split, int(label == "anomaly"))
        assert item.mask == (tmp_path / "VisA" / mask if mask else None)


@pytest.mark.parametrize(("normal", "expected"), [(14, 1), (15, 2), (24, 2), (25, 3)])
def test_visa_without_a_table_draws_a_tenth(tmp_path: Path, normal: int, expected: int) -> None:
    visa(tmp_path, table=False, normal=normal)
    original = read(tmp_path, "visa")
    assert counts(original) == {0: 2 * expected, 1: 6}
    assert counts(original, "train") == {0: 2 * (normal - expected)}
    assert "not the published split" in original.reading.notes[0]
    assert read(tmp_path, "visa").reading == original.reading
    drawn = {item.image for item in original.reading.items if item.split == "test"}
    other = {item.image for item in read(tmp_path, "visa", seed=1).reading.items if item.split == "test"}
    assert drawn != other


def test_visa_tables_that_do_not_fit(tmp_path: Path) -> None:
    rows = visa(tmp_path)
    write_table(tmp_path, [*rows, ["candle", "test", "normal", "candle/Data/Images/Normal/9999.JPG", ""]])
    with pytest.raises(AdaclipError, match=r"line 38 names a file that is not there: .*9999\.JPG"):
        read(tmp_path, "visa")
    write_table(tmp_path, rows[:-1])
    with pytest.raises(AdaclipError, match=r"mask without an image .*pcb1/Data/Masks/Anomaly/002\.png"):
        read(tmp_path, "visa")
    write_table(tmp_path, [*rows[:-1], [*rows[-1][:4], ""]])
    with pytest.raises(AdaclipError, match=r"line 37: no mask for image .*002\.JPG"):
        read(tmp_path, "visa")
    write_table(tmp_path, [*rows, ["candle", "test", "normal", "../../secret.JPG", ""]])
    with pytest.raises(AdaclipError, match="leads out of"):
        read(tmp_path, "visa")
    (tmp_path / "split_csv/1cls.csv").write_bytes(b"object,split\n\xe9,test\n")
    with pytest.raises(AdaclipError, match=r"cannot read .*1cls\.csv: line 2 is not in UTF-8"):
        read(tmp_path, "visa")
    (tmp_path / "split_csv/1cls.csv").write_bytes(b"")
    with pytest.raises(AdaclipError, match="expected the columns object"):
        read(tmp_path, "visa")


# KolektorSDD


def ksdd(root: Path, items: int, parts: int, defective: dict[tuple[int, int], slice], height: int = 31) -> None:
    """Items of grey images; `defective` names the rows of a defect by (item, part)."""
    size = (10, height)
    for item in range(1, items + 1):
        for part in range(parts):
            folder = root / f"kos{item:02}"
            draw_image(folder / f"Part{part}.jpg", mode="L", size=size)
            rows = defective.get((item, part))
            draw_mask(folder / f"Part{part}_label.bmp", 255 if rows else 0, size, rows or slice(0, 0))


def test_ksdd_whole(tmp_path: Path) -> None:
    ksdd(tmp_path, 3, 2, {(1, 0): slice(5, 8), (3, 1): slice(20, 22)})
    original = read(tmp_path, "ksdd", ksdd_cut="whole")
    assert original.layout == "ksdd"
    assert counts(original) == {0: 4, 1: 2}
    assert [item.name for item in original.reading.items if item.label] == ["kos01_Part0.jpg", "kos03_Part1.jpg"]
    assert original.reading.test == {"normal": 347, "anomalous": 52}


def test_ksdd_thirds_take_their_label_from_their_own_part(tmp_path: Path) -> None:
    # Rows 9 to 11 lie in the first and in the second third of 31.
    ksdd(tmp_path, 3, 2, {(1, 0): slice(9, 12), (3, 1): slice(30, 31)})
    original = read(tmp_path, "ksdd")
    anomalous = [item for item in original.reading.items if item.label]
    assert [(item.name, item.box) for item in anomalous] == [
        ("kos01_Part0_1.png", (0, 0, 10, 10)),
        ("kos01_Part0_2.png", (0, 10, 10, 20)),
        ("kos03_Part1_3.png", (0, 20, 10, 31)),
    ]
    # 18 thirds, 15 of them normal: a quarter, rounded up.
    assert counts(original) == {0: 4, 1: 3}
    assert read(tmp_path, "ksdd").reading == original.reading
    assert read(tmp_path, "ksdd", seed=1).reading.items != original.reading.items


def test_ksdd_gives_what_the_real_original_gives(tmp_path: Path) -> None:
    """399 images with 52 defective ones, two of them across a cut; some items are byte copies of others."""
    defective = {}
    for number in range(52):
        defective[number % 50 + 1, number // 50] = slice(9, 12) if number < 2 else slice(3, 6)
    ksdd(tmp_path, 50, 8, defective)
    (tmp_path / "kos50/Part7.jpg").unlink()
    (tmp_path / "kos50/Part7_label.bmp").unlink()
    for copy, source in (("kos45", "kos40"), ("kos46", "kos41")):
        for part in range(8):
            image = (tmp_path / source / f"Part{part}.jpg").read_bytes()
            (tmp_path / copy / f"Part{part}.jpg").write_bytes(image)
    original = read(tmp_path, "ksdd")
    assert counts(original) == {0: 286, 1: 54}
    assert original.reading.test == {"normal": 286, "anomalous": 54}
    assert "181 + 74 are in the repackaged archive only" in original.reading.notes[1]
    assert counts(read(tmp_path, "ksdd", ksdd_cut="whole")) == {0: 347, 1: 52}


def test_ksdd_labels_are_paired_by_name(tmp_path: Path) -> None:
    ksdd(tmp_path, 2, 2, {(1, 0): slice(5, 8)})
    (tmp_path / "kos02/Part0_label.bmp").unlink()
    with pytest.raises(AdaclipError, match=r"no mask for image .*kos02/Part0\.jpg"):
        read(tmp_path, "ksdd")
    (tmp_path / "kos02/Part0.jpg").unlink()
    (tmp_path / "kos02/Part1.jpg").unlink()
    with pytest.raises(AdaclipError, match=r"mask without an image: .*Part1_label\.bmp"):
        read(tmp_path, "ksdd")


# DAGM


def dagm(root: Path, normal: int = 6, defective: int = 2, listed: bool = True) -> None:
    for category in ("Class1", "Class10"):
        for split in ("Train", "Test"):
            folder = root / category / split
            lines = ["1"]
            for number in range(1, normal + defective + 1):
                draw_image(folder / f"{number:04}.PNG", mode="L")
                bad = number <= defective
                lines.append(
                    f"{number}\t{int(bad)}\t{number:04}.PNG\t{int(bad)}\t{f'{number:04}_label.PNG' if bad else 0}"
                )
                if bad:
                    draw_mask(folder / "Label" / f"{number:04}_label.PNG")
            if listed:
                (folder / "Label" / "Labels.txt").write_text("\n".join(lines))


def test_dagm_takes_all_normal_images(tmp_path: Path) -> None:
    dagm(tmp_path / "DAGM_KaggleUpload")
    original = read(tmp_path, "dagm")
    assert original.layout == "dagm"
    assert counts(original) == {0: 12, 1: 4}
    assert counts(original, "train") == {0: 12, 1: 4}
    assert {item.category for item in original.reading.items} == {"Class1", "Class10"}
    assert all((item.mask is not None) == bool(item.label) for item in original.reading.items)
    assert original.reading.test is None


def test_dagm_with_the_released_counts(tmp_path: Path) -> None:
    dagm(tmp_path)
    original = read(tmp_path, "dagm", dagm_normal="released")
    assert counts(original) == {0: 4, 1: 4}
    assert Counter(item.category for item in original.reading.items if item.split == "test" and not item.label) == {
        "Class1": 2,
        "Class10": 2,
    }
    assert original.reading.test == {"normal": 1054, "anomalous": 1054}
    assert read(tmp_path, "dagm", dagm_normal="released").reading == original.reading
    assert read(tmp_path, "dagm", dagm_normal="released", seed=1).reading != original.reading


def test_dagm_tells_a_lost_label_from_a_normal_image(tmp_path: Path) -> None:
    dagm(tmp_path)
    lost = tmp_path / "Class10/Test/Label/0002_label.PNG"
    content = lost.read_bytes()
    lost.unlink()
    with pytest.raises(
        AdaclipError, match=r"Class10/Test: Labels.txt lists a label for .*0002\.PNG, but it is not there"
    ):
        read(tmp_path, "dagm")
    (tmp_path / "Class10/Test/Label/Labels.txt").unlink()
    assert counts(read(tmp_path, "dagm")) == {0: 13, 1: 3}
    assert "Class10/Test" in read(tmp_path, "dagm").reading.notes[0]
    (lost.with_name("0009_label.PNG")).write_bytes(content)
    with pytest.raises(AdaclipError, match=r"mask without an image: .*0009_label\.PNG"):
        read(tmp_path, "dagm")


def test_dagm_label_that_the_list_does_not_name(tmp_path: Path) -> None:
    dagm(tmp_path)
    draw_mask(tmp_path / "Class1/Train/Label/0005_label.PNG")
    with pytest.raises(AdaclipError, match=r"lists no label for .*0005\.PNG, but it is there"):
        read(tmp_path, "dagm")


# Options


def test_an_option_of_another_layout_is_refused(tmp_path: Path) -> None:
    mvtec_like(tmp_path, "bottle", "good", "bent", "{:03}.png", "{:03}_mask.png")
    with pytest.raises(UsageError, match="option 'ksdd_cut' changes nothing in the layout 'mvtec'"):
        read(tmp_path, "mvtec", ksdd_cut="whole")
    assert read(tmp_path, "mvtec", mask_rule="half").options.threshold == 127


def test_a_layout_that_the_registry_asks_for(tmp_path: Path) -> None:
    mvtec_like(tmp_path, "bottle", "good", "bent", "{:03}.png", "{:03}_mask.png")
    with pytest.raises(AdaclipError, match="is not in the layout 'visa'"):
        recognise(tmp_path, dataset_for("mine", {"layout": "visa"}))
    (tmp_path / "empty").mkdir()
    with pytest.raises(AdaclipError, match=r"is not in a known layout .*it holds nothing"):
        recognise(tmp_path / "empty", dataset_for("mine"))


def test_labels_beside_images_of_another_set_do_not_make_it_kolektorsdd(tmp_path: Path) -> None:
    draw_image(tmp_path / "images" / "Part0.jpg", mode="L")
    draw_mask(tmp_path / "images" / "Part0_label.bmp")
    try:
        original = read_original(tmp_path, dataset_for("own"))
    except AdaclipError:
        return
    assert original.layout != "ksdd"
    assert all(item.box is None for item in original.reading.items)
