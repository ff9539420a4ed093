"""Threads are chosen again after an epoch at another pace, and only then."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from dlcli.core.console import Console
from dlcli.engine.observers import pace as module
from dlcli.engine.observers.pace import Pace


@pytest.fixture
def chosen(monkeypatch):
    """The epochs at whose end threads were chosen; two are left after the first choice."""
    epochs = []

    def choose(task, device, batch):
        epochs.append(task)
        return 2, "2x as fast"

    monkeypatch.setattr(module, "choose_threads", choose)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    return epochs


def run(pace, seconds, steps=10):
    """End epochs that take these seconds."""
    state = SimpleNamespace(step=0, epoch=0, device=None, task=None, record={})
    pace.on_train_start(state)
    for taken in seconds:
        state.step, state.epoch = state.step + steps, state.epoch + 1
        state.task, state.record = state.epoch, {"seconds": taken}
        pace.on_epoch_end(state)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([10, 11, 14, 9], []),
        ([10, 16], [2]),
        ([10, 6], [2]),
        ([10, 30, 30, 30], [2]),  # the epoch after the choice is what the next ones are compared with
        ([10, 30, 10, 30], [2, 4]),
        ([1, 4, 1], []),  # too short to matter
        ([3, 30, 31], []),
    ],
)
def test_only_another_pace_makes_a_new_choice(chosen, seconds, expected):
    run(Pace({}, Console(is_quiet=True)), seconds)
    assert chosen == expected


def test_a_change_is_one_line(chosen, capsys):
    run(Pace({}, Console()), [10, 30])
    assert capsys.readouterr().err == "epoch 2 was 3.0x as slow as before: 2 threads (2x as fast)\n"
