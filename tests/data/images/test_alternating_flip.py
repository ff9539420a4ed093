"""Every image mirrored in every other epoch, whatever the order, the batch, the process and the kind of loader."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from dlcli.data.images.augmentation import BatchAugmentation
from dlcli.data.images.loader import file_loader, packed_loader
from dlcli.data.order import Order, Shard

COUNT = 23
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 8, 8, 3), dtype=np.uint8)
LABELS = np.zeros(COUNT, dtype=np.int64)
ALTERNATING = BatchAugmentation(flip=True, alternates=True)


def packed(order):
    return packed_loader(IMAGES, LABELS, order, ALTERNATING)


def from_files(order, folder):
    paths = [folder / f"{row:02d}.png" for row in range(COUNT)]
    for path, image in zip(paths, IMAGES, strict=True):
        path.write_bytes(cv2.imencode(".png", image[:, :, ::-1])[1].tobytes())
    return file_loader(
        paths, LABELS, order, channels=3, to_size=lambda image, seed: image, workers=0, max_bad=0, on_bad=print,
        alternates=True,
    )  # fmt: skip


def mirrored(loader, epoch, start=0):
    """Return row -> whether the image is seen mirrored, checking that it is seen one way or the other."""
    seen = {}
    for batch in loader.batches(epoch, start):
        for image, row in zip(ALTERNATING.apply(batch["images"], batch["plan"]), batch["rows"].tolist(), strict=True):
            pixels = image.permute(1, 2, 0).numpy()
            seen[row] = np.array_equal(pixels, IMAGES[row][:, ::-1])
            assert seen[row] or np.array_equal(pixels, IMAGES[row])
    return seen


@pytest.mark.parametrize("kind", ["packed", "files"])
def test_each_image_is_mirrored_in_exactly_every_other_epoch(kind, tmp_path):
    order = Order(np.arange(COUNT), 5, seed=3)
    loader = packed(order) if kind == "packed" else from_files(order, tmp_path)
    first, second, third = (mirrored(loader, epoch) for epoch in range(3))
    assert len(first) == COUNT
    assert 0 < sum(first.values()) < COUNT
    assert second == {row: not is_mirrored for row, is_mirrored in first.items()}
    assert third == first


def test_both_kinds_of_loader_mirror_the_same_images(tmp_path):
    order = Order(np.arange(COUNT), 5, seed=3)
    assert mirrored(packed(order), 1) == mirrored(from_files(order, tmp_path), 1)


def test_an_image_has_its_turn_whatever_the_batch_size_the_share_and_the_start():
    whole = mirrored(packed(Order(np.arange(COUNT), 5, seed=3)), 1)
    assert mirrored(packed(Order(np.arange(COUNT), 4, seed=3)), 1) == whole
    shares = [mirrored(packed(Order(np.arange(COUNT), 4, seed=3, shard=Shard(rank, 2))), 1) for rank in (0, 1)]
    assert shares[0] | shares[1] == whole
    part = mirrored(packed(Order(np.arange(0, COUNT, 2), 4, seed=3)), 1)
    assert part.items() <= whole.items()
    late = mirrored(packed(Order(np.arange(COUNT), 5, seed=3)), 1, start=2)
    assert late.items() <= whole.items()


def test_another_seed_begins_with_other_images():
    one, other = (mirrored(packed(Order(np.arange(COUNT), 5, seed=seed)), 0) for seed in (3, 4))
    assert one != other


def test_crops_are_those_of_random_flips():
    size, plans = (8, 8), []
    for is_mirrored in (None, np.ones(6, dtype=bool)):
        augmentation = BatchAugmentation(pad=2, flip=True, alternates=is_mirrored is not None)
        plans.append(augmentation.plan(6, size, np.random.default_rng(1), is_mirrored=is_mirrored))
    assert torch.equal(plans[0]["crop"], plans[1]["crop"])
    assert plans[1]["flip"].all()
