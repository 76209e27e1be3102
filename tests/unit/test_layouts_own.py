"""One's own sets: `meta.json` (also the authors' repackaged archives), `manifest.csv`, two folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adaclip.data.layouts import Original, read_original
from adaclip.data.registry import dataset_for
from adaclip.errors import AdaclipError
from tests.raw import draw_image, draw_mask


def read(root: Path, dataset: str = "mine", **entry: Any) -> Original:
    return read_original(root, dataset_for(dataset, entry))


def repackaged(root: Path) -> dict[str, Any]:
    """The authors' kind of archive: a tree like MVTec's, and meta.json."""
    entries = []
    for kind, label in (("good", 0), ("bent", 1)):
        for number in range(2):
            image = f"bottle/test/{kind}/{number:03}.png"
            mask = f"bottle/ground_truth/{kind}/{number:03}.png" if label else ""
            draw_image(root / image)
            if mask:
                draw_mask(root / mask)
            entries.append(
                {"img_path": image, "mask_path": mask, "cls_name": "bottle", "specie_name": kind, "anomaly": label}
            )
    meta: dict[str, Any] = {"train": {}, "test": {"bottle": entries}}
    (root / "meta.json").write_text(json.dumps(meta))
    return meta


def test_repackaged_archive(tmp_path: Path) -> None:
    top = tmp_path / "mvtec"
    repackaged(top)
    original = read(tmp_path, "mvtec")
    assert (original.layout, original.top) == ("meta", top)
    assert original.recognised == "a tree listed by meta.json in mvtec"
    found = [(i.category, i.split, i.label, i.defect, i.image.name, bool(i.mask)) for i in original.reading.items]
    assert found == [
        ("bottle", "test", 1, "bent", "000.png", True),
        ("bottle", "test", 1, "bent", "001.png", True),
        ("bottle", "test", 0, "good", "000.png", False),
        ("bottle", "test", 0, "good", "001.png", False),
    ]


def test_meta_of_something_else_is_passed_over(tmp_path: Path) -> None:
    repackaged(tmp_path)
    (tmp_path / "meta.json").write_text('{"name": "holiday photos"}')
    assert read(tmp_path, "mvtec").layout == "mvtec"


def test_a_damaged_meta_is_not_passed_over(tmp_path: Path) -> None:
    repackaged(tmp_path)
    (tmp_path / "meta.json").write_text('{"test": {')
    with pytest.raises(AdaclipError, match=r"cannot read .*meta\.json as JSON"):
        read(tmp_path, "mvtec")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"img_path": "bottle/test/good/9.png"}, r"names a file that is not there: .*9\.png"),
        ({"mask_path": "bottle/ground_truth/bent/9.png"}, r"names a file that is not there: .*9\.png"),
        ({"img_path": "../x.png"}, "leads out of"),
        ({"img_path": "/etc/passwd"}, "leads out of"),
        ({"img_path": ""}, r"test\.bottle entry 4 has no 'img_path'"),
        ({"anomaly": "odd"}, r"entry 4: label is 'odd', not 0 \(normal\) or 1 \(anomalous\)"),
        ({"mask_path": 3}, r"entry 4: 'mask_path' is 3"),
        ({"img_path": "bottle/test/bent/000.png"}, "listed with two masks: .*entry 3 .*entry 4"),
    ],
)
def test_meta_with_a_fault(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    meta = repackaged(tmp_path)
    meta["test"]["bottle"][3].update(change)
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(AdaclipError, match=message):
        read(tmp_path, "mvtec")


def test_meta_of_an_unknown_category(tmp_path: Path) -> None:
    meta = repackaged(tmp_path)
    meta["test"]["teapot"] = meta["test"].pop("bottle")
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(AdaclipError, match="unknown category 'teapot'"):
        read(tmp_path, "mvtec")
    assert {item.category for item in read(tmp_path).reading.items} == {"teapot"}


def test_meta_may_call_the_only_category_something_else(tmp_path: Path) -> None:
    meta = repackaged(tmp_path)
    meta["test"]["Brain"] = meta["test"].pop("bottle")
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    assert {item.category for item in read(tmp_path, "brain_mri").reading.items} == {"brain_mri"}
    meta["test"]["BOTTLE"] = meta["test"].pop("Brain")
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    assert {item.category for item in read(tmp_path, "mvtec").reading.items} == {"bottle"}


def write_table(root: Path, text: str) -> None:
    for name in ("a/1.png", "b/1.png", "b/2 x.png"):
        draw_image(root / name)
    draw_mask(root / "m/1.png")
    (root / "manifest.csv").write_text(text)


def test_table(tmp_path: Path) -> None:
    write_table(
        tmp_path,
        "Image, label, mask, category, split, defect\n"
        "a/1.png,0,,nut,train,\n"
        "b/1.png,anomalous,m/1.png,nut,,bent\n"
        "\n"
        "b/2 x.png,good,,bolt,test,\n",
    )
    original = read(tmp_path)
    assert original.layout == "csv"
    found = {
        item.image.relative_to(tmp_path).as_posix(): (
            item.category,
            item.split,
            item.label,
            item.defect,
            bool(item.mask),
        )
        for item in original.reading.items
    }
    assert found == {
        "a/1.png": ("nut", "train", 0, "good", False),
        "b/1.png": ("nut", "test", 1, "bent", True),
        "b/2 x.png": ("bolt", "test", 0, "good", False),
    }


def test_table_of_masks_only_and_equal_names(tmp_path: Path) -> None:
    write_table(tmp_path, "image,mask\na/1.png,\nb/1.png,m/1.png\nb/2 x.png,\n")
    (tmp_path / "manifest.csv").write_text("image,label\na/1.png,0\nb/1.png,0\nb/2 x.png,0\n")
    assert [item.name for item in read(tmp_path, unused="allow").reading.items] == ["a_1.png", "b_1.png", ""]
    (tmp_path / "manifest.csv").write_text("image,mask\na/1.png,\nb/1.png,m/1.png\n")
    assert [(item.category, item.label) for item in read(tmp_path, unused="allow").reading.items] == [
        ("mine", 0),
        ("mine", 1),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("c.png,0,test", r"line 2 names a file that is not there: .*c\.png"),
        ("../c.png,0,test", "leads out of"),
        (",0,test", "line 2 has no 'img_path' or 'image'"),
        ("a/1.png,maybe,test", "line 2: label is 'maybe'"),
        ("a/1.png,0,valid", "line 2: split is 'valid'"),
        ("a/1.png,0", "line 2 has 2 cells, but there are 3 columns"),
    ],
)
def test_table_with_a_fault(tmp_path: Path, row: str, message: str) -> None:
    write_table(tmp_path, f"image,label,split\n{row}\n")
    with pytest.raises(AdaclipError, match=message):
        read(tmp_path)


def test_table_in_another_encoding(tmp_path: Path) -> None:
    write_table(tmp_path, "")
    (tmp_path / "manifest.csv").write_bytes("image,label\nÄ.png,0\n".encode("latin-1"))
    with pytest.raises(AdaclipError, match="UTF-8"):
        read(tmp_path)


@pytest.mark.parametrize(("normal", "anomalous"), [("good", "bad"), ("OK", "NG"), ("normal", "anomaly")])
def test_two_folders(tmp_path: Path, normal: str, anomalous: str) -> None:
    draw_image(tmp_path / normal / "1.png")
    draw_image(tmp_path / anomalous / "1.png")
    original = read(tmp_path)
    assert original.layout == "folders"
    assert {item.defect: item.label for item in original.reading.items} == {normal: 0, anomalous: 1}
