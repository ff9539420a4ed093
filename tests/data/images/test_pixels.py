"""Pixel statistics are those of all pixels, and a shared image is found."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.data.images.pixels import PixelStatistics, leak_warnings, row_checksums


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
