"""Simulated originals: each of the 14 in its layout, with the oddities of its original."""

import csv
import hashlib
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, UnidentifiedImageError

from adaclip.cli import main
from adaclip.data.fetch.checksums import sums_of
from adaclip.data.fetched import DRAWN_NOTE
from adaclip.data.prepare import prepare
from adaclip.data.registry import load_registry
from adaclip.data.simulate import SIMULATED, draw_tree, simulate
from adaclip.errors import AdaclipError, UsageError
from adaclip.system.files import sha256_of

IMAGES, SIZE, SEED = 6, 64, 3
PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A function that draws a set once and returns its folder."""
    folder = tmp_path_factory.mktemp("simulated")

    def drawn(dataset):
        if not (folder / dataset).exists():
            draw_tree(dataset, folder / dataset, seed=SEED, images=IMAGES, size=SIZE)
        return folder / dataset

    return drawn


def names(root):
    return {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}


def pixels(path):
    return np.asarray(Image.open(path))


def marked_is_darker(image, mask):
    """Whether what a mask marks is darker than the rest, in grey."""
    grey = np.asarray(Image.fromarray(image).convert("L")).astype(float)
    return grey[mask].mean() < grey[~mask].mean()


def test_all_14_sets_of_the_registry_can_be_drawn():
    assert set(SIMULATED) == {name for name, dataset in load_registry().items() if dataset.built_in}


@pytest.mark.parametrize("dataset", SIMULATED)
def test_equal_seeds_give_equal_bytes_and_other_seeds_do_not(dataset, tree, tmp_path):
    drawn = {name: path.read_bytes() for name, path in names(tree(dataset)).items()}
    for seed, equal in ((SEED, True), (SEED + 1, False)):
        draw_tree(dataset, tmp_path / str(seed), seed=seed, images=IMAGES, size=SIZE)
        again = {name: path.read_bytes() for name, path in names(tmp_path / str(seed)).items()}
        assert (again == drawn) is equal


@pytest.mark.parametrize("dataset", SIMULATED)
def test_says_that_it_is_a_drawing(dataset, tree):
    note = (tree(dataset) / DRAWN_NOTE).read_text()
    assert "drawings" in note
    assert load_registry()[dataset].title in note


def test_sets_have_numbers_of_their_own(tree):
    """Sets that are drawn by the same code differ."""
    digests = Counter()
    for dataset in ("mvtec", "mpdd", "dtd", "colondb", "clinicdb", "isic", "headct"):
        found = {
            hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in names(tree(dataset)).items()
            if "test" in name
        }
        digests.update(found)
    assert max(digests.values()) == 1


def test_mvtec_layout_with_a_grey_category(tree):
    for dataset in ("mvtec", "mpdd", "dtd"):
        root = tree(dataset)
        categories = {path.name for path in root.iterdir() if path.is_dir()}
        assert categories <= set(load_registry()[dataset].categories)
        assert len(categories) >= 2
        for category in categories:
            assert len(list((root / category / "train/good").glob("*.png"))) >= 1
            assert len(list((root / category / "test/good").glob("*.png"))) == IMAGES // 2
            faulty = [p for p in (root / category / "test").glob("*/*.png") if p.parent.name != "good"]
            assert len(faulty) == IMAGES - IMAGES // 2
            for path in faulty:
                mask = pixels(root / category / "ground_truth" / path.parent.name / f"{path.stem}_mask.png")
                image = pixels(path)
                assert mask.shape == image.shape[:2] == (SIZE, SIZE)
                assert set(np.unique(mask)) == {0, 255}
                assert marked_is_darker(image, mask > 0)
            masks = list((root / category / "ground_truth").glob("*/*.png"))
            assert len(masks) == len(faulty)
    assert Image.open(tree("mvtec") / "grid/test/good/000.png").mode == "L"
    assert Image.open(tree("mvtec") / "bottle/test/good/000.png").mode == "RGB"


def test_visa_masks_are_labels_and_its_table_splits(tree):
    root = tree("visa")
    rows = list(csv.DictReader((root / "split_csv/1cls.csv").open()))
    assert list(rows[0]) == ["object", "split", "label", "image", "mask"]
    images = {name for name in names(root) if name.endswith(".JPG")}
    assert {row["image"] for row in rows} == images
    values = set()
    for row in rows:
        assert row["image"].startswith(f"{row['object']}/Data/Images/{row['label'].capitalize()}/")
        assert bool(row["mask"]) == (row["label"] == "anomaly")
        if row["mask"]:
            mask = pixels(root / row["mask"])
            assert mask.shape == pixels(root / row["image"]).shape[:2]
            assert mask.any()
            values |= set(np.unique(mask).tolist())
    counts = Counter((row["object"], row["split"], row["label"]) for row in rows)
    for category in {row["object"] for row in rows}:
        assert counts[category, "test", "normal"] == IMAGES // 2
        assert counts[category, "test", "anomaly"] == IMAGES - IMAGES // 2
        assert counts[category, "train", "normal"] > 0
    assert {0, 1, 2} <= values <= {0, 1, 2, 3}


def test_btad_mixes_bmp_and_png(tree):
    root = tree("btad") / "BTech_Dataset_transformed"
    kinds = {}
    for category in ("01", "02", "03"):
        faulty, masks = (sorted((root / category / part).iterdir()) for part in ("test/ko", "ground_truth/ko"))
        assert [path.stem for path in faulty] == [path.stem for path in masks]
        assert len(list((root / category / "test/ok").iterdir())) == IMAGES // 2
        assert len(list((root / category / "train/ok").iterdir())) > 0
        assert all(pixels(mask).any() for mask in masks)
        kinds[category] = (faulty[0].suffix, masks[0].suffix)
        assert Image.open(faulty[0]).format == faulty[0].suffix[1:].upper()
    assert kinds == {"01": (".bmp", ".png"), "02": (".png", ".png"), "03": (".bmp", ".bmp")}


def test_ksdd_is_grey_and_tall_and_two_items_are_copies_with_other_labels(tree):
    root = tree("ksdd")
    items = sorted(path for path in root.iterdir() if path.is_dir())
    assert [item.name for item in items] == [f"kos{number:02}" for number in range(1, 7)]
    by_content, cracked = {}, 0
    for path in sorted(root.glob("kos*/Part*.jpg")):
        image, label = Image.open(path), path.with_name(f"{path.stem}_label.bmp")
        assert image.mode == "L"
        assert image.width == SIZE
        assert 1235 / 500 <= image.height / image.width <= 1286 / 500
        assert Image.open(label).format == "BMP"
        assert pixels(label).shape == pixels(path).shape
        cracked += bool(pixels(label).any())
        by_content.setdefault(path.read_bytes(), []).append(label)
    assert len(list(root.glob("kos*/*_label.bmp"))) == len(list(root.glob("kos*/Part?.jpg")))
    assert cracked >= 4
    copies = {tuple(label.parent.name for label in labels) for labels in by_content.values() if len(labels) > 1}
    assert copies == {("kos01", "kos05"), ("kos02", "kos06")}
    for pair in copies:
        assert any((root / pair[0] / p.name).read_bytes() != p.read_bytes() for p in (root / pair[1]).glob("*.bmp"))


def test_dagm_has_labels_of_the_defective_images_only(tree):
    root = tree("dagm")
    for folder in sorted(root.glob("Class*/*")):
        assert folder.name in ("Train", "Test")
        lines = [line.split("\t") for line in (folder / "Label/Labels.txt").read_text().splitlines()[1:]]
        assert {line[2] for line in lines} == {path.name for path in folder.glob("*.PNG")}
        assert {line[4] for line in lines if line[1] == "1"} == {path.name for path in folder.glob("Label/*.PNG")}
        assert {line[4] for line in lines if line[1] == "0"} == {"0"}
        for _, defective, name, _, label in lines:
            assert Image.open(folder / name).mode == "L"
            if defective == "1":
                assert label == f"{Path(name).stem}_label.PNG"
                mask = pixels(folder / "Label" / label)
                assert marked_is_darker(pixels(folder / name), mask > 0)
    tests = [line for path in root.glob("Class*/Test/Label/Labels.txt") for line in path.read_text().splitlines()[1:]]
    kinds = Counter(line.split("\t")[1] for line in tests)
    assert kinds["0"] > kinds["1"] > 0


def test_headct_has_a_blank_in_its_header_alpha_and_several_sizes(tree):
    root = tree("headct")
    header, *rows = (root / "labels.csv").read_text().splitlines()
    assert header == "id, hemorrhage"
    assert rows[0] == "0,1"
    assert Counter(row.split(",")[1] for row in rows) == {"0": IMAGES, "1": IMAGES}
    files = sorted((root / "head_ct/head_ct").iterdir())
    assert [path.name for path in files] == [f"{index:03}.png" for index in range(2 * IMAGES)]
    modes = Counter(Image.open(path).mode for path in files)
    assert modes["RGB"] > modes["RGBA"] > 0
    assert len({Image.open(path).size for path in files}) >= 4


def test_brain_mri_has_mixed_names_wrong_suffixes_and_duplicates(tree):
    root = tree("brain_mri") / "brain_tumor_dataset"
    files = names(root)
    assert Counter(name.split("/")[0] for name in files) == {"yes": IMAGES, "no": IMAGES}
    assert {Path(name).suffix for name in files} == {".jpg", ".JPG", ".jpeg", ".png"}
    assert any(" " in name for name in files)
    assert not np.array_equal(pixels(files["yes/Y92.jpg"]), pixels(files["yes/Y92.png"]))
    disguised = {
        Image.open(path).mode
        for name, path in files.items()
        if name.endswith(".jpg") and Image.open(path).format == "PNG"
    }
    assert disguised == {"RGBA", "P"}
    assert "L" in {Image.open(path).mode for path in files.values()}
    assert max(Counter(path.read_bytes() for path in files.values()).values()) == 2


def test_br35h_shares_files_with_brain_mri_and_has_a_third_folder(tree):
    root = tree("br35h")
    files = {name: path for name, path in names(root).items() if name != DRAWN_NOTE}
    assert Counter(name.split("/")[0] for name in files) == {"yes": IMAGES, "no": IMAGES, "pred": 3}
    assert "no/No12.jpg" in files
    other = {path.read_bytes(): path.parent.name for path in names(tree("brain_mri")).values()}
    shared = [name for name, path in files.items() if path.read_bytes() in other and not name.startswith("pred")]
    assert len(shared) == IMAGES // 2 * 2
    assert all(other[files[name].read_bytes()] == name.split("/")[0] for name in shared)
    own = [path for name, path in files.items() if name not in shared and not name.startswith("pred")]
    assert own
    assert any(Image.open(path).format == "PNG" for path in files.values())
    assert all(name.endswith(".jpg") for name in files)
    assert "L" in {Image.open(path).mode for path in own}


def test_isic_is_large_and_comes_in_several_sizes(tree):
    root = tree("isic")
    images = sorted((root / "ISBI2016_ISIC_Part1_Test_Data").glob("ISIC_*.jpg"))
    assert len(images) == IMAGES
    sizes = set()
    for path in images:
        mask = pixels(root / "ISBI2016_ISIC_Part1_Test_GroundTruth" / f"{path.stem}_Segmentation.png")
        image = pixels(path)
        assert mask.shape == image.shape[:2]
        assert set(np.unique(mask)) == {0, 255}
        assert marked_is_darker(image, mask > 0)
        sizes.add(image.shape)
    assert len(sizes) >= 4
    assert min(min(shape[:2]) for shape in sizes) > SIZE


def test_colondb_has_contours_two_suffixes_and_identical_frames(tree):
    root = tree("colondb")
    frames = {p.stem: p for p in root.iterdir() if p.stem.isdigit()}
    assert set(frames) == {str(number) for number in range(1, IMAGES + 1)}
    assert {path.suffix for path in frames.values()} == {".tif", ".tiff"}
    content = Counter()
    for number, path in frames.items():
        mask, contour = pixels(root / f"p{number}.tiff") > 0, pixels(root / f"cp{number}.tiff") > 0
        assert 0 < contour.sum() < mask.sum()
        assert not (contour & ~mask).any()
        assert marked_is_darker(pixels(path), mask)
        content[pixels(path).tobytes()] += 1
    assert sorted(content.values())[-2:] == [1, 2]
    # Identical pixels in files that differ: equal bytes are not what an audit may look for.
    assert len({path.read_bytes() for path in frames.values()}) == IMAGES


def test_clinicdb_is_refused_by_pillow_and_read_by_tifffile(tree):
    root = tree("clinicdb") / "CVC-ClinicDB"
    images = sorted((root / "Original").glob("*.tif"))
    assert [path.name for path in images] == [f"{number}.tif" for number in range(1, IMAGES + 1)]
    grown = []
    for path in images:
        with pytest.raises(UnidentifiedImageError):
            Image.open(path)
        colours = tifffile.imread(path)
        mask = pixels(root / "Ground Truth" / path.name)
        assert colours.shape == (*mask.shape, 3)
        # A polyp is red: the channels differ, so a reader that takes one of them sees something else.
        assert colours[mask > 127][:, 0].mean() > colours[mask > 127][:, 1].mean() + 40
        grown.append((mask > 0).sum() / (mask > 127).sum())
    with tifffile.TiffFile(images[0]) as file:
        page = file.pages[0]
        assert page.tags["PhotometricInterpretation"].value == 1
        assert page.tags["SamplesPerPixel"].value == 3
        assert "ExtraSamples" not in page.tags
    assert max(grown) > 1.1
    assert min(grown) == 1


def test_tn3k_masks_are_noisy_jpegs_that_a_threshold_in_the_middle_cleans(tree):
    root = tree("tn3k")
    assert {path.name for path in root.iterdir() if path.is_dir()} == {
        "test-image",
        "test-mask",
        "trainval-image",
        "trainval-mask",
    }
    images = sorted((root / "test-image").glob("*.jpg"))
    assert [path.name for path in images] == [f"{index:04}.jpg" for index in range(IMAGES)]
    for path in images:
        mask = pixels(root / "test-mask" / path.name)
        assert mask.shape == pixels(path).shape[:2]
        assert len(np.unique(mask)) > 2
        sure = (mask < 64) | (mask > 191)
        assert sure.mean() > 0.999
        assert (mask > 0).sum() > 1.03 * (mask > 127).sum() > 0
        assert marked_is_darker(pixels(path), mask > 127)


@pytest.mark.parametrize("dataset", SIMULATED)
def test_archives_hold_the_tree_and_are_equal_byte_for_byte(dataset, tree, tmp_path):
    archives = simulate(dataset, tmp_path / "a", seed=SEED, images=IMAGES, size=SIZE)
    again = simulate(dataset, tmp_path / "b", seed=SEED, images=IMAGES, size=SIZE)
    wanted = [tmp_path / "a" / file.name for file in load_registry()[dataset].sources[0].files]
    assert archives == wanted
    beside = [tmp_path / "a/SHA256SUMS", tmp_path / "a" / DRAWN_NOTE]
    assert sorted((tmp_path / "a").iterdir()) == sorted([*wanted, *beside])
    assert sums_of(tmp_path / "a") == {path.name: sha256_of(path) for path in archives}
    assert [path.read_bytes() for path in archives] == [path.read_bytes() for path in again]
    for archive in archives:
        if zipfile.is_zipfile(archive):
            assert archive.suffix == ".zip"
            with zipfile.ZipFile(archive) as file:
                assert file.namelist() == sorted(file.namelist())
                file.extractall(tmp_path / "unpacked")
        else:
            with tarfile.open(archive) as file:
                assert file.getnames() == sorted(file.getnames())
                # The argument came with 3.11.4, and is wanted from 3.12 on.
                file.extractall(
                    tmp_path / "unpacked", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {})
                )
    expected = {name: path.read_bytes() for name, path in names(tree(dataset)).items()}
    assert {name: path.read_bytes() for name, path in names(tmp_path / "unpacked").items()} == expected


def test_archives_are_of_the_originals_kinds(tmp_path):
    found = {}
    for dataset in ("mvtec", "visa", "isic", "btad"):
        found[dataset] = simulate(dataset, tmp_path / dataset, images=4, size=64)
    assert found["mvtec"][0].read_bytes()[:6] == b"\xfd7zXZ\0"
    assert found["mvtec"][0].name == "mvtec_anomaly_detection.tar.xz"
    assert found["visa"][0].name == "VisA_20220922.tar"
    assert found["visa"][0].read_bytes()[257:262] == b"ustar"
    assert found["btad"][0].read_bytes()[:4] == b"PK\3\4"
    tops = {
        path.name: {name.split("/")[0] for name in zipfile.ZipFile(path).namelist()} - {DRAWN_NOTE}
        for path in found["isic"]
    }
    assert tops == {
        f"{name}.zip": {name} for name in ("ISBI2016_ISIC_Part1_Test_Data", "ISBI2016_ISIC_Part1_Test_GroundTruth")
    }


def test_more_categories_and_images_leave_the_first_ones_as_they_are(tmp_path):
    for images in (4, 6):
        draw_tree("btad", tmp_path / str(images), images=images, size=64)
    first = "BTech_Dataset_transformed/01/test/ok/0000.bmp"
    assert (tmp_path / "4" / first).read_bytes() == (tmp_path / "6" / first).read_bytes()


def test_a_tree_replaces_an_earlier_one_whole(tmp_path):
    draw_tree("headct", tmp_path / "set", images=6, size=64)
    draw_tree("headct", tmp_path / "set", images=4, size=64)
    assert len(list((tmp_path / "set/head_ct/head_ct").iterdir())) == 8
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_wrong_arguments_are_one_line(tmp_path, capsys):
    assert main(["data", "simulate", "nuts", "--out", str(tmp_path / "x")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "nuts" in error
    assert "mvtec" in error
    for wrong in ({"images": 3}, {"size": 63}):
        with pytest.raises(UsageError, match="at least 4 of 64 px"):
            simulate("mvtec", tmp_path / "x", **wrong)
    assert not (tmp_path / "x").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for draw in (simulate, draw_tree):
        with pytest.raises(AdaclipError, match=r"cannot write .*file"):
            draw("headct", tmp_path / "file/set", images=4, size=64)


def test_the_command_writes_archives_or_a_tree(tmp_path):
    options = ["--images", "4", "--size", "64"]
    assert main(["data", "simulate", "visa", "--out", str(tmp_path / "archive"), *options]) == 0
    assert {path.name for path in (tmp_path / "archive").iterdir()} == {
        "VisA_20220922.tar",
        "SHA256SUMS",
        DRAWN_NOTE,
    }
    assert main(["data", "simulate", "visa", "--out", str(tmp_path / "tree"), "--tree", *options]) == 0
    assert (tmp_path / "tree/split_csv/1cls.csv").is_file()


#: Test images, normal and anomalous, with IMAGES = 6: 3 + 3 of each category, 6 of a set without normal ones, and 6 + 6
#: of a set without masks. DAGM: 4 + 2 of each class.
COUNTS = {
    "mvtec": (12, 12),
    "visa": (12, 12),
    "mpdd": (6, 6),
    "btad": (9, 9),
    "dagm": (16, 8),
    "dtd": (9, 9),
    "headct": (6, 6),
    "brain_mri": (6, 6),
    "br35h": (6, 6),
    "isic": (0, 6),
    "colondb": (0, 6),
    "clinicdb": (0, 6),
    "tn3k": (0, 6),
}


@pytest.mark.parametrize("dataset", COUNTS)
def test_is_prepared_with_its_counts(dataset, tree, tmp_path):
    entry = load_registry()[dataset]
    prepared = prepare(entry, tree(dataset), tmp_path / "prepared", jobs=1)
    rows = [row for row in prepared.rows if row.split == "test"]
    assert (sum(not row.label for row in rows), sum(row.label for row in rows)) == COUNTS[dataset]
    assert {row.category for row in rows} <= set(entry.categories)
    for row in rows:
        assert bool(row.mask) == (row.label == 1 and "mask" in entry.labels)


def test_ksdd_is_prepared_in_thirds(tree, tmp_path):
    rows = prepare(load_registry()["ksdd"], tree("ksdd"), tmp_path / "prepared", jobs=1).rows
    thirds = [
        (pixels(path)[height * part // 3 : height * (part + 1) // 3] > 0).any()
        for path in sorted(tree("ksdd").glob("kos*/*_label.bmp"))
        for height in [Image.open(path).height]
        for part in range(3)
    ]
    assert sum(row.label for row in rows) == sum(thirds) > 0
    # A quarter of the normal ones is kept.
    assert sum(not row.label for row in rows) == -(-sum(not third for third in thirds) // 4) > 0
    assert all(row.height < row.width for row in rows)
