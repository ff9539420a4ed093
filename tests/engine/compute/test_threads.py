"""The threads are chosen by what steps take, and choosing leaves nothing behind."""

from __future__ import annotations

import copy

import pytest
import torch

from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute import threads as module
from dlcli.engine.compute.device import open_device
from dlcli.engine.compute.threads import choose_threads


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(module, "all_threads", lambda: 4)
    yield
    torch.set_num_threads(before)


def timing(monkeypatch, seconds):
    """Let a step take the seconds that `seconds` gives for a number of threads; return the sizes of the batches."""
    sizes = []

    def take(task, device, batch):
        sizes.append(len(next(iter(batch.values()))))
        return seconds[torch.get_num_threads()]

    monkeypatch.setattr(module, "time_step", take)
    return sizes


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({4: 1.0, 2: 1.5, 1: 2.5}, 4),
        ({4: 1.0, 2: 0.95, 1: 2.5}, 4),  # hardly faster: all threads are preferred
        ({4: 1.0, 2: 0.5, 1: 0.9}, 2),
        ({4: 8.0, 2: 4.0, 1: 1.0}, 1),
    ],
)
def test_the_fastest_number_is_set(toy_task, monkeypatch, seconds, expected):
    torch.set_num_threads(4)
    timing(monkeypatch, seconds)
    task = toy_task(TrainConfig(batch_size=20))
    batch = next(iter(task.loader("train").batches()))
    count, why = choose_threads(task, open_device("cpu", threads=4), batch)
    assert count == torch.get_num_threads() == expected
    assert "as fast as" in why


def test_one_core_needs_no_timing(toy_task, monkeypatch):
    monkeypatch.setattr(module, "all_threads", lambda: 1)
    sizes = timing(monkeypatch, {})
    task = toy_task(TrainConfig(batch_size=20))
    assert choose_threads(task, open_device("cpu", threads=1), {})[0] == 1
    assert sizes == []


def test_the_real_timing_changes_neither_task_nor_random_numbers(toy_task):
    task = toy_task(TrainConfig(batch_size=20))
    batch = next(iter(task.loader("train").batches()))
    before = copy.deepcopy(task.model.state_dict())
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    choose_threads(task, open_device("cpu", threads=2), batch)
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(value, before[name]) for name, value in task.model.state_dict().items())
    assert all(parameter.grad is None for parameter in task.model.parameters())
