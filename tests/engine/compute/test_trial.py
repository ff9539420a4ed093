"""Trial steps leave no trace: not in weights, buffers and modes, nor in random numbers, nor in what a task keeps."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import nn

from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import open_device
from dlcli.engine.compute.trial import head_of, leaving_no_trace, time_step
from dlcli.engine.task import KeepsState


class Pair(NamedTuple):
    images: torch.Tensor
    names: list[str]


def test_the_first_items_of_any_batch_are_taken():
    images = torch.arange(6)
    assert torch.equal(head_of({"images": images, "n": 3}, 2)["images"], images[:2])
    assert head_of({"images": images, "n": 3}, 2)["n"] == 3
    pair = head_of(Pair(images, ["a", "b", "c"]), 2)
    assert isinstance(pair, Pair) and pair.names == ["a", "b"] and len(pair.images) == 2


@pytest.mark.parametrize("is_training", [True, False])
def test_a_task_is_as_it_was_also_after_an_error(toy_task, is_training):
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
    task = toy_task(TrainConfig(batch_size=10), model=model)
    model.train(is_training)
    batch = next(iter(task.loader("train").batches()))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    device = open_device("cpu", threads=1)

    def trial():
        with leaving_no_trace(task):
            assert time_step(task, device, batch) > 0
            assert not torch.equal(model.state_dict()["1.running_mean"], before["1.running_mean"])
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        trial()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training is is_training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_what_a_task_keeps_is_put_back(toy_task):
    class Keeping(toy_task):
        kept = 0

        def state(self):
            return {"kept": self.kept}

        def load_state(self, state):
            self.kept = state["kept"]

    task = Keeping(TrainConfig(batch_size=10))
    assert isinstance(task, KeepsState)
    with leaving_no_trace(task):
        task.kept = 7
    assert task.kept == 0
