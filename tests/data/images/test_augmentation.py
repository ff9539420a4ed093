from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.data.images.augmentation import FILL, BatchAugmentation


def images(count, height, width, channels, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, height, width, channels), dtype=np.uint8)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 5), st.integers(8, 14), st.integers(8, 14), st.sampled_from([1, 3]),
    st.integers(0, 5), st.booleans(), st.integers(0, 9), st.integers(0, 99),
)  # fmt: skip
def test_both_ways_make_the_same_pixels(count, height, width, channels, pad, flip, cutout, seed):
    augmentation = BatchAugmentation(pad, flip, cutout)
    plan = augmentation.plan(count, (height, width), np.random.default_rng(seed))
    batch = images(count, height, width, channels, seed)
    by_numpy = augmentation.apply(batch, plan)
    assert torch.equal(by_numpy, augmentation._apply_torch(batch, plan) if plan else batch)
    assert by_numpy.shape == batch.shape
    assert by_numpy.dtype == torch.uint8


def test_the_middle_crop_without_flip_is_the_image():
    batch = images(3, 10, 9, 3)
    plan = {"crop": torch.full((3, 2), 4), "flip": torch.zeros(3, dtype=torch.bool)}
    assert torch.equal(BatchAugmentation(4, True).apply(batch, plan), batch)


def test_a_crop_shifts_and_reflects():
    row = torch.arange(6, dtype=torch.uint8).view(1, 1, 1, 6).expand(1, 1, 6, 6)
    plan = {"crop": torch.tensor([[2, 4]])}  # two to the right of the middle
    assert BatchAugmentation(2).apply(row, plan)[0, 0, 0].tolist() == [2, 3, 4, 5, 4, 3]


def test_a_flip_mirrors_left_to_right_only_what_the_plan_says():
    batch = images(2, 8, 8, 3)
    flipped = BatchAugmentation(0, True).apply(batch, {"flip": torch.tensor([True, False])})
    assert torch.equal(flipped[0], batch[0].flip(-1))
    assert torch.equal(flipped[1], batch[1])


def test_a_hole_is_cut_where_the_plan_says_and_the_source_is_kept():
    batch = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    cut = BatchAugmentation(cutout=4).apply(batch, {"hole": torch.tensor([[0, 4]])})
    assert (cut == FILL).sum() == 2 * 4  # half of the hole lies above the image
    assert cut[0, 0, :2, 2:6].eq(FILL).all()
    assert batch.eq(0).all()


def test_no_plan_is_no_change():
    batch = images(2, 8, 8, 1)
    assert BatchAugmentation().plan(2, (8, 8), np.random.default_rng(0)) == {}
    assert BatchAugmentation().apply(batch, {}) is batch


def test_the_result_stays_channels_last():
    augmentation = BatchAugmentation(2, True, 3)
    batch = images(4, 12, 12, 3)
    plan = augmentation.plan(4, (12, 12), np.random.default_rng(0))
    for result in (augmentation.apply(batch, plan), augmentation._apply_torch(batch, plan)):
        assert result.is_contiguous(memory_format=torch.channels_last)


def test_half_of_the_images_are_flipped():
    plan = BatchAugmentation(flip=True).plan(10_000, (8, 8), np.random.default_rng(0))
    assert float(plan["flip"].float().mean()) == pytest.approx(0.5, abs=0.02)
