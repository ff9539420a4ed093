"""A network that takes a layer from the training images, and networks of a given width, through the task."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.models.images.airnet import whitening_filters
from dlcli.tasks.classification.config import ClassificationConfig
from dlcli.tasks.classification.task import ClassificationTask


@pytest.fixture
def data(make_images):
    """A folder of small dark and bright pictures."""
    return make_images({"train": {"a": 20, "f": 20}, "test": {"a": 4, "f": 4}}, size=(28, 28))


def filters(task):
    return task.model.network.whiten.weight.detach()


def test_the_first_layer_comes_from_the_training_part_alone(data, open_task):
    task = open_task(data, model="airnet", width=8, train={"val_fraction": 0.2})
    rows = [batch["images"] for batch in task.loader("train").batches()]
    images = torch.cat(rows)
    assert len(images) == 32
    expected = whitening_filters(task.model.normalise(images)).view(-1, 3, 2, 2)
    torch.testing.assert_close(filters(task)[:12].abs(), expected.abs(), rtol=1e-3, atol=1e-4)


def test_files_one_by_one_give_the_same_layer_as_the_packed_copy(data, open_task, monkeypatch):
    task = open_task(data, model="airnet", width=8)
    assert task.augmentation is not None
    monkeypatch.setattr(type(task._source.form), "packed", lambda form, split: None)
    one_by_one = open_task(data, model="airnet", width=8)
    assert one_by_one.augmentation is None
    assert torch.equal(filters(one_by_one), filters(task))


def test_an_unreadable_file_is_left_out_of_the_layer_and_stands_on_the_card_once(data, open_task):
    (data / "train" / "a" / "003.png").write_bytes(b"no image")
    task = open_task(data, model="airnet", width=8, image_size=30, train={"val_fraction": 0.0})
    assert len(task._source.plain_training(1000)[0]) == 39
    list(task.loader("train").batches())
    assert sum("003.png" in warning for warning in task.card.warnings) == 1


def test_images_are_taken_from_all_classes(data, open_task):
    task = open_task(data, model="airnet", width=8, train={"val_fraction": 0.0})
    brightness = task._source.plain_training(10)[0].float().mean(dim=(1, 2, 3))
    assert int((brightness > brightness.mean()).sum()) == 5


def test_a_run_keeps_its_layer_whatever_data_it_is_measured_on(data, make_images, open_task):
    task = open_task(data, model="airnet", width=8)
    other = make_images({"test": {"a": 5, "f": 5}}, name="other", size=(28, 28), shades="fbcdea")
    config = ClassificationConfig(model="airnet", width=8)
    restored = ClassificationTask.from_assets(config, TrainConfig(), task.assets(), other)
    restored.model.load_state_dict(task.model.state_dict())
    assert torch.equal(filters(restored), filters(task))


def test_the_width_goes_to_networks_that_take_one(data, open_task):
    assert open_task(data, model="airnet", width=12).model.network.head.in_features == 48
    assert open_task(data, model="resnet", width=8).model.network.head.in_features == 64


@pytest.mark.parametrize("model", ["lenet", "resnet18"])
def test_a_width_for_any_other_network_is_refused_with_those_that_take_one(data, open_task, model):
    with pytest.raises(UsageError, match="--width") as caught:
        open_task(data, model=model, width=12)
    assert "airnet" in str(caught.value.hint)


def test_a_frozen_airnet_trains_its_head_and_keeps_its_layer(data, open_task):
    task = open_task(data, model="airnet", width=8, train={"optimizer": "muon", "freeze": "head"})
    [group] = task.optimizers()["network"].param_groups
    assert group["params"] == [task.model.network.head.weight]


def test_alternating_flips_show_every_photo_both_ways_in_two_epochs(data, open_task):
    task = open_task(data, model="airnet", width=8, crop_pad=0, flip_mode="alternating")
    loader = task.loader("train", training=True)
    plain = {row: image for batch in task.loader("train").batches()
             for row, image in zip(batch["rows"].tolist(), batch["images"], strict=True)}  # fmt: skip
    for epoch in (0, 1):
        for batch in loader.batches(epoch):
            seen = task.augmentation.apply(batch["images"], batch["plan"])
            turn = torch.from_numpy(loader._order.is_mirrored(epoch, batch["rows"].numpy()))
            for row, image, is_mirrored in zip(batch["rows"].tolist(), seen, turn, strict=True):
                assert torch.equal(image, plain[row].flip(-1) if is_mirrored else plain[row])


def test_two_steps_of_muon_lower_the_loss(data, open_task):
    task = open_task(data, model="airnet", width=8, train={"optimizer": "muon", "learning_rate": 0.1})
    [optimizer] = task.optimizers().values()
    batch = next(iter(task.loader("train", training=True).batches()))
    losses = []
    for _ in range(4):
        [update] = list(task.training_step(batch))
        update.losses["cross_entropy"].backward()
        losses.append(float(update.losses["cross_entropy"].detach()))
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0]
    assert np.isfinite(losses).all()
