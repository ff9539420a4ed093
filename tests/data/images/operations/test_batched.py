"""Batches on a device: what a CPU makes of the same numbers, within rounding."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from dlcli.data.images.loader import packed_loader
from dlcli.data.images.operations.batched import OperationBatches, apply_to_batch
from dlcli.data.images.operations.table import OPERATIONS, parse_augment
from dlcli.data.order import WHOLE, Order, Shard

EXACT = ("flip", "vflip", "quarter", "translate", "posterize", "solarize", "equalize", "erase", "cutout")
ALL = "flip scale rotate=20 shear perspective colour grey blur noise erase cutout"


def photos(count: int, size: tuple[int, int], channels: int, seed: int = 0) -> torch.Tensor:
    """Return smooth random pictures, (N, C, H, W) uint8, channels last."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (count, size[0] // 4, size[1] // 4, channels), dtype=np.uint8)
    large = [cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC).reshape(*size, channels) for image in small]
    return torch.from_numpy(np.stack(large)).permute(0, 3, 1, 2)


@pytest.mark.parametrize("size", [(16, 16), (12, 20)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("text", [*OPERATIONS, "equalize=1", "autocontrast=1", "rotate=180 perspective=0.2 shear=40"])
def test_both_ways_make_the_same_pixels_within_rounding(text: str, channels: int, size: tuple[int, int]) -> None:
    augmentation, images = OperationBatches(parse_augment(text)), photos(12, size, channels)
    plan = augmentation.plan(12, size, np.random.default_rng(1))
    by_opencv, by_torch = augmentation.apply(images, plan), apply_to_batch(images, plan)
    difference = (by_opencv.int() - by_torch.int()).abs()
    assert difference.max() <= (0 if text in EXACT else 2)
    assert difference.float().mean() < 0.1
    for result in (by_opencv, by_torch):
        assert (result.shape, result.dtype) == (images.shape, torch.uint8)
        assert result.is_contiguous(memory_format=torch.channels_last)


def test_neither_way_changes_its_source() -> None:
    augmentation, images = OperationBatches(parse_augment(ALL)), photos(6, (16, 16), 3)
    before = images.clone()
    plan = augmentation.plan(6, (16, 16), np.random.default_rng(0))
    augmentation.apply(images, plan)
    apply_to_batch(images, plan)
    assert torch.equal(images, before)


def test_images_of_a_batch_are_augmented_each_by_its_own_numbers() -> None:
    augmentation, images = OperationBatches(parse_augment(ALL)), photos(7, (16, 16), 3)
    plan = augmentation.plan(7, (16, 16), np.random.default_rng(0))
    order = torch.tensor([4, 0, 6, 2])
    for apply in (augmentation.apply, apply_to_batch):
        chosen = apply(images[order], {name: values[order] for name, values in plan.items()})
        assert torch.equal(chosen, apply(images, plan)[order])


def test_an_empty_plan_is_no_change() -> None:
    images = photos(2, (8, 8), 1)
    assert OperationBatches(()).plan(2, (8, 8), np.random.default_rng(0)) == {}
    assert OperationBatches(()).apply(images, {}) is images


def test_an_autocast_region_costs_no_precision() -> None:
    augmentation, images = OperationBatches(parse_augment("colour rotate sharpness blur")), photos(6, (16, 16), 3)
    plan = augmentation.plan(6, (16, 16), np.random.default_rng(0))
    plain = apply_to_batch(images, plan)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(apply_to_batch(images, plan), plain)


def seen(batch_size: int, epoch: int, *, seed: int = 3, start: int = 0, shard: Shard = WHOLE) -> dict[int, bytes]:
    """Return the augmented pixels of each image of an epoch, by its row."""
    images = photos(23, (8, 8), 3).permute(0, 2, 3, 1).numpy()
    augmentation = OperationBatches(parse_augment(ALL))
    loader = packed_loader(
        images, np.zeros(23, np.int64), Order(np.arange(23), batch_size, seed=seed, shard=shard), augmentation
    )
    return {
        row: image.numpy().tobytes()
        for batch in loader.batches(epoch, start)
        for row, image in zip(batch["rows"].tolist(), augmentation.apply(batch["images"], batch["plan"]), strict=True)
    }


def test_numbers_depend_on_seed_epoch_and_item_alone() -> None:
    whole = seen(5, 1)
    assert seen(4, 1) == whole
    assert seen(5, 1, start=2).items() <= whole.items()
    assert seen(2, 1, shard=Shard(0, 2)) | seen(2, 1, shard=Shard(1, 2)) == whole
    assert all(other != whole for other in (seen(5, 2), seen(5, 1, seed=4)))
