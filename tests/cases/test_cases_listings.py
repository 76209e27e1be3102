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
from adaclip.data.prepare import prepare
from adaclip.data.registry import dataset_for
from adaclip.errors import AdaclipError
from tests.cases.lists import ENTRIES, TABLE, TRUTH, folders, found, refused, run
from tests.raw import draw_image, draw_mask


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
