"""Listings with a fault: it is named in one line, and the folders beside them are never read instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cases.lists import ENTRIES, TABLE, TRUTH, folders, found, refused, run
from tests.raw import draw_image, draw_mask


@pytest.mark.parametrize("name", ["manifest.csv", "labels.csv", "list of images.csv"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file;label\na.png;0\n", "has no column image: its columns are file, label (separated by semicolon)"),
        ("file,label\na.png,0\n", "has no column image: its columns are file, label (separated by comma)"),
        ("file\tlabel\na.png\t0\n", "has no column image: its columns are file, label (separated by tab)"),
        ("image|label\na.png|0\n", "its columns are image|label (neither a comma, a semicolon nor a tab between them)"),
        ("image,kind\na.png,0\n", "has no column label or mask: its columns are image, kind"),
        ("a.png,0\nb.png,1\n", "has no column image: its columns are a.png, 0"),
        ("image,img_path,label\na.png,b.png,0\n", "image and img_path both say the image: keep one"),
    ],
)
def test_csv_that_lists_images_in_other_columns(raw: Path, name: str, text: str, message: str) -> None:
    folders(raw)
    (raw / name).write_text(text, encoding="utf-8")
    assert f"{raw / name}" in refused(raw)
    assert message in refused(raw)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a.png,0,\na.png,1,\n", "two labels: {t} line 2 (0) and {t} line 3 (1): keep the right one"),
        ("a.png,0,\n./a.png,bad,\n", "two labels: {t} line 2 (0) and {t} line 3 (1)"),
        ("x.png,1,mx.png\nx.png,1,my.png\n", "is listed with two masks: {t} line 2"),
        ("x.png,1,mx.png\ny.png,1,mx.png\n", "{t} line 2 and {t} line 3 name one mask for two images"),
        ("x.png,1,x.png\n", "{t} line 2: the mask is the image itself"),
        ("x.png,1,mx.png\ny.png,1,\n", "{t} line 3: no mask for the anomalous image"),
        ("x.png,0,mx.png\na.png,0,\n", "{t} line 2: mask {r}/mx.png marks 30 pixels, but its image"),
        ("a.png,0,none\n", "{t} line 2: mask 'none' is for anomalous images"),
        ("a.png,scratched,\n", "{t} line 2: label is 'scratched', not 0 (normal) or 1 (anomalous)"),
        ("a.png,2,\n", "{t} line 2: label is '2'"),
        ("a.png,-1,\n", "{t} line 2: label is '-1'"),
        ("a.png,,\n", "{t} line 2: label is ''"),
        ("a.png,true,\n", "{t} line 2: label is 'true'"),
        (",0,\n", "{t} line 2 has no 'img_path' or 'image'"),
        ("c.png,0,\n", "{t} line 2 names a file that is not there: {r}/c.png"),
        ("x.png,1,c.png\n", "{t} line 2 names a file that is not there: {r}/c.png"),
        ("../a.png,0,\n", "{t} line 2: ../a.png leads out of {r}"),
        ("..\\a.png,0,\n", "leads out of {r}"),
        ("C:\\a.png,0,\n", "{t} line 2: C:\\a.png leads out of {r}"),
        ("/a.png,0,\n", "leads out of {r}"),
        ("a.png,0\n", "{t} line 2 has 2 cells, but there are 3 columns"),
        ("a.png,0,,left,\n", "{t} line 2 has 5 cells, but there are 3 columns"),
        ('"a.png,0,\n', "cannot read {t} as CSV"),
        ("", "{t} lists no image"),
    ],
)
def test_csv_with_a_fault(raw: Path, rows: str, message: str) -> None:
    folders(raw)
    (raw / "manifest.csv").write_text("image,label,mask\n" + rows, encoding="utf-8")
    assert message.format(t=raw / "manifest.csv", r=raw) in refused(raw)


def test_an_empty_mask_of_a_normal_image_is_right(raw: Path) -> None:
    draw_mask(raw / "ma.png", 0)
    (raw / "manifest.csv").write_text(TABLE.replace("a.png,0,", "a.png,0,ma.png"), encoding="utf-8")
    assert found(raw) == TRUTH


def test_an_empty_mask_of_an_anomalous_image(raw: Path) -> None:
    draw_mask(raw / "mx.png", 0)
    (raw / "manifest.csv").write_text(TABLE, encoding="utf-8")
    assert f"{raw}/manifest.csv line 4: mask {raw}/mx.png is empty" in refused(raw)


def test_a_further_column_that_names_images(raw: Path) -> None:
    text = "image,label,segmentation\na.png,0,\nx.png,1,mx.png\n"
    (raw / "manifest.csv").write_text(text, encoding="utf-8")
    assert "line 3: 'segmentation' names an image file (mx.png)" in refused(raw)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_csv_in_another_encoding(raw: Path, encoding: str) -> None:
    folders(raw)
    (raw / "manifest.csv").write_text(TABLE + "größe.png,0,\n", encoding=encoding)
    assert "line 6 is not in UTF-8" in refused(raw)


@pytest.mark.parametrize("split", ["train", "test"])
def test_one_image_with_two_labels_in_json(raw: Path, split: str) -> None:
    value = {split: {"nut": [ENTRIES[0]]}, "test": {"nut": [*ENTRIES, {**ENTRIES[0], "anomaly": 1}]}}
    (raw / "meta.json").write_text(json.dumps(value), encoding="utf-8")
    text = refused(raw)
    assert "two labels" in text
    assert "test.nut entry 5 (1)" in text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"test": {"nut": ENTRIES}, "valid": {"nut": ENTRIES[:1]}}, "'valid' names images too, but is neither train"),
        ({"images": [{"file_name": "a.png"}], "annotations": []}, "is an object with the keys images, annotations"),
        ({"a.png": 0, "nested": {"mask": "mx.png"}}, "is an object with the keys a.png, nested"),
        ({"test": {"nut": {"a.png": 0}}}, "test.nut is not a list of images"),
        ({"test": {"nut": ["a.png"]}}, 'test.nut entry 1 is "a.png", not an object'),
        ({"test": {"nut": [{"img_path": "a.png"}]}}, "test.nut entry 1 has neither a label nor a mask"),
        ({"test": {"nut": [{"path": "a.png", "anomaly": 0}]}}, "has no 'img_path' or 'image' (it has path, anomaly)"),
        ({"test": {"nut": [{**ENTRIES[0], "img_path": ""}]}}, "test.nut entry 1 has no 'img_path'"),
        ({"test": {"nut": [{**ENTRIES[0], "anomaly": 2}]}}, "test.nut entry 1: label is '2'"),
        ({"test": {"nut": [{**ENTRIES[0], "anomaly": None}]}}, "label is ''"),
        ({"test": {"nut": [{**ENTRIES[0], "img_path": ["a.png"]}]}}, "'img_path' is ['a.png'], not a path"),
        ({"test": {"nut": [{**ENTRIES[0], "split": "train"}]}}, "says split 'train'"),
        ({"test": {"nut": [{**ENTRIES[0], "gt": "mx.png"}]}}, "'gt' names an image file"),
        ({"train": {}, "test": {}}, "lists no image"),
        ([*ENTRIES, {"img_path": "c.png", "anomaly": 0}], "entry 5 names a file that is not there"),
        ([*ENTRIES, 3], "is a list of 5"),
    ],
)
@pytest.mark.parametrize("name", ["meta.json", "samples.json"])
def test_json_with_a_fault(raw: Path, name: str, value: Any, message: str) -> None:
    folders(raw)
    (raw / name).write_text(json.dumps(value), encoding="utf-8")
    assert message in refused(raw)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"test": {"nut": [{"img_path": "a.png"', "cannot read"),
        (
            '{"test": {"nut": []}, "test": {"nut": [{"img_path": "a.png", "anomaly": 0}]}}',
            "the key 'test' stands twice",
        ),
        ('{"img_path": "a.png", "anomaly": 0}\n{"img_path": "b.png", ', "line 2 is not a record in JSON"),
        ('{"img_path": "a.png", "anomaly": 0}\n{"img_path": "b.png", "anomaly": "odd"}\n', "line 2: label is 'odd'"),
        ('{"img_path": "a.png", "anomaly": 0}\n\n{"img_path": "a.png", "anomaly": 1}\n', "line 3 (1)"),
    ],
)
@pytest.mark.parametrize("name", ["meta.json", "listing.json", "photos.json"])
def test_damaged_json(raw: Path, name: str, text: str, message: str) -> None:
    folders(raw)
    (raw / name).write_text(text, encoding="utf-8")
    assert message in refused(raw)


@pytest.mark.parametrize("name", ["labels.xlsx", "manifest.ods", "meta.yaml", "labels.txt"])
def test_listings_in_formats_that_are_not_read(raw: Path, name: str) -> None:
    folders(raw)
    (raw / name).write_text("a.png 0\nx.png 1\n", encoding="utf-8")
    assert f"{raw / name} is a listing in a format that is not read: save it as manifest.csv" in refused(raw)


def test_two_listings_that_contradict_one_another(raw: Path) -> None:
    (raw / "manifest.csv").write_text(
        "image,label,mask,category\na.png,0,,nut\nb.png,0,,nut\nx.png,0,,nut\ny.png,1,my.png,nut\n", encoding="utf-8"
    )
    (raw / "meta.json").write_text(json.dumps({"test": {"nut": ENTRIES}}), encoding="utf-8")
    text = refused(raw)
    assert "has two listings, manifest.csv and meta.json, and they differ" in text
    assert "manifest.csv line 4" in text
    assert "test.nut entry 3" in text


def test_a_listing_of_some_beside_one_of_all(raw: Path) -> None:
    (raw / "meta.json").write_text(json.dumps({"test": {"nut": ENTRIES}}), encoding="utf-8")
    (raw / "meta_few.json").write_text(json.dumps({"test": {"nut": ENTRIES[:2]}}), encoding="utf-8")
    assert "only 2 of their 4 and 2 images are the same" in refused(raw)


@pytest.mark.parametrize("name", ["manifest.csv", "meta.json"])
def test_listings_in_several_folders(tmp_path: Path, name: str) -> None:
    root = tmp_path / "raw"
    for folder in ("nut", "bolt"):
        draw_image(root / folder / "a.png")
        text = "image,label\na.png,0\n" if name == "manifest.csv" else json.dumps({"test": {"nut": ENTRIES[:1]}})
        (root / folder / name).write_text(text, encoding="utf-8")
    text = refused(root)
    assert "2 folders have a listing each" in text
    assert f"{root}/nut/{name}" in text
    assert f"{root}/bolt/{name}" in text


def test_a_fault_at_depth_is_not_passed_over(raw: Path) -> None:
    folders(raw / "pictures")
    (raw / "pictures/labels.csv").write_text("file;kind\ngood/1.png;0\n", encoding="utf-8")
    assert f"{raw}/pictures/labels.csv has no column image" in refused(raw)


def test_a_listing_with_a_fault_beside_an_archive(raw: Path) -> None:
    """The fault is the listing's, whatever else lies there that could be unpacked."""
    import shutil

    folders(raw.parent / "other")
    shutil.make_archive(str(raw / "more"), "zip", raw.parent / "other")
    (raw / "manifest.csv").write_text("file,label\na.png,0\n", encoding="utf-8")
    assert "has no column image" in refused(raw)


@pytest.mark.parametrize("name", ["manifest.csv", "meta.json"])
def test_a_listing_of_a_part_beside_much_else(tmp_path: Path, name: str) -> None:
    root = tmp_path / "raw"
    folders(root)
    draw_image(root / "old/a.png")
    text = "image,label\na.png,0\n" if name == "manifest.csv" else json.dumps({"test": {"nut": ENTRIES[:1]}})
    (root / "old" / name).write_text(text, encoding="utf-8")
    assert "2 of 3 image files are not part of the set: 1 in bad, 1 in good" in refused(root, unused="refuse")
    assert len(run(root, unused="allow").rows) == 1


@pytest.mark.parametrize("place", ["ground_truth/bent", "masks", "test/gt"])
def test_masks_that_lie_there_and_are_not_listed(raw: Path, place: str) -> None:
    draw_mask(raw / place / "x.png")
    (raw / "manifest.csv").write_text("image,label\na.png,0\nx.png,1\n", encoding="utf-8")
    assert f"names no mask for its anomalous images, but 1 lie in {raw}/{place}" in refused(raw, unused="refuse")
    assert len(run(raw, unused="allow").rows) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("meta.json", '[{"img_path": "a.png", "anomaly": NUMBER}]'),
        ("samples.jsonl", '{"img_path": "a.png", "anomaly": NUMBER}'),
    ],
)
def test_numbers_that_are_too_long(raw: Path, name: str, text: str) -> None:
    folders(raw)
    (raw / name).write_text(text.replace("NUMBER", "1" * 5000), encoding="utf-8")
    assert str(raw / name) in refused(raw)


@pytest.mark.parametrize("key", ["cls_name", "specie_name"])
def test_half_of_a_pair_of_escapes(raw: Path, key: str) -> None:
    draw_image(raw / "a.png")
    (raw / "meta.json").write_text(json.dumps([{"img_path": "a.png", "anomaly": 0, key: "\ud83d"}]), encoding="utf-8")
    assert "\\ud83d" in refused(raw)
    assert "is not in UTF-8" in refused(raw)
