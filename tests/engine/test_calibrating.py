"""What a task chooses on the validation part is in the weights that were validated."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import evaluate
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.averaging import Averaging
from dlcli.engine.observers.checkpoints import Checkpoints
from dlcli.engine.runs.checkpoint import load_weights, read_checkpoint
from dlcli.engine.task import Calibrates

CPU = Device(torch.device("cpu"))
BASE = TrainConfig(epochs=4, batch_size=8, learning_rate=0.05, schedule="constant")


class WithThreshold(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 1)
        self.register_buffer("threshold", torch.tensor(0.5))

    def forward(self, inputs):
        return self.layer(inputs)


def calibrating(make, config):
    """Return the toy whose threshold is the validation loss, so that a test can compute it again."""
    torch.manual_seed(config.seed)

    class Calibrated(make):
        def calibrate(self, metric):
            self.model.threshold.fill_(metric.compute()["loss"])

    return Calibrated(config, model=WithThreshold())


@pytest.mark.parametrize("ema", [None, 0.7])
@pytest.mark.parametrize("interval_s", [0.0, 1e9])
def test_the_saved_buffer_was_chosen_for_the_saved_weights(tmp_path, toy_task, ema, interval_s):
    config = dataclasses.replace(BASE, ema=ema)
    task, run = calibrating(toy_task, config), RunDir(tmp_path)
    assert isinstance(task, Calibrates)
    assert not isinstance(toy_task(config), Calibrates)
    loader = task.loader("train")
    state = start_state(task, loader, config, CPU)
    observers = [Averaging(), Checkpoints(run, {}, interval_s=interval_s)]
    train(state, loader, task.loader("valid"), config, observers)
    load_weights(task.model, read_checkpoint(run.best_checkpoint), run.best_checkpoint)
    loss = evaluate(task, task.loader("valid"), CPU).compute()["loss"]
    assert float(task.model.threshold) == pytest.approx(loss, rel=1e-6)
    assert loss == pytest.approx(-state.best, rel=1e-6)


def test_a_training_without_validation_calibrates_nothing(tmp_path, toy_task):
    task = calibrating(toy_task, BASE)
    loader = task.loader("train")
    train(start_state(task, loader, BASE, CPU), loader, None, BASE, [])
    assert float(task.model.threshold) == 0.5
