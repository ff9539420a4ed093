"""Whole runs that are stopped and resumed: a toy whose pool of pictures draws from torch's generator."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch
from toys.gan import GanConfig, PoolGan
from toys.terminating import terminated_at

from dlcli.core.console import Console
from dlcli.core.errors import StoppedError
from dlcli.core.registry import TASKS, TaskSpec
from dlcli.core.run_dir import create_run, resolve_run
from dlcli.core.train_config import TrainConfig
from dlcli.data.loading import ItemLoader
from dlcli.data.order import WHOLE, Order
from dlcli.engine.compute.distributed import World
from dlcli.engine.request import TrainRequest
from dlcli.engine.runs import training
from dlcli.engine.runs.checkpoint import read_checkpoint
from dlcli.engine.runs.training import _run_of_launch, resume_training, start_training

BASE = TrainConfig(epochs=3, batch_size=8, learning_rate=0.01, precision="fp32", threads=1, device="cpu")
"""Five steps an epoch."""

QUIET = Console(is_quiet=True)


class ReadGan(PoolGan):
    """The toy whose items are read one by one, by as many worker processes as `--workers` says."""

    def loader(self, split, *, training=False, shard=WHOLE):
        chosen = np.arange(0 if split == "valid" else len(self._noise))
        order = Order(chosen, self._train.batch_size, seed=self._train.seed if training else None, shard=shard)

        def read(index, *, seed, epoch):
            return self._pictures["train"][index], self._noise[index]

        def collate(items):
            pictures, noise = zip(*items, strict=True)
            return {"pictures": torch.stack(pictures), "noise": torch.stack(noise)}

        return ItemLoader(order, read, collate, workers=self._train.workers or 0, max_bad=0, on_bad=print)


@pytest.fixture
def request_for(tmp_path, monkeypatch):
    """Return the request to train the toy as a registered task, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("toys.gan.ReadGan", ReadGan, raising=False)
    where = {"config": "toys.gan:GanConfig", "task": "toys.gan:ReadGan"}
    spec = TaskSpec("gan", "pictures from noise", "noise", "none", recipe="", codec="", networks="", **where)
    monkeypatch.setitem(TASKS, "gan", spec)

    def make(name, **changes):
        train = dataclasses.replace(BASE, **changes)
        return TrainRequest(spec, "none", tmp_path / "none", "gan", GanConfig(), train, "", name)

    return make


def stopped(request, step):
    """Train a request, of which a signal finishes that step, and return the run."""
    with terminated_at(PoolGan, step), pytest.raises(StoppedError):
        start_training(request, QUIET)
    return resolve_run(request.name)


def weights(run):
    return torch.cat([value.flatten() for value in read_checkpoint(run.last_checkpoint)["model"].values()])


def test_a_run_stopped_within_an_epoch_ends_the_same_with_any_number_of_workers(request_for):
    alone = start_training(request_for("alone", workers=0), QUIET)
    cut = stopped(request_for("cut", workers=2), 8)
    assert torch.equal(weights(resume_training(cut, None, QUIET)), weights(alone))


def test_what_reading_a_batch_to_time_draws_does_not_change_a_resumed_training(request_for, monkeypatch):
    whole = start_training(request_for("whole"), QUIET)
    cut = stopped(request_for("cut"), 8)
    read = training.first_batch

    def drawing(request, loader):
        torch.rand(3)
        return read(request, loader)

    monkeypatch.setattr(training, "first_batch", drawing)
    monkeypatch.setattr(training, "all_threads", lambda: 2)
    resume_training(cut, None, QUIET, {"threads": None})
    assert torch.equal(weights(cut), weights(whole))


HOLDER = """
import sys
from pathlib import Path
from dlcli.core.locks import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def left(name, launch, *, has_checkpoint):
    """Return a run that a launch has left behind."""
    run = create_run("", {"status": "interrupted", "launch": launch}, name)
    if has_checkpoint:
        run.last_checkpoint.parent.mkdir()
        run.last_checkpoint.touch()
    return run


def test_a_restart_goes_on_with_the_run_of_its_own_launch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other, own = left("other", "none-1", has_checkpoint=True), left("own", "none-2", has_checkpoint=True)
    assert _run_of_launch(World(launch="none-2", restarts=1)) == own
    assert _run_of_launch(World(launch="none-2")) is None
    assert _run_of_launch(World(launch="none-3", restarts=1)) is None
    assert (other.path.exists(), own.path.exists()) == (True, True)


def test_a_restart_removes_a_run_without_a_checkpoint_unless_a_process_holds_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    held, free = left("held", "none-2", has_checkpoint=False), left("free", "none-2", has_checkpoint=False)
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLDER, held.lock_file], stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert _run_of_launch(World(launch="none-2", restarts=1)) is None
        holder.stdin.close()
    assert (held.path.exists(), free.path.exists()) == (True, False)
