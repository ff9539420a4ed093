from __future__ import annotations

import dataclasses
import errno
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcli.core.console import Console
from dlcli.core.errors import RunError
from dlcli.core.records import read_metrics
from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.checkpoints import Checkpoints
from dlcli.engine.observers.limits import StepLimit
from dlcli.engine.observers.metrics_log import MetricsLog
from dlcli.engine.runs.checkpoint import (
    Progress,
    describe_checkpoint,
    find_checkpoint,
    load_weights,
    read_checkpoint,
    restore_training,
    save_checkpoint,
)

CPU = Device(torch.device("cpu"))
BASE = TrainConfig(epochs=4, batch_size=8, learning_rate=0.05, schedule="cosine")


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, state):
        if state.step == self.step:
            raise StopTraining("cut")


def start(make, config, run, *, resume=False, stop_at=None):
    return end_of(make, config, run, *([StopAt(stop_at)] if stop_at else []), resume=resume).task


def end_of(make, config, run, *observers, resume):
    """Train with the observers, and return the state at the end."""
    task = make(config)
    loader = task.loader("train")
    state = start_state(task, loader, config, CPU)
    torch.manual_seed(config.seed)
    if resume:
        restore_training(state, read_checkpoint(run.last_checkpoint), run.last_checkpoint)
    callbacks = [MetricsLog(run.metrics_file, Console()), Checkpoints(run, {"name": "toy"}, interval_s=0.0)]
    train(state, loader, task.loader("valid"), config, [*callbacks, *observers])
    return state


def untimed(path):
    return [{k: v for k, v in record.items() if k not in ("seconds", "items_per_s")} for record in read_metrics(path)]


@pytest.mark.parametrize("stop_at", [10, 12, 15], ids=["at an epoch's end", "within an epoch", "at its last step"])
@pytest.mark.parametrize("kind", ["toy_task", "toy_gan"])
def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path, request, kind, stop_at):
    make = request.getfixturevalue(kind)
    config = dataclasses.replace(BASE, schedule="plateau") if kind == "toy_gan" else BASE
    whole, cut = RunDir(tmp_path / "whole"), RunDir(tmp_path / "cut")
    for run in (whole, cut):
        run.path.mkdir()
    expected = start(make, config, whole)
    start(make, config, cut, stop_at=stop_at)
    resumed = start(make, config, cut, resume=True)
    for name, value in expected.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    assert untimed(cut.metrics_file) == untimed(whole.metrics_file)


class Lengthen(Callback):
    """Makes the training longer, as a budget does on a machine that has become faster."""

    def on_step_end(self, state):
        if state.step == 6:
            state.schedule.num_steps, state.num_epochs = 27, 6  # five steps an epoch


def test_a_training_that_was_lengthened_is_resumed_to_its_new_end(tmp_path, toy_task):
    whole, cut = RunDir(tmp_path / "whole"), RunDir(tmp_path / "cut")
    for run in (whole, cut):
        run.path.mkdir()
    expected = end_of(toy_task, BASE, whole, Lengthen(), StepLimit(20), resume=False)
    end_of(toy_task, BASE, cut, Lengthen(), StopAt(12), resume=False)
    found = end_of(toy_task, BASE, cut, StepLimit(20), resume=True)
    assert (found.step, found.epoch) == (expected.step, expected.epoch) == (27, 6)
    for one, other in zip(found.task.model.parameters(), expected.task.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_lines_of_epochs_that_the_checkpoint_does_not_know_are_written_anew(tmp_path, toy_task):
    run = RunDir(tmp_path)
    start(toy_task, BASE, run, stop_at=10)
    with run.metrics_file.open("a") as stream:
        stream.write('{"epoch": 3, "loss": 99}\n{"epo')
    start(toy_task, BASE, run, resume=True)
    assert [record["epoch"] for record in read_metrics(run.metrics_file)] == [1, 2, 3, 4]
    assert all(record["loss"] < 99 for record in read_metrics(run.metrics_file))


def test_the_one_before_the_last_is_kept(tmp_path, toy_task):
    run = RunDir(tmp_path)
    start(toy_task, BASE, run)
    assert read_checkpoint(run.last_checkpoint)["epoch"] == 4
    assert read_checkpoint(run.previous_checkpoint)["epoch"] == 3


def test_the_best_checkpoint_holds_the_best_epochs_weights(tmp_path, toy_task):
    run = RunDir(tmp_path)
    start(toy_task, BASE, run)
    records = read_metrics(run.metrics_file)
    best = max(records, key=lambda record: record["score"])
    content = read_checkpoint(run.best_checkpoint)
    assert content["epoch"] == best["epoch"]
    assert "training" not in content
    task = toy_task(BASE)
    load_weights(task.model, content, run.best_checkpoint)
    task.model.eval()
    score = -float(((task.model(task.x) - task.y) ** 2).mean().detach())
    assert score == pytest.approx(best["score"], rel=1e-5)


class Evil:
    def __reduce__(self):
        return print, ("this must never run",)


def test_a_malicious_checkpoint_is_refused_and_not_run(tmp_path, capsys):
    path = tmp_path / "evil.pt"
    torch.save({"schema": 1, "model": Evil()}, path)
    with pytest.raises(RunError, match="refused"):
        read_checkpoint(path)
    assert "never run" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 cut", pickle.dumps({"a": 1})])
def test_a_damaged_checkpoint_is_a_clear_error(tmp_path, content):
    path = tmp_path / "x.pt"
    path.write_bytes(content)
    with pytest.raises(RunError) as caught:
        read_checkpoint(path)
    assert len(caught.value.lines()) <= 6


def test_a_truncated_checkpoint_is_a_clear_error(tmp_path, toy_task):
    task = toy_task(BASE)
    state = start_state(task, task.loader("train"), BASE, CPU)
    path = tmp_path / "x.pt"
    save_checkpoint(path, state, {}, with_training=True)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(RunError):
        read_checkpoint(path)


def test_weights_of_another_network_do_not_fit(tmp_path, toy_task, toy_gan):
    task = toy_task(BASE)
    path = tmp_path / "x.pt"
    save_checkpoint(path, start_state(task, task.loader("train"), BASE, CPU), {"a": "猫"}, with_training=False)
    content = read_checkpoint(path)
    assert describe_checkpoint(content, path) == {"a": "猫"}
    with pytest.raises(RunError, match="does not fit"):
        load_weights(toy_gan(BASE).model, content, path)


def test_weights_alone_cannot_be_resumed(tmp_path, toy_task):
    task = toy_task(BASE)
    state = start_state(task, task.loader("train"), BASE, CPU)
    path = tmp_path / "x.pt"
    save_checkpoint(path, state, {}, with_training=False)
    with pytest.raises(RunError, match="only weights"):
        restore_training(state, read_checkpoint(path), path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"task": "another"}, "task"),
        ({"epoch": "3"}, "epoch = '3'"),
        ({"step": True}, "step = True"),
        ({"batch": -1}, "batch = -1"),
        ({"best": float("nan")}, "best = nan"),
        ({"best": "good"}, "best = 'good'"),
        ({"seconds": None}, "seconds = None"),
        ({"seconds": float("inf")}, "seconds = inf"),
        ({"best_epoch": ...}, "best_epoch"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_progress_that_is_none_is_refused(tmp_path, toy_task, change, says):
    task = toy_task(BASE)
    state = start_state(task, task.loader("train"), BASE, CPU)
    path = tmp_path / "x.pt"
    save_checkpoint(path, state, {}, with_training=True)
    content = read_checkpoint(path)
    changed = {**content["training"]["progress"], **change}
    content["training"]["progress"] = {name: value for name, value in changed.items() if value is not ...}
    with pytest.raises(RunError, match="its training state does not fit") as caught:
        restore_training(state, content, path)
    assert says in caught.value.message
    assert state.task is task
    assert (state.epoch, state.batch, state.step) == (0, 0, 0)


def test_progress_is_read_as_it_was_written(toy_task):
    task = toy_task(BASE)
    state = start_state(task, task.loader("train"), BASE, CPU)
    progress = Progress(3, 2, 17, -0.5, 2, 61.25)
    progress.put_into(state)
    assert Progress.of(state) == progress == Progress.from_values(dataclasses.asdict(progress))


def test_changed_weights_are_refused(tmp_path, toy_task):
    task = toy_task(BASE)
    path = tmp_path / "x.pt"
    save_checkpoint(path, start_state(task, task.loader("train"), BASE, CPU), {}, with_training=True)
    content = torch.load(path, weights_only=True)
    next(iter(content["model"].values())).view(-1)[0] += 1e-6
    torch.save(content, path)
    with pytest.raises(RunError, match="SHA-256"):
        read_checkpoint(path)


def test_a_checkpoint_that_cannot_fit_is_not_begun(tmp_path, toy_task, monkeypatch):
    task = toy_task(BASE)
    path = tmp_path / "x.pt"
    state = start_state(task, task.loader("train"), BASE, CPU)
    save_checkpoint(path, state, {"mark": 1}, with_training=False)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(100, 99, 1))
    with pytest.raises(OSError, match="are needed") as caught:
        save_checkpoint(path, state, {"mark": 2}, with_training=False)
    assert caught.value.errno == errno.ENOSPC
    assert describe_checkpoint(read_checkpoint(path), path) == {"mark": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["x.pt"]


SAVER = """
import os, sys, torch
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from conftest import ToyTask
from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.observers.checkpoints import Checkpoints
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state
torch.set_num_threads(1)
config = TrainConfig(batch_size=8)
task = ToyTask(config, model=torch.nn.Linear(1000, 2000))
state = start_state(task, task.loader("train"), config, Device(torch.device("cpu")))
saver = Checkpoints(RunDir(Path(sys.argv[1])), {})
for _ in sys.stdin:  # a child for each line, so that torch is imported once
    child = os.fork()
    if child == 0:
        while True:
            state.epoch += 1
            saver.on_epoch_end(state)
    print(child, flush=True)
    os.waitpid(child, 0)
"""


@pytest.mark.slow
def test_after_fifty_kills_during_saving_a_checkpoint_always_loads(tmp_path):
    run = RunDir(tmp_path)
    random = np.random.default_rng(0)
    command = [sys.executable, "-c", SAVER, str(tmp_path), str(Path(__file__).parents[2])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        for _ in range(50):
            parent.stdin.write("save\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline())
            while not run.last_checkpoint.exists():
                pass
            threading.Event().wait(float(random.random()) * 0.05)  # a random moment of one of the saves that follow
            os.kill(child, signal.SIGKILL)
            path, content = find_checkpoint(run)
            assert path.name in ("last.pt", "previous.pt")
            assert content["model"]["weight"].shape == (2000, 1000)
        parent.stdin.close()
