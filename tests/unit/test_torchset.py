"""Prepared sets as batches: order, labels, masks, mosaics."""

from __future__ import annotations

import os
import signal
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

import adaclip
from adaclip.data.manifest import ManifestRow, read_manifest, write_manifest
from adaclip.data.rows import Row, read_rows
from adaclip.data.torchset import ImageSet, batches
from adaclip.errors import AdaclipError
from adaclip.methods.stages import View
from tests.sets import write_digests


def test_rows_follow_the_manifest(prepared):
    rows = read_rows(prepared("toy", categories=("screw", "bolt"), normal=1, anomalous=2))
    assert [(row.category, row.label, row.defect) for row in rows] == [
        (category, label, defect)
        for category in ("bolt", "screw")
        for label, defect in ((0, "good"), (1, "hole"), (1, "hole"))
    ]
    assert [row.mask is not None for row in rows] == [False, True, True] * 2
    assert all(row.has_pixels and row.image.is_file() and row.words == row.category for row in rows)


def test_words_for_the_prompts_come_from_the_preparation(prepared):
    manifest = prepared("toy")
    path = manifest.with_name("prepared.json")
    path.write_text(path.read_text().replace('"prompts": {}', '"prompts": {"bolt": "metal bolt"}'))
    assert {row.words for row in read_rows(manifest)} == {"metal bolt"}


def test_pixels_are_unknown_where_a_mask_is_missing(prepared):
    rows = read_rows(prepared("toy", masks=False))
    assert [row.has_pixels for row in rows] == [True] * 3 + [False] * 3
    assert not any(row.has_pixels for row in read_rows(prepared("labels", masks=False, labels=["image"])))


def test_a_split_without_images_is_an_error(prepared):
    with pytest.raises(AdaclipError, match="no image in the split 'train'"):
        read_rows(prepared("toy"), "train")


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_in_order_and_in_a_given_order(prepared, workers):
    rows = read_rows(prepared("toy", width=30, height=50))
    dataset = ImageSet(rows, 32)
    found = list(batches(dataset, 4, workers=workers))
    assert [batch.index.tolist() for batch in found] == [[0, 1, 2, 3], [4, 5]]
    assert found[0].images.shape == (4, 3, 32, 32)
    assert found[0].labels.tolist() == [0, 0, 0, 1]
    for index, row in enumerate(rows):
        image = found[index // 4].images[index % 4]
        assert torch.equal(image, adaclip.preprocess(Image.open(row.image), 32))
        mask = found[index // 4].masks[index % 4]
        expected = torch.zeros(32, 32) if row.mask is None else adaclip.preprocess_mask(Image.open(row.mask), 32)
        assert torch.equal(mask, expected.float())
    order = [5, 0, 3, 1, 2, 4]
    shuffled = list(batches(dataset, 4, order=order, workers=workers))
    assert [i for batch in shuffled for i in batch.index.tolist()] == order


def mosaics(manifest, size=32, probability=1.0, seed=0, epoch=1, mosaic="contains"):
    rows = read_rows(manifest)
    view = View(mosaic_probability=probability, mosaic_sets=(rows[0].dataset,), mosaic=mosaic)
    dataset = ImageSet(rows, size, view=view, seed=seed)
    dataset.epoch = epoch
    return rows, dataset


@pytest.mark.parametrize(("width", "height"), [(60, 24), (24, 60), (40, 40)])
@pytest.mark.parametrize("size", [32, 33])
def test_a_mosaic_is_four_whole_images_of_the_category(prepared, width, height, size):
    """Each quarter is one image at half the side, its mask at the same place, whatever the image's shape."""
    rows, dataset = mosaics(prepared("toy", categories=("bolt", "nut"), width=width, height=height), size)
    half = 16
    for index, row in enumerate(rows):
        sample = dataset[index]
        assert sample.altered
        parts = [other for other in rows if other.category == row.category]
        small = {
            str(part.image): (
                adaclip.preprocess(Image.open(part.image), half),
                torch.zeros(half, half)
                if part.mask is None
                else adaclip.preprocess_mask(Image.open(part.mask), half).float(),
            )
            for part in parts
        }
        names, labels = [], []
        # With an odd side only the first quarter has exactly half the side.
        quarters = [(0, 0)] if size % 2 else [(0, 0), (0, half), (half, 0), (half, half)]
        for top, left in quarters:
            image = sample.image[:, top : top + half, left : left + half]
            mask = sample.mask[top : top + half, left : left + half]
            [name] = [name for name, (i, m) in small.items() if torch.equal(i, image) and torch.equal(m, mask)]
            names.append(name)
            labels += [part.label for part in parts if str(part.image) == name]
        if size % 2 == 0:
            assert str(row.image) in names
            assert sample.label == max(labels)
            assert bool(sample.mask.any()) == (sample.label == 1)


def test_mosaics_depend_on_seed_epoch_and_index_alone(prepared):
    manifest = prepared("toy", normal=6, anomalous=6)
    _, dataset = mosaics(manifest, probability=0.5)
    first = [dataset[i] for i in range(12)]
    assert 0 < sum(sample.altered for sample in first) < 12
    for batch in batches(dataset, 5, order=list(range(11, -1, -1)), workers=2):
        for position, index in enumerate(batch.index.tolist()):
            assert torch.equal(batch.images[position], first[index].image)
            assert bool(batch.altered[position]) == first[index].altered
    for other in (mosaics(manifest, probability=0.5, seed=1), mosaics(manifest, probability=0.5, epoch=2)):
        assert any(not torch.equal(other[1][i].image, first[i].image) for i in range(12))


def test_only_the_named_sets_are_made_into_mosaics(prepared):
    rows = read_rows(prepared("toy"))
    for view in (View(mosaic_probability=1.0, mosaic_sets=("mvtec",)), View(mosaic_sets=("toy",)), None):
        dataset = ImageSet(rows, 32, view=view)
        assert not any(dataset[i].altered for i in range(6))


def test_a_mosaic_with_an_unknown_mask_has_no_pixels(prepared):
    rows, dataset = mosaics(prepared("toy", masks=False, normal=1, anomalous=5))
    for index in range(len(rows)):
        sample = dataset[index]
        assert sample.has_pixels == (sample.label == 0)


def test_masks_may_have_another_size_than_images(prepared):
    rows = read_rows(prepared("toy", width=100, height=80))
    [batch] = batches(ImageSet(rows, 24, mask_size=64), 6)
    assert batch.images.shape == (6, 3, 24, 24)
    for index, row in enumerate(rows):
        expected = (
            torch.zeros(64, 64) if row.mask is None else adaclip.preprocess_mask(Image.open(row.mask), 64).float()
        )
        assert torch.equal(batch.masks[index], expected)
    view = View(mosaic_probability=1.0, mosaic_sets=("toy",))
    sample = ImageSet(rows, 24, mask_size=64, view=view)[3]
    assert sample.image.shape == (3, 24, 24)
    assert torch.equal(sample.mask, ImageSet(rows, 64, view=view)[3].mask)
    assert sample.mask.any()


def one_mask(manifest, values: np.ndarray) -> list[Row]:
    """The images after the mask of its first anomalous image was drawn anew."""
    Image.fromarray(values).save(manifest.parent / "masks" / "bolt" / "003.png")
    write_digests(manifest)
    return read_rows(manifest)


@pytest.mark.parametrize("value", [1, 90, 200, 255])
def test_every_reading_of_a_mask(prepared, value):
    """Lines of two pixels in eight, resized to a quarter: what is left of them tells the readings apart."""
    values = np.zeros((40, 40), np.uint8)
    values[:, 2::8] = values[:, 3::8] = value
    rows = one_mask(prepared("toy"), values)
    masks = {
        reading: ImageSet(rows, 10, view=View(mask=reading))[3].mask for reading in ("bilinear", "nearest", "grey")
    }
    binary = Image.fromarray((values > 0).astype(np.uint8) * 255)
    assert torch.equal(masks["bilinear"], adaclip.preprocess_mask(binary, 10).float())
    assert torch.equal(masks["nearest"], torch.from_numpy(np.asarray(binary.resize((10, 10), 0)) / 255).float())
    assert set(masks["nearest"].unique().tolist()) == {0.0, 1.0}
    # Numbers of defects are no grey.
    grey = Image.fromarray(values) if value > 127 else binary
    resized = np.asarray(grey.resize((10, 10), Image.Resampling.BICUBIC)) / 255
    torch.testing.assert_close(masks["grey"], torch.from_numpy(resized).float())
    assert not set(masks["grey"].unique().tolist()) <= {0.0, 1.0}
    assert not torch.equal(masks["bilinear"], masks["nearest"])


@pytest.fixture
def defects(prepared):
    """Four normal images and eight of four defects, two each, told by their colour; category "nut" has others."""
    manifest = prepared("toy", categories=("bolt", "nut"), normal=4, anomalous=8, width=24, height=16)
    frame = read_manifest(manifest).to_dict("records")
    for position, row in enumerate(frame):
        if row["label"]:
            row["defect"] = f"defect {position % 12 // 2 % 4}"
        Image.new("RGB", (24, 16), (10 * position, 0, 0)).save(manifest.parent / row["image"])
    write_manifest(manifest, [ManifestRow(**row) for row in frame])
    write_digests(manifest)
    return manifest


def drawn(dataset: ImageSet, index: int, epochs: int) -> list[list[int]]:
    """For each epoch the four images in a mosaic, in reading order."""
    colours = {row.image: position for position, row in enumerate(dataset.rows)}
    small = [adaclip.preprocess(Image.open(path), 2)[0, 0, 0].item() for path in colours]
    found = []
    for epoch in range(epochs):
        dataset.epoch = epoch
        image = dataset[index].image
        half = image.shape[-1] // 2
        centres = [image[0, half * row + half // 2, half * column + half // 2] for row in (0, 1) for column in (0, 1)]
        found.append([int(np.abs(np.array(small) - float(value)).argmin()) for value in centres])
    return found


def test_a_replacing_mosaic_draws_a_folder_first(defects):
    rows, dataset = mosaics(defects, mosaic="replaces")
    parts = np.array(drawn(dataset, 0, 150))
    assert {rows[i].category for i in parts.ravel()} == {"bolt"}
    counts = Counter(rows[i].defect for i in parts.ravel())
    assert len(counts) == 5
    # One in five for each folder, `good` too, though it holds a third of the images.
    assert all(abs(count / parts.size - 0.2) < 0.05 for count in counts.values())
    within = Counter(i for i in parts.ravel() if rows[i].label == 0)
    assert all(abs(count / within.total() - 0.25) < 0.12 for count in within.values())
    assert len(within) == 4
    # The drawn image is replaced: most mosaics lack it, and places are independent.
    assert np.mean([0 in part for part in parts]) < 0.4
    assert len({tuple(part) for part in parts}) > 140


def test_a_replacing_mosaic_is_a_canvas_of_whole_images_that_is_resized(prepared):
    """As large as twice the first image, each at its own size, resized once; not four resized images."""
    manifest = prepared("toy", width=50, height=34)
    rows, dataset = mosaics(manifest, size=24, mosaic="replaces")
    images = [Image.open(row.image) for row in rows]
    masks = [Image.new("L", (50, 34)) if row.mask is None else Image.open(row.mask) for row in rows]
    seen = set()
    for epoch in range(12):
        dataset.epoch = epoch
        sample = dataset[1]
        small = [adaclip.preprocess(image, 12)[:, 2:-2, 2:-2] for image in images]
        chosen = []
        for row, column in ((0, 0), (0, 12), (12, 0), (12, 12)):
            quarter = sample.image[:, row + 2 : row + 10, column + 2 : column + 10]
            chosen.append(int(np.argmin([float((quarter - one).abs().sum()) for one in small])))
        canvases = Image.new("RGB", (100, 68)), Image.new("L", (100, 68))
        for position, i in enumerate(chosen):
            for canvas, part in zip(canvases, (images[i], masks[i]), strict=True):
                canvas.paste(part, (position % 2 * 50, position // 2 * 34))
        assert torch.equal(sample.image, adaclip.preprocess(canvases[0], 24))
        assert torch.equal(sample.mask, adaclip.preprocess_mask(canvases[1], 24).float())
        assert sample.label == max(rows[i].label for i in chosen)
        assert sample.altered
        seen |= set(chosen)
    assert len(seen) == 6


def test_images_of_several_sizes_on_one_canvas(prepared):
    """Each keeps its own size and its place; a later one covers what an earlier one left there, mask and all."""
    manifest = prepared("toy", normal=1, anomalous=3)
    folder = manifest.parent
    for index, side in enumerate((10, 20, 30, 40)):
        Image.new("RGB", (side, side), (60 * index, 0, 0)).save(folder / f"images/bolt/{index:03}.png")
        if index:
            Image.new("L", (side, side), 255).save(folder / f"masks/bolt/{index:03}.png")
    write_digests(manifest)
    rows, dataset = mosaics(manifest, mosaic="replaces")
    dataset._parts = lambda index, rng: [rows[1], rows[3], rows[0], rows[2]]
    sample = dataset[0]
    canvas, mask = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), bool)
    for index, top, left in ((1, 0, 0), (3, 0, 20), (0, 20, 0), (2, 20, 20)):
        side = 10 * (index + 1)
        canvas[top : top + side, left : left + side, 0] = 60 * index
        mask[top : top + side, left : left + side] = index > 0
        canvas[top : top + side, left : left + side, 1:] = 0
    assert torch.equal(sample.image, adaclip.preprocess(Image.fromarray(canvas), 32))
    assert torch.equal(sample.mask, adaclip.preprocess_mask(Image.fromarray(mask), 32).float())


def test_an_anomalous_mosaic_has_four_anomalous_images(defects):
    rows, dataset = mosaics(defects, mosaic="anomalous")
    parts = np.array(drawn(dataset, 1, 60))
    assert {(rows[i].category, rows[i].label) for i in parts.ravel()} == {("bolt", 1)}
    assert len(set(parts.ravel())) == 8
    assert dataset[1].label == 1
    alone = ImageSet([row for row in rows if row.label == 0], 32, view=dataset.view)
    assert not alone[0].altered
    assert alone[0].label == 0


def flip(image, mask, rng):
    """Mirrors, and adds a number of the sample's own."""
    return image.flip(-1) + rng.random(), mask.flip(-1)


def test_augmented_images_are_marked_and_depend_on_seed_epoch_and_index_alone(prepared):
    rows = read_rows(prepared("toy"))
    plain = ImageSet(rows, 32)
    dataset = ImageSet(rows, 32, view=View(augment=flip), seed=5)
    dataset.epoch = 2
    numbers = set()
    for batch in batches(dataset, 4, order=[5, 3, 1, 0, 2, 4], workers=2):
        assert batch.altered.all()
        for position, index in enumerate(batch.index.tolist()):
            number = np.random.default_rng([5, 2, index]).random()
            torch.testing.assert_close(batch.images[position], plain[index].image.flip(-1) + number)
            assert torch.equal(batch.masks[position], plain[index].mask.flip(-1))
            numbers.add(number)
    assert len(numbers) == 6


def test_augmentation_comes_after_the_mosaic_and_wants_masks_of_the_images_size(prepared):
    rows = read_rows(prepared("toy"))
    views = [View(mosaic_probability=1.0, mosaic_sets=("toy",), augment=augment) for augment in (None, flip)]
    one, two = (ImageSet(rows, 32, view=view)[4] for view in views)
    assert torch.equal(one.mask.flip(-1), two.mask)
    with pytest.raises(ValueError, match="32 and not 64"):
        ImageSet(rows, 32, mask_size=64, view=views[1])


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_cannot_be_read_is_named(prepared, workers):
    manifest = prepared("toy")
    path = manifest.parent / "images" / "bolt" / "002.png"
    path.write_bytes(path.read_bytes()[:200])
    dataset = ImageSet(read_rows(manifest), 32)
    with pytest.raises(AdaclipError, match=r"images/bolt/002\.png") as caught:
        list(batches(dataset, 2, workers=workers))
    assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(AdaclipError, match=r"images/bolt/002\.png"):
        list(batches(dataset, 2, workers=workers))


def test_grey_and_transparent_images(prepared):
    manifest = prepared("toy")
    folder = manifest.parent / "images" / "bolt"
    Image.fromarray(np.full((40, 40), 128, np.uint8)).save(folder / "000.png")
    Image.new("RGBA", (40, 40), (128, 128, 128, 10)).save(folder / "001.png")
    write_digests(manifest)
    [batch] = batches(ImageSet(read_rows(manifest)[:2], 32), 2)
    assert torch.equal(batch.images[0], batch.images[1])


class Killed(ImageSet):
    """A set whose images are never decoded: the kernel ends the process first, as it does when memory is short."""

    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_is_one_line(prepared):
    dataset = Killed(read_rows(prepared("toy")), 28)
    with pytest.raises(AdaclipError, match=r"killed from outside.*--workers 0"):
        list(batches(dataset, 2, workers=1))
