"""The field's interchange format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adaclip.data.manifest import ManifestRow
from adaclip.data.metajson import load, read_records, shape_of, write_meta
from adaclip.errors import AdaclipError


def row(category: str, split: str, image: str, mask: str = "", label: int = 0, defect: str = "good") -> ManifestRow:
    return ManifestRow("mine", category, split, image, mask, label, defect, 4, 3, "0" * 64)


ROWS = [
    row("nut", "test", "images/nut/b.png", "masks/nut/b.png", 1, "bent"),
    row("nut", "test", "images/nut/a.png"),
    row("bolt", "train", "images/bolt/ä 1.png"),
]


def test_written_as_the_field_reads_it(tmp_path: Path) -> None:
    write_meta(tmp_path / "meta.json", ROWS)
    meta = json.loads((tmp_path / "meta.json").read_text(encoding="utf-8"))
    assert list(meta) == ["train", "test"]
    assert meta["train"] == {
        "bolt": [
            {
                "img_path": "images/bolt/ä 1.png",
                "mask_path": "",
                "cls_name": "bolt",
                "specie_name": "good",
                "anomaly": 0,
            }
        ]
    }
    assert [entry["img_path"] for entry in meta["test"]["nut"]] == ["images/nut/a.png", "images/nut/b.png"]
    assert meta["test"]["nut"][1]["mask_path"] == "masks/nut/b.png"
    assert meta["test"]["nut"][1]["anomaly"] == 1


def test_read_again(tmp_path: Path) -> None:
    path = tmp_path / "meta.json"
    write_meta(path, ROWS)
    records, notes = read_records(path)
    assert notes == []
    assert [(r.split, r.category, r.image, r.mask, r.defect, r.label) for r in records] == [
        ("train", "bolt", "images/bolt/ä 1.png", "", "good", "0"),
        ("test", "nut", "images/nut/a.png", "", "good", "0"),
        ("test", "nut", "images/nut/b.png", "masks/nut/b.png", "bent", "1"),
    ]
    assert records[2].where == f"{path}: test.nut entry 2"


def test_keys_that_other_programs_leave_out(tmp_path: Path) -> None:
    path = tmp_path / "meta.json"
    path.write_text('{"test": {"nut": [{"img_path": "a.png", "mask_path": null, "anomaly": 1}]}}')
    [record] = read_records(path)[0]
    assert (record.mask, record.defect, record.label) == ("", "", "1")


@pytest.mark.parametrize("value", [[], {}, {"name": "x"}, {"test": 3}, [1, 2], [{"name": "x"}], "a.png"])
def test_other_files_of_that_name(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "meta.json"
    path.write_text(json.dumps(value))
    assert not shape_of(load(path))
    with pytest.raises(AdaclipError, match="is not"):
        read_records(path)


def test_damaged(tmp_path: Path) -> None:
    path = tmp_path / "meta.json"
    path.write_text('{"test": {')
    with pytest.raises(AdaclipError, match=r"cannot read .*meta\.json as JSON"):
        load(path)
    path.write_text('{"test": {"nut": {"a": 1}}}')
    with pytest.raises(AdaclipError, match=r"test\.nut is not a list"):
        read_records(path)
