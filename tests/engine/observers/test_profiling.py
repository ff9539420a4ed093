from __future__ import annotations

import dataclasses
import json

import pytest
import torch

from dlcli.core.console import Console
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers import profiling
from dlcli.engine.observers.profiling import PHASES, TIMED, TRACED, WARM_UP, Profile

CPU = Device(torch.device("cpu"))
CONFIG = TrainConfig(epochs=10, batch_size=10, optimizer="sgd", learning_rate=0.01)  # four steps an epoch
COSTS = {"data": 1.0, "forward": 2.0, "backward": 4.0, "optimizer": 8.0, "rest": 16.0, "validation": 1000.0}


class Clock(Callback):
    """A clock that each phase moves by its cost, when it ends."""

    def __init__(self):
        self.now, self.cost, self.told = 0.0, 0.0, []

    def phase(self, name):
        self.now += self.cost
        self.cost = COSTS.get(name, 0.0)
        self.told.append(name)

    def __call__(self):
        return self.now


class Scripted(Profile):
    """A profile whose clock is told of the phases first."""

    def _time(self, state, phase):
        self._clock.phase(phase)
        super()._time(state, phase)


def run(task, config, *callbacks):
    loader = task.loader("train")
    state = start_state(task, loader, config, CPU)
    train(state, loader, task.loader("valid"), config, callbacks)
    return state


def test_the_phases_come_in_the_order_of_a_step(toy_task):
    told = []

    class Listen(Callback):
        def on_train_start(self, state):
            state.phase = told.append

    config = dataclasses.replace(CONFIG, epochs=1, batch_size=20)
    run(toy_task(config), config, Listen())
    step = ["forward", "backward", "optimizer", "forward", "rest", "data"]
    assert told == ["data", *step, *step, "validation"]


def test_each_optimizer_has_its_phases(toy_gan):
    told = []

    class Listen(Callback):
        def on_train_start(self, state):
            state.phase = told.append

    config = dataclasses.replace(CONFIG, epochs=1, batch_size=40)
    run(toy_gan(config), config, Listen())
    update = ["backward", "optimizer", "forward"]
    assert told == ["data", "forward", *update, *update, "rest", "data", "validation"]


def test_the_table_is_the_mean_of_the_timed_steps_without_validation(tmp_path, toy_task, capsys):
    run(toy_task(CONFIG), CONFIG, Scripted(tmp_path, Console(), Clock()))
    step = json.loads((tmp_path / "step.json").read_text())
    assert step["steps"] == TIMED
    # The task is asked for a second update, and the loader, at the ends of two epochs, for one batch more.
    expected = {"data": 1.0 + 2 / TIMED, "forward": 2 * 2.0, "backward": 4.0, "optimizer": 8.0, "rest": 16.0}
    assert step["seconds"] == pytest.approx(expected)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"a step takes 33200.00 ms (mean of {TIMED}):"
    assert lines[-1].split() == ["rest", "16000.00", "ms", "48.2%"]


def test_the_trace_holds_the_phases_of_its_steps(tmp_path, toy_task):
    run(toy_task(CONFIG), CONFIG, Profile(tmp_path, Console(is_quiet=True)))
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    marks = [event["name"] for event in events if event.get("cat") == "user_annotation"]
    expected = {**dict.fromkeys(PHASES, TRACED), "forward": 2 * TRACED, "data": TRACED + 3}  # three epochs' ends
    assert {name: marks.count(name) for name in PHASES} == expected
    assert any(event["name"] == "aten::addmm" for event in events)


def test_afterwards_nothing_watches_and_the_weights_are_those_of_an_unwatched_training(tmp_path, toy_task):
    watched, alone = toy_task(CONFIG, dropout=0.0), toy_task(CONFIG, dropout=0.0)
    state = run(watched, CONFIG, Profile(tmp_path, Console(is_quiet=True)))
    other = run(alone, CONFIG)
    assert state.phase is other.phase
    assert all(torch.equal(a, b) for a, b in zip(watched.model.parameters(), alone.model.parameters(), strict=True))


@pytest.mark.parametrize(("steps", "timed", "has_trace"), [(WARM_UP + 3, 3, False), (WARM_UP + TIMED + 1, TIMED, True)])
def test_a_short_training_is_told_by_the_steps_that_there_were(tmp_path, toy_task, steps, timed, has_trace):
    config = dataclasses.replace(CONFIG, epochs=1, batch_size=1)
    run(toy_task(config, num_items=steps), config, Profile(tmp_path, Console(is_quiet=True)))
    assert json.loads((tmp_path / "step.json").read_text())["steps"] == timed
    assert (tmp_path / "trace.json").exists() is has_trace


def test_a_training_of_warm_up_alone_says_so(tmp_path, toy_task, capsys):
    config = dataclasses.replace(CONFIG, epochs=1)
    run(toy_task(config), config, Profile(tmp_path, Console(is_quiet=True)))
    assert "after 4 steps, all of them warm-up" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert profiling.WARM_UP > 4
