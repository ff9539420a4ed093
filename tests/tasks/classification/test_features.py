from __future__ import annotations

import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.models.heads import head_inputs, head_of
from dlcli.tasks.classification.features import FEATURES, NUM_VIEWS

CPU = Device(torch.device("cpu"))
TWO = {"a": 20, "b": 20}
HEAD = {"freeze": "head", "batch_size": 8, "workers": 0}


def fit(task, epochs):
    config = TrainConfig(batch_size=8, epochs=epochs, learning_rate=0.05)
    loader = task.loader("train", training=True)
    state = start_state(task, loader, config, CPU)
    records = []
    valid = task.loader("valid")
    train(state, loader, valid, config, [])
    records.append(state.record)
    return task, {name: state.record[name] for name in ("loss", "train_accuracy", "val_loss", "accuracy")}


@pytest.mark.parametrize("size", [(32, 32), (40, 48)], ids=["packed, augmented as a batch", "files, augmented alone"])
def test_training_on_features_equals_training_the_head_on_images(make_images, open_task, size):
    data = make_images({"train": TWO}, size=size)
    options = {"model": "resnet", "width": 8, "image_size": 32, "train": HEAD}
    plain, figures = fit(open_task(data, **options), NUM_VIEWS)
    cached, others = fit(open_task(data, **options, cache="features"), NUM_VIEWS)
    assert others == pytest.approx(figures, rel=1e-4, abs=1e-5)
    for name, value in plain.model.state_dict().items():
        torch.testing.assert_close(cached.model.state_dict()[name], value, rtol=1e-4, atol=1e-5)


def test_each_image_is_read_once_a_view_and_any_batch_is_reached(make_images, open_task, monkeypatch):
    data = make_images({"train": TWO}, size=(32, 32))
    task = open_task(data, model="cnn", cache="features", train=HEAD)
    calls = []
    embed = task._embedded
    monkeypatch.setattr(task, "_embedded", lambda batch: calls.append(len(batch["labels"])) or embed(batch))
    loader = task.loader("train", training=True)
    epochs = [list(loader.batches(epoch)) for epoch in range(2 * NUM_VIEWS)]
    assert sum(calls) == NUM_VIEWS * loader.num_items
    assert torch.equal(epochs[0][0][FEATURES], epochs[NUM_VIEWS][0][FEATURES])
    assert not torch.equal(epochs[0][0][FEATURES], epochs[1][0][FEATURES])
    assert len(list(loader.batches(3, start=2))) == len(loader) - 2
    assert "images" not in epochs[0][0]


@pytest.mark.parametrize("model", ["cnn", "airnet", "resnet18", "mobilenet_v3_small", "vit_b_32"])
def test_what_the_head_sees_gives_the_logits(open_task, make_images, model):
    data = make_images({"train": TWO}, size=(32, 32))
    task = open_task(data, model=model, train=HEAD)
    images = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    task.model.train()
    features = head_inputs(task.model, images)
    assert task.model.training and not features.requires_grad
    task.model.eval()
    with torch.no_grad():
        assert torch.equal(head_of(task.model)(features), task.model(images))


@pytest.mark.parametrize(
    ("options", "train_options", "message"),
    [
        ({"model": "cnn"}, {}, "more than the head"),
        ({"model": "cnn"}, {"freeze": "-2"}, "more than the head"),
        ({"model": "squeezenet1_1"}, {"freeze": "head"}, "squeezenet1_1: the head is not the last layer"),
    ],
)
def test_what_cannot_be_cached_is_refused(make_images, open_task, options, train_options, message):
    data = make_images({"train": TWO}, size=(32, 32))
    with pytest.raises(UsageError, match=message):
        open_task(data, **options, cache="features", train=train_options)
