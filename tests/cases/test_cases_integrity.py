"""One flipped bit in a result or in prepared data is found and named, and never turns into a figure."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.audit.fingerprint import write_fingerprints
from adaclip.cli import main
from adaclip.data.fetched import Archive, write_note
from adaclip.data.manifest import read_manifest, read_prepared
from adaclip.data.prepare import prepare
from adaclip.data.registry import dataset_for
from adaclip.errors import AdaclipError
from adaclip.report.overview import write_overview
from adaclip.report.stored import read_metrics
from adaclip.system import records
from adaclip.system.files import read_checked, read_json, sha256_of, write_json, write_text
from tests.sets import draw_image


def flip(path: Path, bit: int) -> None:
    """Flip one bit of a file, in a copy that takes its place, so that what it was linked to stays whole."""
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    part = path.with_name("damaged")
    part.write_bytes(content)
    part.replace(path)


def refusal(manifest: Path) -> str:
    """The line that refuses a prepared set; "" when it is read."""
    try:
        read_manifest(manifest)
        read_prepared(manifest)
    except AdaclipError as error:
        return str(error) if "\n" not in str(error) else ""
    return ""


def bits(path: Path, count: int) -> list[int]:
    """Places of single bits, the same in every run; the first and the last bit are among them."""
    size = 8 * path.stat().st_size
    return [0, size - 1, *random.Random(path.name).sample(range(size), count)]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    records.keep_records(folder)
    return folder


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """The manifest of a set with masks that was really prepared."""
    rng = np.random.default_rng(0)
    for index in range(4):
        pixels, mask = draw_image(rng, 64, 48, index % 2 == 1)
        kind = "hole" if index % 2 else "good"
        path = tmp_path / f"raw/bolt/test/{kind}/{index:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        if index % 2:
            path = tmp_path / f"raw/bolt/ground_truth/hole/{index:03}_mask.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(path)
    prepare(dataset_for("toy", None), tmp_path / "raw", tmp_path / "toy")
    return tmp_path / "toy" / "manifest.csv"


def test_every_flipped_bit_of_a_result_is_refused_when_it_is_read(results):
    path = results / "runs" / "a" / "seed-0" / "toy" / "metrics.json"
    write_json(path, {"categories": {}, "mean": {"image": {"auroc": 0.9375}}})
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        flip(path, bit)
        with pytest.raises(AdaclipError, match=r"metrics\.json is damaged.*run adaclip verify .* --remove") as caught:
            read_json(path)
        assert "\n" not in str(caught.value)
        path.write_bytes(whole)
    assert read_json(path)["mean"]["image"]["auroc"] == 0.9375


def test_a_flipped_digit_never_reaches_a_table(results):
    path = results / "runs" / "a" / "seed-0" / "toy" / "metrics.json"
    figures = {"auroc": 0.9375, "f1_max": 0.5, "ap": 0.5}
    levels = {"image": figures, "pixel": {**figures, "aupro": 0.5}}
    found = {"images": 4, "anomalous": 2, **levels, "undefined": {}}
    both = {protocol: {"mean": levels} for protocol in ("published", "common")}
    whole = {"set": "toy", "images": 4, "categories": {"bolt": found}, "protocol": "published", "protocols": both}
    write_json(path, {**whole, "mean": levels})
    assert read_metrics(path, {"set": "toy"})["mean"]["pixel"]["auroc"] == 0.9375
    flip(path, 8 * path.read_bytes().rindex(b"9375"))
    assert json.loads(path.read_text())["mean"]["pixel"]["auroc"] == 0.8375
    with pytest.raises(AdaclipError, match=r"metrics\.json is damaged"):
        read_metrics(path, {"set": "toy"})


def test_a_flipped_bit_of_the_record_is_damage_too(results):
    path = results / "plan.json"
    write_text(path, "{}\n")
    record = records.record_of(results, path)
    assert record.read_text() == f"{sha256_of(path)}  plan.json\n"
    whole = record.read_bytes()
    for bit in range(8 * len(whole)):
        flip(record, bit)
        with pytest.raises(AdaclipError, match=r"plan\.json is damaged"):
            read_checked(path)
        record.write_bytes(whole)
    assert read_checked(path) == b"{}\n"


def test_a_process_that_is_killed_while_it_writes_leaves_no_wrong_record(results, monkeypatch):
    path = results / "plan.json"
    write_text(path, "{}\n")
    with monkeypatch.context() as patched:
        patched.setattr(records, "remember", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            write_text(path, "[]\n")
    assert read_json(path) == []
    assert not records.record_of(results, path).exists()


def test_without_a_folder_of_records_nothing_is_recorded(tmp_path):
    write_text(tmp_path / "page.md", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]


@pytest.mark.parametrize("name", ["manifest.csv", "prepared.json", "SHA256SUMS"])
def test_every_flipped_bit_beside_the_images_is_refused(prepared, name):
    path = prepared.with_name(name)
    whole = path.read_bytes()
    for bit in range(8 * len(whole)) if name == "SHA256SUMS" else bits(path, 300):
        if name == "SHA256SUMS" and whole[: bit // 8].count(b"\n") == 1:
            continue  # the digest of meta.json, which nothing reads
        flip(path, bit)
        assert re.search(r"prepare the set again|cannot read manifest", refusal(prepared))
        path.write_bytes(whole)
    assert len(read_manifest(prepared)) == 4


def test_a_damaged_image_or_mask_gives_no_fingerprint_and_no_overview(prepared, tmp_path):
    frame = read_manifest(prepared)
    for column, kind in (("image", "images"), ("mask", "masks")):
        path = prepared.parent / frame[frame["label"] == 1][column].iloc[0]
        assert path.relative_to(prepared.parent).parts[0] == kind
        whole = path.read_bytes()
        for bit in bits(path, 10):
            flip(path, bit)
            with pytest.raises(AdaclipError, match=rf"{path.name} is damaged: .*prepare the set again"):
                write_overview(prepared, tmp_path / "overview", jobs=1)
            if column == "image":
                with pytest.raises(AdaclipError, match=rf"{path.name} is damaged: .*prepare the set again"):
                    write_fingerprints(prepared, tmp_path / "out.csv", jobs=1)
            path.write_bytes(whole)
    write_overview(prepared, tmp_path / "overview", jobs=1)
    write_fingerprints(prepared, tmp_path / "out.csv", jobs=1)


def test_checking_of_images_can_be_turned_off(prepared, tmp_path, monkeypatch):
    path = prepared.parent / read_manifest(prepared)["image"].iloc[0]
    Image.new("RGB", (64, 48), (1, 2, 3)).save(tmp_path / "other.png")
    path.unlink()
    path.write_bytes((tmp_path / "other.png").read_bytes())
    with pytest.raises(AdaclipError, match="is damaged"):
        write_fingerprints(prepared, tmp_path / "out.csv", jobs=1)
    monkeypatch.setenv("ADACLIP_VERIFY", "0")
    write_fingerprints(prepared, tmp_path / "out.csv", jobs=1)


def test_every_flipped_bit_of_a_file_of_tensors_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    from adaclip.system.tensors import read_tensors, write_tensors

    path = tmp_path / "c.safetensors"
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.int64)}
    write_tensors(path, tensors, {"format": "x", "zeta": "{}", "alpha": "ä"})
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        flip(path, bit)
        # Without the key of the digest it is another program's file; those who read ours refuse that.
        checked, said = False, f"damaged: {path.name}"
        try:
            checked = read_tensors(path, "checkpoint", "train it again")[2]
        except AdaclipError as error:
            said = str(error)
        assert not checked, bit
        assert re.fullmatch(r".*c\.safetensors.*", said)
        path.write_bytes(whole)
    write_tensors(path, dict(reversed(tensors.items())), {"alpha": "ä", "zeta": "{}", "format": "x"})
    assert path.read_bytes() == whole
    found, metadata, checked = read_tensors(path, "checkpoint", "train it again")
    assert checked
    assert metadata == {"format": "x", "zeta": "{}", "alpha": "ä"}
    assert torch.equal(found["a"], tensors["a"])


def fill(results: Path) -> list[Path]:
    """A few files of each kind, as the verbs write them."""
    places = (
        "plan.json",
        "summary.json",
        "runs/a/seed-0/history.csv",
        "runs/a/seed-0/toy/metrics.json",
        "runs/a/seed-0/toy/panels.npz",
        "overview/toy/overview.json",
        "overview/toy/thumbnails/000_normal.webp",
        "figures/training.svg",
        "report/index.html",
    )
    for number, name in enumerate(places):
        write_text(results / name, f"{name} {number}\n" * 5)
    return [results / name for name in places]


def said(*words: str | Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of `adaclip verify`."""
    code = main(["verify", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_verify_names_each_of_fifty_flipped_bits_and_nothing_else(results, prepared, capsys):
    data = prepared.parents[1] / "data"
    (data / "prepared").mkdir(parents=True)
    prepared.parent.rename(data / "prepared" / "toy")
    fill(results)
    files = [path for folder in (results, data) for path in sorted(folder.rglob("*")) if path.is_file()]
    assert said(results, "--data", data, capsys=capsys)[0] == 0
    draw = random.Random(0)
    for _ in range(50):
        path = draw.choice(files)
        whole = path.read_bytes()
        flip(path, draw.randrange(8 * len(whole)))
        code, out, error = said(results, "--data", data, capsys=capsys)
        assert code == 1
        assert error.count("\n") == 1
        [line] = [line for line in out.splitlines() if not line.startswith("note: ")]
        # Damage to a digest is told of its file, and names both.
        assert ": damaged: " in line
        assert str(path) in line
        path.write_bytes(whole)
    assert said(results, "--data", data, capsys=capsys)[0] == 0


def test_verify_removes_what_is_damaged_and_what_was_made_with_it(results, capsys):
    paths = fill(results)
    thumbnail = next(path for path in paths if path.suffix == ".webp")
    flip(thumbnail, 5)
    code, out, _ = said(results, "--remove", capsys=capsys)
    assert code == 0
    assert f"removed {thumbnail}" in out
    assert "now run snakemake --cores all" in out
    gone = {thumbnail, results / "overview/toy/overview.json"}
    assert {path for path in paths if not path.exists()} == gone
    assert said(results, capsys=capsys)[0] == 0
    assert not any(records.record_of(results, path).exists() for path in gone)


def test_verify_names_what_is_missing_and_what_nobody_recorded(results, capsys):
    paths = fill(results)
    paths[3].unlink()
    records.forget(paths[2])
    (results / "tables").mkdir()
    (results / "tables" / "mine.csv").write_text("a hand-made table\n")
    (results / "notes.txt").write_text("mine\n")
    code, out, _ = said(results, capsys=capsys)
    assert code == 1
    assert f"{paths[3]}: missing" in out
    assert f"{paths[2]}: not recorded" in out
    assert "files in " + str(results) + " that this program did not write: 2" in out
    assert said(results, "--remove", capsys=capsys)[0] == 0
    assert (results / "tables" / "mine.csv").exists()
    assert (results / "notes.txt").exists()
    assert not paths[2].exists()
    assert said(results, capsys=capsys)[0] == 0


def test_verify_never_removes_an_image_whose_original_is_the_same_file(results, prepared, tmp_path, capsys):
    (tmp_path / "data" / "prepared").mkdir(parents=True)
    prepared.parent.rename(tmp_path / "data" / "prepared" / "toy")
    original = tmp_path / "raw" / "bolt" / "test" / "hole" / "001.png"
    copy = tmp_path / "data/prepared/toy/images/bolt/test/hole/001.png"
    assert original.stat().st_ino == copy.stat().st_ino
    whole = original.read_bytes()
    original.write_bytes(whole[:-1] + b"\0")
    code, out, _ = said(results, "--data", tmp_path / "data", "--remove", capsys=capsys)
    assert code == 1
    assert f"{copy}: damaged" in out
    assert f"so is your original {original}" in out
    assert copy.exists()
    original.write_bytes(whole)
    assert said(results, "--data", tmp_path / "data", capsys=capsys)[0] == 0


def test_verify_of_a_folder_without_records_is_refused(tmp_path, capsys):
    code, _, error = said(tmp_path, capsys=capsys)
    assert code == 1
    assert "has no folder sha256" in error
    code, _, error = said(tmp_path / "nothing", capsys=capsys)
    assert code == 1
    assert "no such folder" in error


def test_fetched_and_drawn_archives_are_checked_too(results, tmp_path, capsys):
    data = tmp_path / "data"
    records.keep_records(data)
    archive = data / "raw" / "toy" / "toy.zip"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"archive" * 9)
    entry = [Archive("toy.zip", sha256_of(archive), 63, "https://toy.example/toy.zip")]
    for path in (archive.with_name(".fetched.json"), data / "raw" / "toy.fetched.json"):
        write_note(path, "toy", "http", entry)
    write_text(data / "mirror" / "toy" / "SHA256SUMS", "0\n")
    assert said(results, "--data", data, capsys=capsys)[0] == 0
    for path in (data / "raw" / "toy.fetched.json", archive, data / "mirror" / "toy" / "SHA256SUMS"):
        flip(path, 3)
        code, out, _ = said(results, "--data", data, capsys=capsys)
        assert code == 1
        assert out.splitlines()[0].startswith(f"{path}: damaged")
        flip(path, 3)
    flip(archive, 3)
    assert said(results, "--data", data, "--remove", capsys=capsys)[0] == 0
    assert [path.name for path in (data / "raw").rglob("*") if path.is_file()] == [".fetched.json"]
