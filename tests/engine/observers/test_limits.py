from __future__ import annotations

import dataclasses

import pytest
import torch

from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.checkpoints import Checkpoints
from dlcli.engine.observers.limits import EarlyStopping, StepLimit, TimeLimit, limits_of
from dlcli.engine.runs.checkpoint import read_checkpoint, restore_training

CPU = Device(torch.device("cpu"))
BASE = TrainConfig(epochs=3, batch_size=10, optimizer="sgd", learning_rate=0.01, schedule="cosine")  # 4 steps an epoch


class Clock(Callback):
    """A clock that every step moves by a second, and every validation by ten."""

    def __init__(self, now=0.0):
        self.now = now
        self.epochs = []

    def on_step_end(self, state):
        self.now += 1

    def on_epoch_end(self, state):
        self.now += 10
        self.epochs.append((state.record["epoch"], state.record["step"], "val_loss" in state.record))

    def __call__(self):
        return self.now


def run(task, config, *callbacks, restored=None):
    loader = task.loader("train")
    state = start_state(task, loader, config, CPU)
    if restored is not None:
        restore_training(state, read_checkpoint(restored), restored)
    return state, train(state, loader, task.loader("valid"), config, callbacks)


@pytest.mark.parametrize(
    ("limit", "epochs"), [(3, [(1, 3, True)]), (4, [(1, 4, True)]), (6, [(1, 4, True), (2, 6, True)])]
)
def test_max_steps_ends_with_that_step_and_a_validated_epoch(toy_task, limit, epochs):
    config = dataclasses.replace(BASE, max_steps=limit)
    clock = Clock()
    state, reason = run(toy_task(config), config, clock, *limits_of(config))
    assert (state.step, state.num_epochs) == (limit, len(epochs))
    assert clock.epochs == epochs
    assert reason == f"reached step {limit}, the last"


def test_the_schedule_comes_to_its_end_with_max_steps(toy_task):
    config = dataclasses.replace(BASE, max_steps=6)
    state, _ = run(toy_task(config), config, *limits_of(config))
    assert state.schedule.num_steps == 6
    assert state.schedule.factor(6) == pytest.approx(0)
    assert state.record["lr"] < BASE.learning_rate * 0.1


def test_a_limit_beyond_the_last_epoch_changes_nothing(toy_task):
    config = dataclasses.replace(BASE, max_steps=99, max_time="9h")
    limited, plain = toy_task(config), toy_task(BASE)
    torch.manual_seed(0)
    state, reason = run(limited, config, *limits_of(config))
    torch.manual_seed(0)
    run(plain, BASE)
    assert (state.step, reason) == (12, None)
    for one, other in zip(limited.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_epoch_that_a_limit_cut_short_is_counted_by_what_it_showed(toy_task):
    class Rate(Callback):
        def on_epoch_end(self, state):
            self.items = state.record["items_per_s"] * state.record["seconds"]

    config = dataclasses.replace(BASE, max_steps=1)
    task, rate = toy_task(config, num_items=40_000), Rate()
    task.config = dataclasses.replace(config, batch_size=20_000)  # two steps an epoch
    run(task, config, rate, StepLimit(1))
    assert rate.items == pytest.approx(20_000, rel=0.2)


@pytest.mark.parametrize(("limit", "steps", "epochs"), [("3s", 3, 1), ("4s", 4, 1), ("10s", 4, 1), ("16s", 6, 2)])
def test_max_time_ends_with_the_first_step_past_it_or_with_the_validation_that_used_it_up(
    toy_task, limit, steps, epochs
):
    clock = Clock()
    state, reason = run(toy_task(BASE), BASE, clock, TimeLimit(limit, clock))
    assert (state.step, len(clock.epochs)) == (steps, epochs)
    assert reason == f"reached --max-time {limit}"


def test_a_run_that_met_its_limit_has_its_best_and_its_last_checkpoint(tmp_path, toy_task):
    clock = Clock()
    run_dir = RunDir(tmp_path)
    run(toy_task(BASE), BASE, Checkpoints(run_dir, {}), clock, TimeLimit("2s", clock))
    best, last = read_checkpoint(run_dir.best_checkpoint), read_checkpoint(run_dir.last_checkpoint)
    assert best["epoch"] == last["epoch"] == 1
    assert all(torch.equal(best["model"][name], last["model"][name]) for name in best["model"])


def test_a_resumed_training_has_the_time_that_is_left(tmp_path, toy_task):
    class Interrupt(Callback):
        def on_step_end(self, state):
            if state.step == 3:
                raise StopTraining("interrupted")

    run_dir, clock = RunDir(tmp_path), Clock()
    run(toy_task(BASE), BASE, Checkpoints(run_dir, {}), clock, TimeLimit("16s", clock), Interrupt())
    later = Clock(now=1000.0)
    limit = TimeLimit("16s", later)
    state, reason = run(toy_task(BASE), BASE, later, limit, restored=run_dir.last_checkpoint)
    assert (state.step, reason) == (6, "reached --max-time 16s")
    assert state.seconds == 16 + 10  # the validation that followed


def test_a_training_whose_time_is_over_when_it_is_resumed_takes_no_step(tmp_path, toy_task):
    run_dir, clock = RunDir(tmp_path), Clock()
    run(toy_task(BASE), BASE, Checkpoints(run_dir, {}), clock, TimeLimit("4s", clock))
    later = Clock(now=50.0)
    state, _ = run(toy_task(BASE), BASE, later, TimeLimit("4s", later), restored=run_dir.last_checkpoint)
    assert (state.epoch, state.step) == (1, 4)


def test_a_training_that_was_stopped_where_its_patience_ended_takes_no_further_step(tmp_path, toy_task):
    class Interrupt(Callback):
        def on_epoch_end(self, state):
            if state.epoch == 3:
                raise StopTraining("interrupted")

    config = dataclasses.replace(BASE, epochs=9, learning_rate=0.0)  # the first epoch stays the best
    run_dir = RunDir(tmp_path)
    run(toy_task(config), config, Checkpoints(run_dir, {}), Interrupt(), EarlyStopping(2))
    state, reason = run(toy_task(config), config, EarlyStopping(2), restored=run_dir.last_checkpoint)
    assert (state.epoch, state.step, state.best_epoch) == (3, 12, 1)
    assert reason == "no better epoch for 2 epochs"
