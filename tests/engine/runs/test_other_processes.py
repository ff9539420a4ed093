"""A training that another number of processes goes on with. Batches of 16 items stand for two processes of 8."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
import torch

from dlcli.core.errors import RunError
from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.checkpoints import Checkpoints
from dlcli.engine.observers.limits import limits_of
from dlcli.engine.observers.step_log import StepLog
from dlcli.engine.runs.checkpoint import read_checkpoint, restore_training

CPU = Device(torch.device("cpu"))
ONE = TrainConfig(epochs=6, batch_size=8, learning_rate=0.05, schedule="cosine", log_every=1)
TWO = dataclasses.replace(ONE, batch_size=16)
STEPS = {8: 5, 16: 3}
"""Batch size -> steps in an epoch of the toy's 40 items."""


class StopAt(Callback):
    """Stops after a step, or after the validation that follows it."""

    def __init__(self, step, *, is_validated):
        self.step, self.is_validated = step, is_validated

    def on_step_end(self, state):
        if state.step == self.step and not self.is_validated:
            raise StopTraining("cut")

    def on_epoch_end(self, state):
        if state.step == self.step:
            raise StopTraining("cut")


def stopped(toy_task, config, step, folder, *, is_validated=False):
    """Train up to a step, and return the checkpoint's path."""
    task, run = toy_task(config), RunDir(folder)
    loader = task.loader("train")
    observers = [StepLog(folder / "steps.jsonl", 1), Checkpoints(run, {}, interval_s=0.0)]
    train(
        start_state(task, loader, config, CPU),
        loader,
        None,
        config,
        [*observers, StopAt(step, is_validated=is_validated)],
    )
    return run.last_checkpoint


def restored(toy_task, config, path, content=None):
    task = toy_task(config)
    loader = task.loader("train")
    state = start_state(task, loader, config, CPU)
    restore_training(state, content or read_checkpoint(path), path)
    return state, loader


BOTH = pytest.mark.parametrize(("before", "after"), [(TWO, ONE), (ONE, TWO)], ids=["fewer", "more"])


@BOTH
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0], ids=["at an epoch's end", "within an epoch", "at its last step"])
def test_it_ends_after_its_epochs_with_its_schedule_at_its_end(tmp_path, toy_task, before, after, part):
    then, now = STEPS[before.batch_size], STEPS[after.batch_size]
    in_epoch = math.ceil(then * part)
    path = stopped(toy_task, before, 2 * then + in_epoch, tmp_path, is_validated=part == 0)
    state, loader = restored(toy_task, after, path)
    taken = in_epoch * now // then  # of the third epoch
    assert (state.epoch, state.batch, state.step) == (2, taken, 2 * now + taken)
    first, steps = state.step, []

    class Count(Callback):
        def on_step_end(self, state):
            steps.append((state.epoch, state.learning_rate))

    train(state, loader, None, after, [Count()])
    assert (state.epoch, state.step, state.num_epochs) == (6, 6 * now, 6)
    assert len(steps) == 6 * now - first
    assert (state.schedule.num_steps, state.schedule.factor(state.step)) == (6 * now, pytest.approx(0))
    whole = start_state(state.task, loader, after, CPU)
    assert [rate for _, rate in steps] == [0.05 * whole.schedule.factor(step) for step in range(first, 6 * now)]


@BOTH
def test_accumulated_batches_are_taken_up_at_the_start_of_a_step(tmp_path, toy_task, before, after):
    before, after = (dataclasses.replace(config, accumulate=2) for config in (before, after))
    state, loader = restored(toy_task, after, stopped(toy_task, before, 3, tmp_path))
    assert state.batch == 2 * (state.step - state.epoch * state.steps_per_epoch)
    train(state, loader, None, after, [])
    assert (state.epoch, state.step) == (6, 6 * state.steps_per_epoch)


@pytest.mark.parametrize(("before", "after", "limit", "end"), [(TWO, ONE, 8, 14), (ONE, TWO, 13, 8)])
def test_a_limit_of_steps_is_reached_at_the_same_place_in_an_epoch(tmp_path, toy_task, before, after, limit, end):
    """8 of 3 steps an epoch are 13.3 of 5, and 13 of 5 are 7.8 of 3; a part of a step is one."""
    before, after = (dataclasses.replace(config, max_steps=limit) for config in (before, after))
    state, loader = restored(toy_task, after, stopped(toy_task, before, STEPS[before.batch_size], tmp_path))
    reason = train(state, loader, None, after, limits_of(after))
    assert (state.epoch, state.step, reason) == (3, end, f"reached step {end}, the last")


@BOTH
def test_the_logged_steps_of_finished_epochs_stay(tmp_path, toy_task, before, after):
    path = stopped(toy_task, before, 2 * STEPS[before.batch_size], tmp_path, is_validated=True)
    state, loader = restored(toy_task, after, path)
    train(state, loader, None, after, [StepLog(tmp_path / "steps.jsonl", 1)])
    lines = [json.loads(line) for line in (tmp_path / "steps.jsonl").read_text().splitlines()]
    counts = [sum(line["epoch"] == epoch for line in lines) for epoch in range(1, 7)]
    assert counts == 2 * [STEPS[before.batch_size]] + 4 * [STEPS[after.batch_size]]


def test_a_file_of_before_that_does_not_say_how_long_an_epoch_was_is_taken_as_it_is(tmp_path, toy_task):
    path = stopped(toy_task, ONE, 12, tmp_path)
    content = read_checkpoint(path)
    del content["training"]["schedule"]["steps_per_epoch"]
    state, _ = restored(toy_task, ONE, path, content)
    assert (state.epoch, state.batch, state.step, state.schedule.num_steps) == (2, 2, 12, 30)


@pytest.mark.parametrize("value", [0, -5, "many", None])
def test_an_epoch_of_no_steps_is_a_fault_of_the_file(tmp_path, toy_task, value):
    path = stopped(toy_task, ONE, 12, tmp_path)
    content = read_checkpoint(path)
    content["training"]["schedule"]["steps_per_epoch"] = value
    with pytest.raises(RunError, match="its training state does not fit"):
        restored(toy_task, ONE, path, content)
