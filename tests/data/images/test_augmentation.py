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


def by_hand(augmentation, image, plan, row):
    """Return one image cropped, flipped and cut as the words of the class say: (H, W, C) numpy, a pixel at a time."""
    height, width, _ = image.shape
    result = image
    if "crop" in plan:
        pad = augmentation.pad
        padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
        top, left = plan["crop"][row].tolist()
        result = padded[top : top + height, left : left + width]
    if "flip" in plan and plan["flip"][row]:
        result = result[:, ::-1]
    result = result.copy()
    if "hole" in plan:
        y, x = (plan["hole"][row] - augmentation.cutout // 2).tolist()
        side = augmentation.cutout
        result[max(y, 0) : max(y + side, 0), max(x, 0) : max(x + side, 0)] = FILL
    return result


@pytest.mark.parametrize("augmentation", [
    BatchAugmentation(pad=4), BatchAugmentation(flip=True), BatchAugmentation(cutout=3), BatchAugmentation(cutout=8),
    BatchAugmentation(2, True, 5), BatchAugmentation(7, True, 1),
])  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_is_what_the_words_say(augmentation, channels):
    batch = images(6, 8, 9, channels)
    plan = augmentation.plan(6, (8, 9), np.random.default_rng(2))
    result = augmentation.apply(batch, plan).permute(0, 2, 3, 1).numpy()
    for row, image in enumerate(batch.permute(0, 2, 3, 1).numpy()):
        np.testing.assert_array_equal(result[row], by_hand(augmentation, image, plan, row))


def test_a_mirrored_image_is_augmented_to_the_mirror():
    augmentation, batch = BatchAugmentation(3, True, 3), images(5, 9, 9, 3)
    plan = augmentation.plan(5, (9, 9), np.random.default_rng(0))
    mirrored = dict(plan, flip=plan["flip"].logical_not())
    # The window is chosen before the flip: a mirrored source shows the same part from the other end.
    opposite = dict(mirrored, crop=plan["crop"] * torch.tensor([1, -1]) + torch.tensor([0, 6]))
    assert torch.equal(augmentation.apply(batch.flip(-1), opposite), augmentation.apply(batch, plan))


def test_a_plan_stays_in_its_ranges_and_reaches_their_ends():
    plan = BatchAugmentation(2, True, 3).plan(3000, (8, 12), np.random.default_rng(0))
    assert {name: tuple(values.shape) for name, values in plan.items()} == {
        "crop": (3000, 2),
        "flip": (3000,),
        "hole": (3000, 2),
    }
    assert (plan["crop"].amin(0).tolist(), plan["crop"].amax(0).tolist()) == ([0, 0], [4, 4])
    assert (plan["hole"].amin(0).tolist(), plan["hole"].amax(0).tolist()) == ([0, 0], [7, 11])
    assert plan["flip"].dtype == torch.bool


def test_the_same_generator_draws_the_same_plan_and_another_seed_another():
    plans = [BatchAugmentation(2, True, 3).plan(9, (8, 8), np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert all(torch.equal(plans[0][name], plans[1][name]) for name in plans[0])
    assert not all(torch.equal(plans[0][name], plans[2][name]) for name in plans[0])


def test_images_of_a_batch_are_augmented_each_by_its_own_numbers():
    augmentation, batch = BatchAugmentation(2, True, 3), images(7, 8, 8, 3)
    plan = augmentation.plan(7, (8, 8), np.random.default_rng(0))
    whole = augmentation.apply(batch, plan)
    order = torch.tensor([4, 0, 6, 2])
    assert torch.equal(
        augmentation.apply(batch[order], {name: values[order] for name, values in plan.items()}), whole[order]
    )


def test_neither_way_changes_its_source():
    batch = images(4, 8, 8, 3)
    before = batch.clone()
    augmentation = BatchAugmentation(2, True, 3)
    plan = augmentation.plan(4, (8, 8), np.random.default_rng(0))
    augmentation.apply(batch, plan)
    augmentation.apply(batch, {"flip": torch.ones(4, dtype=torch.bool)})
    assert torch.equal(batch, before)


def test_a_hole_of_the_whole_image_leaves_the_fill_alone():
    cut = BatchAugmentation(cutout=16).apply(images(1, 8, 8, 3), {"hole": torch.tensor([[4, 4]])})
    assert cut.eq(FILL).all()
