"""Copies are found by content, different images that look alike are not, and the search misses nothing."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from adaclip.audit.compare import Audit, compare
from adaclip.audit.examples import choose
from adaclip.audit.fingerprint import Fingerprints, fingerprint, read_fingerprints, write_fingerprints
from adaclip.audit.matching import MAX_BITS, look_alike, near_pairs
from adaclip.audit.overlaps import matrix
from adaclip.audit.publish import write_audit
from adaclip.data.manifest import ManifestRow, write_manifest
from adaclip.errors import AdaclipError
from adaclip.report.document import read_figures_index, read_tables_index


def scan(seed: int, size: int = 160) -> Image.Image:
    """A head with a skull, ventricles and blobs; two seeds share the outline, as slices of two heads do."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (size, size))
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 8, size - 20, size - 8), fill=(90, 90, 90), outline=(230, 230, 230), width=6)
    for _ in range(40):
        x, y = rng.uniform(0.25, 0.7, 2) * size
        r, g = rng.uniform(3, 14), int(rng.uniform(40, 200))
        draw.ellipse((x, y, x + r, y + r * rng.uniform(0.5, 2)), fill=(g, g, g))
    noise = rng.normal(0, 4, (size, size, 1))
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


def grid(seed: int, size: int = 160) -> Image.Image:
    """A wire grid; two seeds differ in phase and angle alone."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    angle, phase = rng.uniform(0.4, 0.5), rng.uniform(0, 6, 2)
    waves = np.sin(x * angle + y * 0.2 + phase[0]), np.sin(x * angle - y * 0.2 + phase[1])
    grey = (60 + 150 * (np.maximum(*waves) > 0.8)).astype(np.uint8)
    return Image.fromarray(np.repeat(grey[..., None], 3, axis=2))


def jpeg(image: Image.Image, quality: int, folder: Path) -> Image.Image:
    image.save(folder / "again.jpg", quality=quality)
    return Image.open(folder / "again.jpg").convert("RGB")


@pytest.fixture
def fingerprinted(tmp_path: Path) -> Callable[..., Path]:
    """Make a prepared set of (name, image, label) and fingerprint it."""

    def make(dataset: str, images: Iterable[tuple[str, Image.Image, int]], split: str = "test") -> Path:
        folder = tmp_path / "prepared" / dataset
        rows = []
        for name, image, label in images:
            path = folder / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            rows.append(ManifestRow(dataset, "c", split, f"images/{name}", "", label, "good", *image.size, digest))
        write_manifest(folder / "manifest.csv", rows)
        out = tmp_path / "fingerprints" / f"{dataset}.csv"
        write_fingerprints(folder / "manifest.csv", out, jobs=1)
        return out

    return make


def found(audit: Audit) -> set[tuple[str, str, str]]:
    return set(audit.pairs[["image", "other_image", "kind"]].itertuples(index=False, name=None))


def test_content_counts_not_the_file(tmp_path: Path) -> None:
    image = scan(0)
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "b.bmp")
    image.convert("RGBA").save(tmp_path / "c.tif")
    contents = {fingerprint(Image.open(tmp_path / name))[0] for name in ("a.png", "b.bmp", "c.tif")}
    assert len(contents) == 1
    changed = np.array(image)
    changed[5, 5, 0] ^= 1
    assert fingerprint(Image.fromarray(changed))[0] not in contents


def test_equal_bytes_of_another_shape_are_another_image() -> None:
    flat = Image.new("RGB", (4, 6), (9, 9, 9))
    assert fingerprint(flat)[0] != fingerprint(flat.resize((6, 4)))[0]


@pytest.mark.parametrize("draw", [scan, grid])
def test_changed_copies_are_near(
    draw: Callable[[int], Image.Image], fingerprinted: Callable[..., Path], tmp_path: Path
) -> None:
    image = draw(1)
    copies = {
        "jpeg.png": jpeg(image, 50, tmp_path),
        "half.png": image.resize((80, 80), Image.Resampling.BICUBIC),
        "wide.png": image.resize((300, 200), Image.Resampling.BICUBIC),
        "bright.png": ImageEnhance.Brightness(image).enhance(1.1),
        "contrast.png": ImageEnhance.Contrast(image).enhance(0.85),
    }
    out = fingerprinted("copies", [("0.png", image, 0), *((name, copy, 0) for name, copy in copies.items())])
    audit = compare(read_fingerprints([out]))
    group = audit.groups
    assert set(group["image"]) == {"images/0.png", *(f"images/{name}" for name in copies)}
    assert set(group["group"]) == {1}
    assert set(group["kind"]) == {"near"}
    assert set(audit.pairs["kind"]) == {"near"}


def test_images_that_look_alike_do_not_pair(fingerprinted: Callable[..., Path]) -> None:
    images = [(f"scan{k}.png", scan(k), 0) for k in range(12)] + [(f"grid{k}.png", grid(k), 0) for k in range(12)]
    audit = compare(read_fingerprints([fingerprinted("alike", images)]))
    assert audit.pairs.empty
    assert audit.groups.empty


def test_identical_across_sets(fingerprinted: Callable[..., Path]) -> None:
    shared = scan(3)
    one = fingerprinted("one", [("a.png", shared, 0), ("b.png", scan(4), 0), ("copy of a.bmp", shared, 1)])
    two = fingerprinted("two", [("x.bmp", shared, 1), ("y.png", scan(5), 1)])
    audit = compare(read_fingerprints([one, two]))
    assert found(audit) == {
        ("images/a.png", "images/copy of a.bmp", "identical"),
        ("images/copy of a.bmp", "images/a.png", "identical"),
        ("images/a.png", "images/x.bmp", "identical"),
        ("images/copy of a.bmp", "images/x.bmp", "identical"),
        ("images/x.bmp", "images/a.png", "identical"),
    }
    assert audit.pairs.loc[audit.pairs["set"] == "two", "identical"].tolist() == [2]
    assert matrix(audit).tolist() == [[2, 2], [1, 0]]


def test_identical_beats_near(fingerprinted: Callable[..., Path], tmp_path: Path) -> None:
    shared = scan(3)
    one = fingerprinted("one", [("a.png", shared, 0)])
    two = fingerprinted("two", [("again.png", jpeg(shared, 70, tmp_path), 0), ("same.png", shared, 0)])
    pairs = compare(read_fingerprints([one, two])).pairs
    row = pairs[(pairs["set"] == "one") & (pairs["other_set"] == "two")].iloc[0]
    assert (row["kind"], row["other_image"], row["bits"]) == ("identical", "images/same.png", 0)
    assert (row["identical"], row["near"]) == (1, 1)


def test_group_by_way_of_another(fingerprinted: Callable[..., Path]) -> None:
    """A set's own group does not close over images of other sets."""
    ends = Fingerprints(
        pd.DataFrame(
            {"set": ["a", "b", "a"], "category": "c", "image": ["1", "2", "3"], "label": 0, "content": list("xyz")}
        ),
        np.packbits(np.arange(256)[None] < np.array([[0], [20], [40]]), axis=1),
        np.tile(np.arange(1024, dtype=np.uint16).astype(np.uint8), (3, 1)),
    )
    audit = compare(ends)
    assert len(audit.groups) == 3
    assert audit.groups_within("a").empty
    assert set(zip(audit.pairs["image"], audit.pairs["other_image"], strict=True)) == {
        ("1", "2"),
        ("2", "1"),
        ("2", "1"),
        ("3", "2"),
    }


def test_every_near_pair_is_found() -> None:
    """5,000 random hashes, some of them changed copies of others, against distances of all pairs by another formula."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 256, (5000, 32), np.uint8)
    smalls = rng.integers(0, 256, (5000, 64), np.uint8)
    expected = set()
    for copy in range(300):
        source, target, flips = copy, 4999 - copy * 3, copy % 40
        bits = np.unpackbits(hashes[source])
        bits[rng.choice(256, flips, replace=False)] ^= 1
        hashes[target], smalls[target] = np.packbits(bits), smalls[source]
    as_bits = np.unpackbits(hashes, axis=1).astype(np.float32)
    # Hamming distance by another way: |a - b| of bits is a + b - 2ab.
    weight = as_bits.sum(1)
    distance = weight[:, None] + weight[None, :] - 2 * as_bits @ as_bits.T
    for i, j in zip(*np.nonzero(distance <= MAX_BITS), strict=True):
        if i < j and (smalls[i] == smalls[j]).all():
            expected.add((int(i), int(j), int(distance[i, j])))
    assert len(expected) > 150
    got = {
        (int(i), int(j), int(bits))
        for first, second, distances in near_pairs(hashes, smalls)
        for i, j, bits in zip(first, second, distances, strict=True)
    }
    assert got == expected


def test_flat_images_are_compared_by_level() -> None:
    levels = np.array([[0], [5], [40]], np.uint8)
    flat = np.repeat(levels, 64, axis=1)
    assert look_alike(flat[[0, 0]], flat[[1, 2]]).tolist() == [True, False]
    ramp = np.arange(64, dtype=np.uint8)[None]
    assert look_alike(ramp, flat[:1]).tolist() == [False]
    assert look_alike(ramp, 100 + ramp // 2).tolist() == [True]
    assert look_alike(ramp, ramp[:, ::-1]).tolist() == [False]


def test_what_is_written(fingerprinted: Callable[..., Path], tmp_path: Path) -> None:
    shared, near = scan(3), scan(6)
    again = jpeg(near, 60, tmp_path)
    one = fingerprinted("one", [("a.png", shared, 0), ("b.png", shared, 1), ("n.png", near, 0)])
    two = fingerprinted("two", [("x.png", shared, 0), ("n.png", again, 1), ("z.png", scan(8), 1)])
    out = tmp_path / "audit"
    sets = write_audit([one, two], out, {"one": "Set One"})
    assert sets["one"] == {
        "images": 3,
        "identical_groups": 1,
        "identical_images": 2,
        "near_groups": 0,
        "near_images": 0,
        "mixed_groups": 1,
        "elsewhere": 3,
    }
    leakage = json.loads((out / "leakage.json").read_text())
    assert leakage["sets"] == sets
    assert leakage["overlaps"] == {
        "one": {"two": {"identical": ["images/a.png", "images/b.png"], "near": ["images/n.png"]}},
        "two": {"one": {"identical": ["images/x.png"], "near": ["images/n.png"]}},
    }
    tables = {table.name: table for table in read_tables_index(out / "tables" / "index.json")}
    assert list(tables) == ["audit_sets", "audit_overlaps", "audit_labels"]
    texts = [[cell.text for cell in row] for row in tables["audit_overlaps"].rows]
    assert texts == [["Set One", "two", "2", "1", "100.0"], ["two", "Set One", "1", "1", "66.7"]]
    assert [cell.text for cell in tables["audit_labels"].rows[0]] == ["Set One", "identical", "a.png", "b.png"]
    figure = read_figures_index(out / "figures" / "index.json")[0]
    assert "3 images of Set One in two" in figure.alt
    for suffix in ("svg", "png"):
        assert (out / "figures" / f"{figure.name}.{suffix}").stat().st_size > 1000
    with (out / "groups.csv").open() as stream:
        assert [row["kind"] for row in csv.DictReader(stream)] == ["identical"] * 3 + ["near"] * 2


def test_examples_take_turns_and_show_the_least_alike(fingerprinted: Callable[..., Path], tmp_path: Path) -> None:
    def copies(seed: int, name: str) -> list[tuple[str, Image.Image, int]]:
        image = scan(seed)
        return [(f"{name}.png", image, 0), (f"{name} again.png", jpeg(image, 15, tmp_path), 1)]

    images = [item for seed in range(10) for item in copies(seed, f"{seed}")]
    one = fingerprinted("one", images)
    two = fingerprinted("two", [*copies(20, "a"), ("same.png", scan(1), 0)])
    audit = compare(read_fingerprints([one, two]))
    chosen = choose(audit)
    assert len(chosen) == 8
    assert [{pair["set"], pair["other_set"]} for pair in chosen[:3]].count({"two"}) == 1
    own = [pair["bits"] for pair in chosen if pair["set"] == pair["other_set"] == "one"]
    rest = audit.pairs[(audit.pairs["set"] == "one") & (audit.pairs["other_set"] == "one")]["bits"]
    assert own == sorted(own, reverse=True)
    assert own[0] == rest.max()
    assert len({frozenset((pair["image"], pair["other_image"])) for pair in chosen}) == 8
    write_audit([one, two], tmp_path / "audit", prepared=tmp_path / "prepared")
    figures = read_figures_index(tmp_path / "audit" / "figures" / "index.json")
    assert [figure.name for figure in figures] == ["audit_overlaps", "audit_examples"]
    assert [set(figure.shows) for figure in figures] == [set(), {"one", "two"}]
    with Image.open(tmp_path / "audit" / "figures" / "audit_examples.png") as picture:
        assert picture.width > 900


def test_nothing_found_is_said(fingerprinted: Callable[..., Path], tmp_path: Path) -> None:
    path = fingerprinted("one", [("a.png", scan(1), 0)])
    write_audit([path], tmp_path / "audit", prepared=tmp_path / "prepared")
    tables = read_tables_index(tmp_path / "audit" / "tables" / "index.json")
    assert [table.name for table in tables] == ["audit_sets"]
    assert "No two sets share images" in tables[0].caption
    figures = read_figures_index(tmp_path / "audit" / "figures" / "index.json")
    assert [figure.name for figure in figures] == ["audit_overlaps"]


def test_same_results_same_bytes(fingerprinted: Callable[..., Path], tmp_path: Path) -> None:
    paths = [fingerprinted("one", [("a.png", scan(1), 0), ("b.png", scan(1), 1)])]
    for name in ("first", "second"):
        write_audit(paths, tmp_path / name)
    for file in ("pairs.csv", "groups.csv", "leakage.json", "figures/audit_overlaps.svg", "figures/audit_overlaps.png"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_damage_is_named(fingerprinted: Callable[..., Path], tmp_path: Path) -> None:
    path = fingerprinted("one", [("a.png", scan(1), 0)])
    with pytest.raises(AdaclipError, match="both of the set 'one'"):
        read_fingerprints([path, path])
    with pytest.raises(AdaclipError, match=r"no such file: .*none\.csv"):
        read_fingerprints([tmp_path / "none.csv"])
    broken = tmp_path / "broken.csv"
    broken.write_text(path.read_text()[:-40] + "\n")
    with pytest.raises(AdaclipError, match="damaged fingerprints"):
        read_fingerprints([broken])
    with pytest.raises(AdaclipError, match="no image in the split 'test'"):
        fingerprinted("trained", [("a.png", scan(1), 0)], split="train")
    (tmp_path / "prepared/one/images/a.png").write_bytes(b"")
    with pytest.raises(AdaclipError, match=r"a\.png"):
        write_fingerprints(tmp_path / "prepared/one/manifest.csv", tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()
