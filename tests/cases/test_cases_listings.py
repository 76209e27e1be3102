"""Listings: one that is there is read, or its fault is named; it is never passed over for the folders beside it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaclip.data.layouts import read_original
from adaclip.data.prepare import Prepared, prepare
from adaclip.data.registry import dataset_for
from adaclip.errors import AdaclipError
from tests.raw import draw_image, draw_mask


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Two normal images and two anomalous ones with masks, which no layout of folders would read."""
    root = tmp_path / "raw"
    for name in ("a.png", "b.png", "x.png", "y.png"):
        draw_image(root / name)
    for name in ("x", "y"):
        draw_mask(root / f"m{name}.png")
    return root


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


# What is read


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_as_programs_write_it(raw: Path, separator: str, newline: str, mark: str) -> None:
    text = mark + TABLE.replace(",", separator).replace("\n", newline)
    (raw / "manifest.csv").write_bytes(text.encode())
    assert found(raw) == TRUTH


@pytest.mark.parametrize(
    "text",
    [
        TABLE.upper().replace("PNG", "png").replace("MX", "mx").replace("MY", "my").replace("\nA", "\na")
        .replace("\nB", "\nb").replace("\nX", "\nx").replace("\nY", "\ny"),
        '"Image","Label","Mask"\n"a.png","0",""\n"b.png","0",""\n"x.png","1","mx.png"\n"y.png","1","my.png"\n',
        "sep=;\n" + TABLE.replace(",", ";"),
        ",image,label,mask\n0,a.png,0.0,\n1,b.png,0.0,\n2,x.png,1.0,mx.png\n3,y.png,1.0,my.png\n",
        TABLE.replace("\n", ",,\n") + ",,,,\n\n",
        " image , label , mask \n a.png , OK , \n b.png , Good , \n x.png , NG , mx.png \n y.png , Anomaly , my.png \n",
        "image,mask\na.png,\nb.png,\nx.png,mx.png\ny.png,my.png\n",
        "filename,anomaly,mask path\na.png,False,\nb.png,False,\nx.png,True,.\\mx.png\ny.png,True,./my.png\n",
        TABLE.replace("image,label,mask", "image,label,mask,\"a note, with\nlines\"").replace(",\n", ',,"a\nb"\n')
        .replace("mx.png", "mx.png,").replace("my.png", "my.png,"),
    ],
)  # fmt: skip
def test_csv_with_oddities(raw: Path, text: str) -> None:
    (raw / "manifest.csv").write_text(text, encoding="utf-8", newline="")
    assert found(raw) == TRUTH


def test_csv_in_utf_16_says_so(raw: Path) -> None:
    draw_image(raw / "ä.png")
    (raw / "manifest.csv").write_text(TABLE + "ä.png,0,\n", encoding="utf-16")
    assert found(raw) == TRUTH | {"ä.png": (0, False)}


@pytest.mark.parametrize("name", ["manifest.csv", "labels.csv", "annotations.csv", "metadata.tsv", "our list.csv"])
def test_csv_of_any_name(raw: Path, name: str) -> None:
    folders(raw)
    (raw / name).write_text(TABLE, encoding="utf-8")
    result = run(raw)
    assert result.layout == "csv"
    assert len(result.rows) == 4
    assert name == "manifest.csv" or f"listed by {name}" in result.notes


@pytest.mark.parametrize("name", ["meta.json", "meta_nut.json", "metadata.json", "samples.json", "dataset.json"])
@pytest.mark.parametrize("shape", ["meta", "lists", "records"])
def test_json_of_any_name(raw: Path, name: str, shape: str) -> None:
    folders(raw)
    value: Any = {"train": {}, "test": {"nut": ENTRIES}}
    if shape == "lists":
        value = {"test": ENTRIES}
    if shape == "records":
        value = ENTRIES
    (raw / name).write_text(json.dumps(value), encoding="utf-8")
    result = run(raw)
    assert result.layout == "meta"
    assert {Path(row.image).name: (row.label, bool(row.mask)) for row in result.rows} == TRUTH
    assert {row.category for row in result.rows} == {"nut"}


@pytest.mark.parametrize("name", ["samples.jsonl", "meta.jsonl", "test.json", "list.ndjson"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_one_record_a_line(raw: Path, name: str, mark: str) -> None:
    folders(raw)
    lines = "\r\n".join(json.dumps(entry) for entry in ENTRIES) + "\r\n\r\n"
    (raw / name).write_bytes((mark + lines).encode())
    assert found(raw) == TRUTH


def test_records_with_other_keys(raw: Path) -> None:
    records = [
        {"filename": "a.png", "label": 0, "label_name": "good", "clsname": "nut"},
        {"filename": "x.png", "label": 1, "label_name": "bent", "clsname": "nut", "maskname": "mx.png"},
    ]
    (raw / "test.json").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    assert {(row.category, row.defect, row.label, bool(row.mask)) for row in run(raw).rows} == {
        ("nut", "bent", 1, True),
        ("nut", "good", 0, False),
    }


def test_train_and_test_each_in_a_file(raw: Path) -> None:
    (raw / "train.csv").write_text("image,label\na.png,0\n", encoding="utf-8")
    (raw / "test.csv").write_text("image,label,mask\nb.png,0,\nx.png,1,mx.png\ny.png,1,my.png\n", encoding="utf-8")
    result = run(raw)
    assert {Path(row.image).name: row.split for row in result.rows} == {
        "a.png": "train",
        "b.png": "test",
        "x.png": "test",
        "y.png": "test",
    }
    assert "listed by test.csv, train.csv" in result.notes


@pytest.mark.parametrize("name", ["manifest.csv", "meta.json"])
def test_a_listing_below_the_given_folder(raw: Path, name: str) -> None:
    below = raw.parent / "given/one/two"
    below.parent.mkdir(parents=True)
    raw.rename(below)
    text = TABLE if name == "manifest.csv" else json.dumps({"test": {"nut": ENTRIES}})
    (below / name).write_text(text, encoding="utf-8")
    assert found(raw.parent / "given") == TRUTH


def test_a_key_beside_train_and_test(raw: Path) -> None:
    folders(raw)
    value = {"train": {}, "test": {"nut": ENTRIES}, "info": {"version": 1}, "license": "CC"}
    (raw / "meta.json").write_text(json.dumps(value), encoding="utf-8")
    result = run(raw)
    assert (result.layout, len(result.rows)) == ("meta", 4)
    assert "meta.json: the key 'info' names no image and is not used" in result.notes


def test_a_key_beside_train_and_test_and_images_that_are_not_listed(tmp_path: Path) -> None:
    """Read after the list, not after the folders: what it does not name is named."""
    for name in ("train/good/0.png", "test/good/0.png", "test/good/1.png", "test/bent/0.png"):
        draw_image(tmp_path / "raw/nut" / name)
    draw_mask(tmp_path / "raw/nut/ground_truth/bent/0_mask.png")
    entry = {**ENTRIES[0], "img_path": "nut/test/good/0.png"}
    value = {"train": {}, "test": {"nut": [entry]}, "info": {"version": 1}}
    (tmp_path / "raw/meta.json").write_text(json.dumps(value), encoding="utf-8")
    text = refused(tmp_path / "raw", unused="refuse")
    assert "read as layout meta, 4 of 5 image files are not part of the set" in text
    assert "1 in nut/test/bent" in text
    assert "name them in the list too" in text
    assert len(run(tmp_path / "raw").rows) == 1


def test_placeholders_of_a_split_that_is_not_used(raw: Path) -> None:
    placeholder = {**ENTRIES[0], "img_path": ""}
    value = {"train": {"nut": [placeholder], "bolt": [placeholder]}, "test": {"nut": ENTRIES}}
    (raw / "meta.json").write_text(json.dumps(value), encoding="utf-8")
    result = run(raw)
    assert {row.split for row in result.rows} == {"test"}
    assert len(result.rows) == 4
    assert any("2 placeholders without an image are left out of the train split" in note for note in result.notes)


def test_two_listings_that_agree(raw: Path) -> None:
    table = "image,category,label,mask\na.png,nut,0,\nb.png,nut,0,\nx.png,nut,1,mx.png\ny.png,nut,1,my.png\n"
    (raw / "manifest.csv").write_text(table, encoding="utf-8")
    (raw / "meta.json").write_text(json.dumps({"test": {"nut": ENTRIES}}), encoding="utf-8")
    result = run(raw)
    assert result.layout == "csv"
    assert "meta.json lists the same images as manifest.csv" in result.notes
    # As every prepared set: it may be prepared once more.
    again = prepare(dataset_for("own", {}), raw.parent / "out", raw.parent / "again", jobs=1)
    assert sorted((row.sha256, row.label) for row in again.rows) == sorted(
        (row.sha256, row.label) for row in result.rows
    )


def test_an_image_twice_in_the_same_way_counts_once(raw: Path) -> None:
    (raw / "manifest.csv").write_text(TABLE + "./a.png,good,\n", encoding="utf-8")
    result = run(raw)
    assert len(result.rows) == 4
    assert "1 image is listed twice in the same way and counts once" in result.notes


def test_names_whose_letters_are_composed_otherwise(raw: Path) -> None:
    draw_image(raw / "u\u0308ber.png")
    (raw / "manifest.csv").write_text(TABLE + "\u00fcber.png,0,\n", encoding="utf-8")
    assert len(run(raw).rows) == 5


def test_a_mask_that_nobody_drew_is_said_so(raw: Path) -> None:
    (raw / "manifest.csv").write_text(TABLE.replace("my.png", "none"), encoding="utf-8")
    assert found(raw) == TRUTH | {"y.png": (1, False)}


def test_outlines_beside_each_image_are_no_listing(raw: Path) -> None:
    folders(raw)
    (raw / "good/1.json").write_text(json.dumps({"imagePath": "1.png", "shapes": []}), encoding="utf-8")
    assert run(raw).layout == "folders"


def test_a_file_that_names_no_image_is_worth_a_note(raw: Path) -> None:
    folders(raw)
    (raw / "package.json").write_text('{"name": "holiday photos"}', encoding="utf-8")
    (raw / "weather.csv").write_text("day,degrees\n1,20\n", encoding="utf-8")
    (raw / "Größen.csv").write_text("Größe\n1\n", encoding="latin-1")
    (raw / "half.json").write_text('{"name": ', encoding="utf-8")
    result = run(raw)
    assert result.layout == "folders"
    assert any("package.json is not read: is an object with the keys name" in note for note in result.notes)
    assert any("half.json is not read: as JSON: Expecting value" in note for note in result.notes)
    assert any("Größen.csv is not read: line 1 is not in UTF-8" in note for note in result.notes)


def test_the_user_may_say_which_layout_to_read(raw: Path) -> None:
    folders(raw)
    (raw / "labels.csv").write_text("file;kind\na.png;0\n", encoding="utf-8")
    assert "layout: folders" in refused(raw)
    result = run(raw, layout="folders")
    assert result.layout == "folders"
    assert any("labels.csv is not read" in note for note in result.notes)


# What is refused


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


# Drawn listings with known truth


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pool") / "raw"
    for name in POOL:
        draw_image(root / name)
        draw_mask(root / "masks" / name)
    return root


POOL = ("a.png", "b c.png", "d;e,f.png", "größe/a.png", "deep/er/'g'.png", 'h".png')
ROWS = st.lists(
    st.tuples(st.sampled_from(POOL), st.booleans(), st.sampled_from(("train", "test"))), min_size=1, max_size=8
)
WORDS = {False: ("0", "good", "OK", "Normal"), True: ("1", "bad", "NG", "Anomaly")}


@given(rows=ROWS, data=st.data())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_a_drawn_listing_is_read_as_it_is_or_refused(
    pool: Path, rows: list[tuple[str, bool, str]], data: st.DataObject
) -> None:
    records = []
    for image, label, split in rows:
        mask = f"masks/{image}" if label else ""
        word = data.draw(st.sampled_from(WORDS[label]))
        records.append({"image": image, "label": word, "mask": mask, "split": split})
    path = _written(pool, records, data)
    dataset = dataset_for("own", {"unused": "allow"})
    labels = {image: label for image, label, _ in rows}
    contradicts = any(labels[image] != label for image, label, _ in rows)
    try:
        if contradicts:
            with pytest.raises(AdaclipError, match="two labels"):
                read_original(pool, dataset)
            return
        items = read_original(pool, dataset).reading.items
    finally:
        path.unlink()
    found = sorted((item.image.relative_to(pool).as_posix(), bool(item.label), item.split) for item in items)
    assert found == sorted(set(rows))
    for item in items:
        mask = item.mask.relative_to(pool).as_posix() if item.mask else ""
        assert mask == (f"masks/{item.image.relative_to(pool).as_posix()}" if item.label else "")


def _written(root: Path, records: list[dict[str, str]], data: st.DataObject) -> Path:
    """A listing in a drawn format."""
    kind = data.draw(st.sampled_from(("csv", "lines", "records", "meta")))
    mark = data.draw(st.sampled_from(("", "\ufeff")))
    newline = data.draw(st.sampled_from(("\n", "\r\n")))
    if kind == "csv":
        stream = io.StringIO()
        heads = data.draw(st.permutations(list(records[0])))
        separator = data.draw(st.sampled_from(",;\t"))
        quoting = data.draw(st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)))
        writer = csv.writer(stream, delimiter=separator, quoting=quoting, lineterminator=newline)
        change = data.draw(st.sampled_from((str.lower, str.upper, str.title)))
        writer.writerow([change(head) for head in heads])
        writer.writerows([record[head] for head in heads] for record in records)
        path, text = root / "manifest.csv", stream.getvalue()
    elif kind == "lines":
        path, text = root / "samples.jsonl", newline.join(json.dumps(record) for record in records)
    elif kind == "records":
        path, text = root / "samples.json", json.dumps(records, indent=data.draw(st.sampled_from((None, 1))))
    else:
        splits = {split: [r for r in records if r["split"] == split] for split in ("train", "test")}
        path, text = root / "meta.json", json.dumps({split: {"own": some} for split, some in splits.items()})
    path.write_bytes((mark + text).encode())
    return path
