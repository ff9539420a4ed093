"""Batches of images: the pixels of their rows, the same from any start, process and worker."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import pytest
import torch

from dlcli.core.errors import DataError
from dlcli.data.images.augmentation import BatchAugmentation
from dlcli.data.images.decoding import read_image, resize_image
from dlcli.data.images.loader import file_loader, packed_loader
from dlcli.data.order import Order, Shard

IMAGES = np.random.default_rng(0).integers(0, 256, (23, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(23, dtype=np.int64) % 4


def assert_equal(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in ("images", "labels", "rows"))
        assert one["plan"].keys() == other["plan"].keys()
        assert all(torch.equal(one["plan"][name], other["plan"][name]) for name in one["plan"])


def rows_of(batches):
    return [row for batch in batches for row in batch["rows"].tolist()]


def test_packed_batches_hold_the_images_of_their_rows():
    loader = packed_loader(IMAGES, LABELS, Order(np.arange(23), 8, seed=3))
    batches = list(loader.batches(1))
    assert [len(batch["labels"]) for batch in batches] == [8, 8, 7]
    assert sorted(rows_of(batches)) == list(range(23))
    for batch in batches:
        rows = batch["rows"].numpy()
        assert np.array_equal(batch["images"].permute(0, 2, 3, 1).numpy(), IMAGES[rows])
        assert np.array_equal(batch["labels"].numpy(), LABELS[rows])
        assert batch["plan"] == {}


@pytest.mark.parametrize("start", [0, 1, 2, 3])
def test_any_packed_batch_is_reached_with_its_augmentation(start):
    augmentation = BatchAugmentation(pad=1, flip=True, cutout=2)
    loader = packed_loader(IMAGES, LABELS, Order(np.arange(23), 8, seed=3), augmentation)
    whole = list(loader.batches(4))
    assert set(whole[0]["plan"]) == {"crop", "flip", "hole"}
    assert_equal(list(loader.batches(4, start=start)), whole[start:])


@pytest.mark.parametrize("alternates", [False, True])
def test_several_processes_augment_each_image_as_one_alone_does(alternates):
    augmentation = BatchAugmentation(pad=1, flip=True, cutout=2, alternates=alternates)

    def shown(batch_size, shard):
        loader = packed_loader(IMAGES, LABELS, Order(np.arange(23), batch_size, seed=3, shard=shard), augmentation)
        batches = [(batch["rows"].tolist(), augmentation.apply(batch["images"], batch["plan"]))
                   for batch in loader.batches(1)]  # fmt: skip
        return {row: image for rows, images in batches for row, image in zip(rows, images, strict=True)}

    alone, together = shown(8, Shard()), {**shown(4, Shard(0, 2)), **shown(4, Shard(1, 2))}
    assert alone.keys() == together.keys()
    assert all(torch.equal(alone[row], together[row]) for row in alone)


@pytest.fixture
def files(tmp_path):
    """23 photos of unequal sizes."""
    paths = []
    for row, image in enumerate(IMAGES):
        path = tmp_path / f"{row:02d}.png"
        large = resize_image(image, 12 + row % 3)
        path.write_bytes(cv2.imencode(".png", large[:, :, ::-1])[1].tobytes())
        paths.append(path)
    return paths


def shifted(image, seed):
    """Stand in for a random crop: another corner for every seed."""
    return image[seed % 4 : seed % 4 + 8, seed % 3 : seed % 3 + 8]


def corner(image, seed):
    return image[:8, :8]


def make_loader(files, *, seed=3, workers=0, max_bad=0, on_bad=lambda reason: None, to_size=shifted, indices=None):
    order = Order(np.arange(len(files)) if indices is None else indices, 8, seed=seed)
    return file_loader(
        files, LABELS, order, channels=3, to_size=to_size, workers=workers, max_bad=max_bad, on_bad=on_bad
    )


def test_file_batches_hold_the_images_of_their_rows(files):
    batches = list(make_loader(files, to_size=corner).batches(0))
    assert sorted(rows_of(batches)) == list(range(23))
    for batch in batches:
        for image, label, row in zip(batch["images"], batch["labels"], batch["rows"], strict=True):
            assert np.array_equal(image.permute(1, 2, 0).numpy(), read_image(files[row], channels=3)[:8, :8])
            assert label == LABELS[row]


def test_worker_processes_change_no_pixel(files):
    alone, helped = (list(make_loader(files, workers=workers).batches(2)) for workers in (0, 2))
    assert_equal(alone, helped)


@pytest.mark.parametrize("workers", [0, 2])
def test_any_file_batch_is_reached_with_its_crops(files, workers):
    loader = make_loader(files, workers=workers)
    assert_equal(list(loader.batches(2, start=1)), list(loader.batches(2))[1:])


def test_an_image_is_cropped_otherwise_in_another_epoch(files):
    loader = make_loader(files, seed=5, indices=np.arange(8))
    by_row = [[batch["images"][batch["rows"].argsort()] for batch in loader.batches(epoch)] for epoch in (0, 1)]
    assert len(by_row[0]) == len(by_row[1]) == 1
    assert not torch.equal(by_row[0][0], by_row[1][0])


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_file_is_left_out_and_told_once(files, workers):
    files[4].write_bytes(b"no image")
    told = []
    loader = make_loader(files, seed=None, workers=workers, max_bad=1, on_bad=told.append)
    for epoch in (0, 1):
        assert rows_of(loader.batches(epoch)) == [row for row in range(23) if row != 4]
    assert len(told) == 1
    assert "04.png" in told[0]


@pytest.mark.parametrize("workers", [0, 2])
def test_in_training_another_image_of_the_order_takes_an_unreadable_ones_place(files, workers):
    for file in files[:6]:
        file.write_bytes(b"no image")
    indices = np.arange(0, 16)
    loader = make_loader(files, seed=3, workers=workers, max_bad=6, indices=indices)
    batches = list(loader.batches(0))
    assert [len(batch["labels"]) for batch in batches] == [8, 8], "batches keep their number and size"
    assert set(rows_of(batches)) <= set(range(6, 16)), "nothing comes from outside the order: no validation image"
    for batch in batches:
        assert np.array_equal(batch["labels"].numpy(), LABELS[batch["rows"].numpy()])


def test_more_unreadable_files_than_are_endured_end_the_loading(files):
    for row in (2, 9):
        files[row].write_bytes(b"no image")
    list(make_loader(files, max_bad=2).batches())
    with pytest.raises(DataError, match="2 images cannot be read, more than --max-bad 1") as caught:
        list(make_loader(files, max_bad=1).batches())
    assert any("02.png" in line for line in caught.value.lines())


def test_a_batch_of_nothing_but_unreadable_files_is_passed_over(files):
    for row in range(8):
        files[row].write_bytes(b"")
    batches = list(make_loader(files, seed=None, max_bad=8).batches())
    assert rows_of(batches) == list(range(8, 23))


def test_grey_images_have_one_channel(files):
    order = Order(np.arange(4), 4, seed=None)
    make = functools.partial(file_loader, files, LABELS, order, to_size=corner, workers=0, max_bad=0, on_bad=print)
    assert next(make(channels=1).batches())["images"].shape == (4, 1, 8, 8)
