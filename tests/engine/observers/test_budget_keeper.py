"""A training on a machine that gets slower ends in its budget, with its schedule at its end."""

from __future__ import annotations

import pytest

from dlcli.core.console import Console
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback
from dlcli.engine.compute.device import open_device
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.budget_keeper import BudgetKeeper
from dlcli.engine.observers.limits import StepLimit

PLANNED = 200
"""The steps of the toy's 20 epochs."""


class Clock(Callback):
    """A clock that each step moves on."""

    def __init__(self, seconds_of_step):
        self.now = 0.0
        self._seconds_of_step = seconds_of_step

    def on_step_end(self, state):
        self.now += self._seconds_of_step(state.step)


class Rates(Callback):
    def __init__(self):
        self.seen = []

    def on_step_end(self, state):
        self.seen.append(state.learning_rate)


def run(toy_task, seconds_of_step, deadline, epochs=20, most_steps=10_000, observers=()):
    config = TrainConfig(epochs=epochs, batch_size=4, optimizer="sgd", learning_rate=0.01, schedule="linear")
    task = toy_task(config)
    loader = task.loader("train")
    state = start_state(task, loader, config, open_device("cpu", threads=1))
    planned = state.schedule.num_steps
    clock, rates = Clock(seconds_of_step), Rates()
    keeper = BudgetKeeper(deadline, 0.0, most_steps, Console(), lambda: clock.now)
    reason = train(state, loader, None, config, [clock, rates, *observers, keeper])
    return state, planned, clock.now, rates.seen, reason


def test_on_a_steady_machine_nothing_changes(toy_task, capsys):
    planned = PLANNED
    state, _, seconds, rates, reason = run(toy_task, lambda step: 1.0, float(planned))
    assert (state.step, seconds, reason) == (planned, planned, None)
    assert rates == sorted(rates, reverse=True)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("slowness", [2, 5])
def test_a_slow_machine_ends_in_time_and_at_the_lowest_rate(toy_task, capsys, slowness):
    planned = PLANNED
    slow = lambda step: 1.0 if step < planned / 4 else float(slowness)  # noqa: E731
    state, _, seconds, rates, reason = run(toy_task, slow, float(planned))
    assert state.step < planned
    assert seconds <= planned * 1.05 + slowness
    assert seconds >= planned * 0.8
    assert rates[-1] <= 2 * rates[0] / state.step + 1e-9  # the last step of a linear schedule
    assert f"the budget ended the training at step {state.step}" == reason
    assert capsys.readouterr().err.count("slower than when the budget was planned") == 1


def test_a_deadline_that_has_passed_ends_at_the_next_look(toy_task):
    state, planned, _, _, _ = run(toy_task, lambda step: 1.0, 0.0)
    assert state.step == 10 < planned


def test_a_single_pause_changes_nothing(toy_task, capsys):
    pause = lambda step: 30.0 if step == 3 else 1.0  # noqa: E731
    state, planned, _, _, _ = run(toy_task, pause, 240.0)
    assert (planned, state.step) == (200, 200)
    assert capsys.readouterr().err == ""


def test_a_machine_that_recovers_gives_the_steps_back(toy_task):
    short, planned, _, _, _ = run(toy_task, lambda step: 3.0 if step > 40 else 1.0, 220.0)
    recovered, _, seconds, _, _ = run(toy_task, lambda step: 3.0 if 40 < step < 80 else 1.0, 220.0)
    assert short.step < recovered.step < planned
    assert seconds <= 220.0 * 1.05


@pytest.mark.parametrize("speed", [1.5, 4])
def test_a_machine_that_gets_faster_early_fills_its_budget_at_the_lowest_rate(toy_task, capsys, speed):
    fast = lambda step: 1.0 if step < 25 else 1 / speed  # noqa: E731
    state, planned, seconds, rates, reason = run(toy_task, fast, 200.0)
    assert planned == PLANNED < state.step
    assert 190 <= seconds <= 200 * 1.05
    assert state.step == pytest.approx(25 + 175 * speed, rel=0.05)
    assert state.epoch == -(-state.step // state.steps_per_epoch)
    assert rates[-1] <= 2 * rates[0] / state.step + 1e-9
    assert reason == f"the budget ended the training at step {state.step}"
    assert capsys.readouterr().err.count("faster than when the budget was planned") == 1


def test_a_machine_that_gets_faster_late_ends_early_and_never_raises_its_rate(toy_task, capsys):
    state, planned, _, rates, _ = run(toy_task, lambda step: 1.0 if step < 120 else 0.1, 200.0)
    assert state.step == planned
    assert rates == sorted(rates, reverse=True)
    assert capsys.readouterr().err == ""


def test_no_more_steps_are_taken_than_bring_a_gain(toy_task):
    fast = lambda step: 1.0 if step < 25 else 0.1  # noqa: E731
    state, planned, seconds, rates, _ = run(toy_task, fast, 200.0, most_steps=300)
    assert (planned, state.step) == (PLANNED, 300)
    assert seconds < 100
    assert rates[-1] == min(rates)


def test_the_step_that_was_planned_last_is_no_limit_any_more(toy_task):
    fast = lambda step: 1.0 if step < 25 else 0.5  # noqa: E731
    state, planned, seconds, _, _ = run(toy_task, fast, 200.0, observers=[StepLimit(PLANNED)])
    assert state.step > planned
    assert seconds >= 190
