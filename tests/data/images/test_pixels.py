"""Pixel statistics are those of all pixels, and a shared image is found."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from dlcli.data.images.pixels import PixelStatistics, leak_warning, leak_warnings, row_checksums


@pytest.mark.parametrize("channels", [1, 3])
def test_statistics_of_parts_are_those_of_the_whole(channels):
    images = np.random.default_rng(0).integers(0, 256, (9, 6, 5, channels), dtype=np.uint8)
    statistics = PixelStatistics()
    for part in (images[:2], images[2:8], images[8]):
        statistics.add(part)
    mean, std = statistics.result()
    np.testing.assert_allclose(mean, images.mean((0, 1, 2)) / 255, atol=1e-6)
    np.testing.assert_allclose(std, images.std((0, 1, 2)) / 255, atol=1e-6)


def test_images_in_two_splits_are_counted():
    images = np.random.default_rng(0).integers(0, 256, (8, 3, 3, 1), dtype=np.uint8)
    splits = {"train": images[:5], "test": images[[6, 1, 3, 3]]}
    warnings = leak_warnings(splits, {name: row_checksums(part) for name, part in splits.items()})
    assert warnings == ["leak: 3 images are in both train and test"]


def test_equal_checksums_of_different_images_are_no_leak():
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 3, 1), dtype=np.uint8)
    same = np.zeros(2, np.uint32)
    assert leak_warnings({"train": images[:2], "test": images[2:]}, {"train": same, "test": same}) == []


def test_the_checksum_of_an_image_is_the_crc32_of_its_bytes():
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 3), dtype=np.uint8)
    found = row_checksums(images)
    assert found.dtype == np.uint32
    assert found.tolist() == [zlib.crc32(image.tobytes()) for image in images]
    assert row_checksums(images[::2]).tolist() == found[::2].tolist()
    assert row_checksums(images[:0]).shape == (0,)


@pytest.mark.parametrize(("value", "mean"), [(0, 0.0), (255, 1.0), (51, 0.2)])
def test_one_colour_has_no_deviation(value, mean):
    statistics = PixelStatistics()
    statistics.add(np.full((2, 3, 3, 3), value, np.uint8))
    assert statistics.result() == ([mean] * 3, [0.0] * 3)


def test_the_deviation_is_over_all_pixels_and_no_mean_of_each_images():
    black, white = (np.full((1, 2, 2, 1), value, np.uint8) for value in (0, 255))
    statistics = PixelStatistics()
    statistics.add(black)
    statistics.add(white)
    assert statistics.result() == ([0.5], [0.5])


def test_larger_parts_weigh_more_whatever_their_shape_and_order():
    random = np.random.default_rng(0)
    parts = [random.integers(0, 256, shape, dtype=np.uint8) for shape in ((2, 8, 3), (4, 5, 5, 3), (1, 1, 3))]
    values = np.concatenate([part.reshape(-1, 3) for part in parts])
    results = []
    for order in (parts, parts[::-1]):
        statistics = PixelStatistics()
        for part in order:
            statistics.add(part)
        results.append(statistics.result())
    np.testing.assert_allclose(results[0], [values.mean(0) / 255, values.std(0) / 255], atol=1e-6)
    np.testing.assert_allclose(results[0], results[1], atol=1e-6)


def test_without_pixels_normalising_changes_nothing():
    assert PixelStatistics().result() == ([0.0], [1.0])


def test_every_pair_of_splits_is_compared():
    images = np.random.default_rng(0).integers(0, 256, (6, 3, 3, 1), dtype=np.uint8)
    splits = {"train": images[:3], "valid": images[[2, 3, 4]], "test": images[[0, 4, 5]]}
    warnings = leak_warnings(splits, {name: row_checksums(part) for name, part in splits.items()})
    assert warnings == [
        "leak: 1 image is in both train and valid",
        "leak: 1 image is in both train and test",
        "leak: 1 image is in both valid and test",
    ]


@pytest.mark.parametrize(("count", "said"), [(1, "1 image is"), (2, "2 images are"), (1234, "1,234 images are")])
def test_a_leak_is_counted_in_words(count, said):
    assert leak_warning("train", "test", 0) == ()
    assert leak_warning("train", "test", count) == (f"leak: {said} in both train and test",)
