"""The arithmetic of --budget, on a clock that only the work moves."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from dlcli.core.registry import Size
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device
from dlcli.engine.tuning.budget import FEWEST_STEPS, RESERVE, TIMED_STEPS, Cost, choose_size, measure_cost, plan_budget

CPU = Device(torch.device("cpu"))
OPTIONS = TrainConfig(batch_size=8, budget="100s")  # 40 items: 5 steps an epoch, 3 batches of validation


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Costly(nn.Module):
    """A network whose passes take time on the clock."""

    def __init__(self, clock, step_s, valid_s):
        super().__init__()
        self.linear = nn.Linear(4, 1)
        self.clock, self.step_s, self.valid_s = clock, step_s, valid_s

    def forward(self, inputs):
        self.clock.now += self.step_s if self.training else self.valid_s
        return self.linear(inputs)


def opener(toy_task, clock, *, start_s=2.0, valid_s=0.1, opened=None):
    """Return an `Open` of tasks whose option is the seconds a step takes."""

    def open_task(step_s, options):
        clock.now += start_s
        if opened is not None:
            opened.append(step_s)
        task = toy_task(options, model=Costly(clock, step_s, valid_s))
        return task, task.loader("train", training=True), task.loader("valid"), CPU

    return open_task


def test_a_cost_is_start_and_epoch_with_validation(toy_task):
    clock = Clock()
    cost = measure_cost(0.5, OPTIONS, opener(toy_task, clock), clock, limit_s=100)
    assert cost.start_s == pytest.approx(2.0 + 0.5)
    assert cost.epoch_s == pytest.approx(5 * 0.5 + 3 * 0.1)


@pytest.mark.parametrize(("limit_s", "steps"), [(100.0, TIMED_STEPS), (0.1, FEWEST_STEPS)])
def test_ten_steps_are_timed_or_fewer_where_they_take_long(toy_task, limit_s, steps):
    clock = Clock()
    measure_cost(1.0, OPTIONS, opener(toy_task, clock, start_s=0, valid_s=0), clock, limit_s=limit_s)
    assert clock.now - 1000 == pytest.approx(steps + 1)


def test_the_plan_fills_the_budget_and_no_more(toy_task):
    clock = Clock()
    sizes = [Size(step_s, f"step {step_s}", 4, 99) for step_s in (0.1, 0.5, 5.0)]
    opened = []
    plan = plan_budget(None, OPTIONS, sizes, opener(toy_task, clock, opened=opened), clock)
    spent, epoch_s = clock.now - 1000, 5 * 0.5 + 3 * 0.1
    steps = plan.train.max_steps
    expected_s = spent + 2.5 + steps * 0.5 + plan.train.epochs * 3 * 0.1
    assert plan.config == 0.5
    assert opened == [0.1, 0.5, 5.0]
    assert expected_s - 1e-6 <= 100 * (1 - RESERVE) < expected_s + 0.5 + 0.3
    assert steps % 5
    settled = {"budget": None, "epochs": steps // 5 + 1, "max_steps": steps, "precision": "fp32"}
    assert plan.train == dataclasses.replace(OPTIONS, **settled), "the number format is the one that was timed"
    assert plan.most_steps == 99 * 5
    epochs = f"{steps / 5:.4g} epochs of {epoch_s:.1f} s"
    assert plan.reason == f"budget 100s: step 0.5, fp32, {epochs}; about {expected_s:.0f} s with validation"


def test_a_users_own_limit_bounds_what_a_faster_machine_may_add(toy_task):
    clock = Clock()
    options = dataclasses.replace(OPTIONS, max_steps=7)
    plan = plan_budget(None, options, [Size(0.5, "one", 4, 99)], opener(toy_task, clock), clock)
    assert (plan.most_steps, plan.train.max_steps) == (7, 7)


def test_a_task_of_one_size_gets_the_epochs_that_fit(toy_task):
    clock = Clock()
    plan = plan_budget(0.5, OPTIONS, [], opener(toy_task, clock), clock)
    assert plan.config == 0.5
    whole, rest_s = divmod(100 * (1 - RESERVE) - (clock.now - 1000) - 2.5, 5 * 0.5 + 3 * 0.1)
    assert plan.train.epochs == whole + (rest_s >= 0.5 + 0.3)


@pytest.mark.parametrize(
    ("seconds", "steps"), [(0, 0), (10, 0), (11.9, 0), (12, 1), (15, 4), (16, 5), (17, 5), (18, 6)]
)
def test_a_cut_epoch_is_validated_too(seconds, steps):
    cost = Cost(start_s=10, step_s=1, steps_per_epoch=5, valid_s=1)
    assert cost.steps_in(seconds) == steps
    assert cost.seconds_of(steps) <= max(seconds, 10)


def test_a_budget_that_is_too_short_trains_what_it_can_and_says_what_is_needed(toy_task):
    clock = Clock()
    options = dataclasses.replace(OPTIONS, budget="20s")
    plan = plan_budget(None, options, [Size(2.0, "small", 4, 20)], opener(toy_task, clock), clock)
    assert plan.train.epochs >= 1
    assert "4 epochs would take --budget" in plan.reason
    needed = plan.reason.rpartition("--budget ")[2].split()[0]
    enough = dataclasses.replace(OPTIONS, budget=needed)
    clock = Clock()
    assert plan_budget(None, enough, [Size(2.0, "small", 4, 20)], opener(toy_task, clock), clock).train.epochs >= 4


SIZES = [Size("narrow", "narrow", 2, 20), Size("middle", "middle", 4, 20), Size("wide", "wide", 8, 20)]
COSTS = {"narrow": Cost(1, 1, 1, 0), "middle": Cost(1, 3, 1, 0), "wide": Cost(1, 10, 1, 0)}


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (2.0, ("narrow", 1)),  # too short even for the first, which is told
        (4.0, ("narrow", 3)),
        (12.9, ("narrow", 11)),
        (13.0, ("middle", 4)),
        (80.9, ("middle", 20)),
        (81.0, ("wide", 8)),
        (1000.0, ("wide", 20)),
    ],
)
def test_the_largest_size_that_gets_to_its_worthwhile_epochs_is_taken(left, expected):
    size, epochs, _ = choose_size(SIZES, lambda size: COSTS[size.config], lambda: left)
    assert (size.config, epochs) == expected


def test_sizes_beyond_the_first_that_is_too_large_are_not_tried():
    tried = []

    def measure(size):
        tried.append(size.config)
        return COSTS[size.config]

    choose_size(SIZES, measure, lambda: 5.0)
    assert tried == ["narrow", "middle"]


def test_a_size_that_even_the_smaller_one_s_speed_would_not_bring_to_its_epochs_is_not_tried():
    tried = []

    def measure(size):
        tried.append(size.config)
        return COSTS[size.config]

    assert choose_size(SIZES, measure, lambda: 4.0)[0].config == "narrow"
    assert tried == ["narrow"]
