from __future__ import annotations

import dataclasses

import pytest
import torch

from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers import checkpoints
from dlcli.engine.observers.averaging import Averaging
from dlcli.engine.observers.checkpoints import Checkpoints
from dlcli.engine.runs.checkpoint import read_checkpoint, restore_training, weights_digest

CPU = Device(torch.device("cpu"))
BASE = TrainConfig(epochs=12, batch_size=8, learning_rate=0.05)


class Clock(Callback):
    """A clock by which every epoch takes one second; it may stop the training."""

    def __init__(self, stop_after=None, error=None):
        self.now, self.stop_after, self.error = 0.0, stop_after, error

    def __call__(self):
        return self.now

    def on_epoch_end(self, state):
        self.now += 1.0
        if state.epoch == self.stop_after:
            raise self.error or StopTraining("cut")


@pytest.fixture
def written(monkeypatch):
    """Return the names and epochs of the files in the order in which they are written."""
    names = []
    write = checkpoints.write_checkpoint

    def note(path, content):
        names.append((path.name, content["epoch"]))
        write(path, content)

    monkeypatch.setattr("dlcli.engine.runs.checkpoint.write_checkpoint", note)
    monkeypatch.setattr(checkpoints, "write_checkpoint", note)
    return names


def run(task, config, folder, clock, *, every=None, resume=False, interval_s=5.0, valid=True):
    where = RunDir(folder)
    loader = task.loader("train")
    state = start_state(task, loader, config, CPU)
    if resume:
        restore_training(state, read_checkpoint(where.last_checkpoint), where.last_checkpoint)
    saver = Checkpoints(where, {"name": "toy"}, every, interval_s=interval_s, clock=clock)
    train(state, loader, task.loader("valid") if valid else None, config, [Averaging(), saver, clock])
    return state


@pytest.mark.parametrize("valid", [True, False])
def test_short_epochs_share_a_checkpoint_and_the_last_epoch_is_saved(tmp_path, toy_task, written, valid):
    run(toy_task(BASE), BASE, tmp_path, Clock(), valid=valid)
    assert [epoch for name, epoch in written if name == "last.pt"] == [1, 6, 11, 12]
    assert len(written) <= 8


def test_long_epochs_are_each_saved(tmp_path, toy_task, written):
    run(toy_task(BASE), BASE, tmp_path, Clock(), interval_s=1.0)
    assert [epoch for name, epoch in written if name == "last.pt"] == list(range(1, 13))


@pytest.mark.parametrize("ema", [None, 0.9])
@pytest.mark.parametrize("stop_after", [None, 3, 6, 8])
def test_the_best_weights_are_those_that_would_be_saved_every_time(tmp_path, toy_task, ema, stop_after):
    config = dataclasses.replace(BASE, ema=ema)
    often = run(toy_task(config), config, tmp_path / "often", Clock(stop_after), interval_s=0.0)
    seldom = run(toy_task(config), config, tmp_path / "seldom", Clock(stop_after), interval_s=1e9)
    assert often.best_epoch == seldom.best_epoch
    contents = [read_checkpoint(RunDir(tmp_path / name).best_checkpoint) for name in ("often", "seldom")]
    assert contents[0]["epoch"] == contents[1]["epoch"] == often.best_epoch
    assert weights_digest(contents[0]) == weights_digest(contents[1])
    assert contents[0].keys() == contents[1].keys()


def test_a_killed_training_computes_again_what_was_not_saved_and_ends_equal(tmp_path, toy_task):
    whole = run(toy_task(BASE), BASE, tmp_path / "whole", Clock())
    task = toy_task(BASE)
    with pytest.raises(RuntimeError, match="killed"):
        run(task, BASE, tmp_path / "cut", Clock(9, RuntimeError("killed")))
    assert read_checkpoint(RunDir(tmp_path / "cut").last_checkpoint)["epoch"] == 6
    resumed = run(toy_task(BASE), BASE, tmp_path / "cut", Clock(), resume=True)
    for name, value in whole.task.model.state_dict().items():
        assert torch.equal(value, resumed.task.model.state_dict()[name]), name
    digests = {weights_digest(read_checkpoint(RunDir(tmp_path / name).best_checkpoint)) for name in ("whole", "cut")}
    assert len(digests) == 1


def test_weights_of_set_epochs_are_kept(tmp_path, toy_task):
    state = run(toy_task(BASE), BASE, tmp_path, Clock(), every=4)
    names = sorted(path.name for path in (tmp_path / "checkpoints").glob("epoch-*"))
    assert names == ["epoch-0004.pt", "epoch-0008.pt", "epoch-0012.pt"]
    last = read_checkpoint(tmp_path / "checkpoints" / "epoch-0012.pt")
    assert last["epoch"] == 12
    assert all(torch.equal(value, last["model"][name]) for name, value in state.task.model.state_dict().items())
