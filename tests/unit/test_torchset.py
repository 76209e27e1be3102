"""Prepared sets as batches: order, labels, masks, mosaics."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image

import adaclip
from adaclip.data.rows import read_rows
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
