from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcli.core.errors import DataError
from dlcli.data.order import Shard
from dlcli.tasks.generation import source as source_module
from dlcli.tasks.generation.sampling import spread


def batches(task, split="train", *, training=True, epoch=0, start=0, **more):
    return list(task.loader(split, training=training, **more).batches(epoch, start))


@pytest.fixture(params=["packed", "resized", "files"])
def data(request, make_images):
    """Images of the network's size, images to be resized, and photos too large to be packed."""
    size = {"packed": (8, 8), "resized": (10, 9), "files": (70, 90)}[request.param]
    return make_images(size=size, channels=3)


def test_training_batches_have_images_noise_and_shares(data, open_task):
    task = open_task(data, size=8)
    first, second, last = batches(task)
    assert set(first) == {"images", "rows", "noise", "mix"}
    assert first["images"].shape == (8, 3, 8, 8) and first["images"].dtype == torch.uint8
    assert first["noise"].shape == (8, 6) and first["noise"].dtype == torch.float32
    assert 0 <= first["mix"].min() < first["mix"].max() < 1
    assert sorted(torch.cat([batch["rows"] for batch in (first, second, last)]).tolist()) == list(range(24))
    noise = torch.cat([batch["noise"] for batch in batches(task) + batches(task, epoch=1)])
    assert len({row.numpy().tobytes() for row in noise}) == 48


def test_any_batch_of_an_epoch_is_the_same_again_and_so_is_each_process_share(data, open_task):
    task = open_task(data, size=8)
    whole = batches(task, epoch=1)
    for one, other in zip(whole[1:], batches(task, epoch=1, start=1), strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)
    halves = [batches(open_task(data, size=8, train={"batch_size": 4}), epoch=1, shard=Shard(k, 2)) for k in (0, 1)]
    for batch, first, second in zip(whole, *halves, strict=True):
        for name in batch:
            joined = torch.stack([first[name], second[name]], 1).flatten(0, 1)
            assert torch.equal(joined, batch[name]), name


def test_evaluation_shows_each_image_with_the_noise_of_its_row(data, open_task):
    task = open_task(data, size=8, conditional=True)
    [batch] = batches(task, "test", training=False)
    assert set(batch) == {"images", "rows", "noise", "classes"}
    assert batch["classes"].tolist() == [0] * 4 + [1] * 4
    assert torch.equal(batch["noise"], batches(task, "test", training=False)[0]["noise"])
    upper, lower = batch["images"][:, :, :4].float().mean((1, 2, 3)), batch["images"][:, :, 4:].float().mean((1, 2, 3))
    assert (upper > lower).tolist() == [True] * 4 + [False] * 4


def test_a_large_split_is_compared_in_part_from_all_classes(make_images, open_task, monkeypatch):
    monkeypatch.setattr(source_module, "MAX_COMPARED", 3)
    task = open_task(make_images())
    [batch] = batches(task, "test", training=False)
    assert batch["rows"].tolist() == [0, 3, 7]
    assert task.loader("test").num_items == 3
    assert spread(np.arange(3), 5).tolist() == [0, 1, 2]


def test_there_is_no_validation_part_and_that_it_was_requested_is_noted(make_images, open_task):
    data = make_images()
    task = open_task(data, train={"val_fraction": 0.5})
    assert len(task.loader("valid")) == 0 and task.loader("train", training=True).num_items == 24
    assert "nothing is held out" in task.notes()[0]
    assert not open_task(data).notes()


def test_unreadable_images_are_replaced_and_counted(make_images, open_task):
    data = make_images(size=(70, 90))
    (data / "train" / "low" / "003.png").write_bytes(b"no image")
    task = open_task(data, size=8)
    assert sum(len(batch["rows"]) for batch in batches(task)) == 24
    assert any("003.png" in line for line in task.card.warnings)
    strict = open_task(data, size=8, max_bad=0)
    with pytest.raises(DataError, match="--max-bad 0"):
        batches(strict)


def test_images_of_a_part_are_evenly_spaced_and_of_the_network_size(data, open_task):
    images = open_task(data, size=8).source.images("train", 4)
    assert images.shape == (4, 3, 8, 8)
    assert (images[:, :, :4].mean((1, 2, 3)) > images[:, :, 4:].mean((1, 2, 3))).tolist() == [True, True, False, False]
