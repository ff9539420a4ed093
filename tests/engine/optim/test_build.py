from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from dlcli.core.train_config import OPTIMIZERS, SCHEDULES, TrainConfig
from dlcli.engine.optim.build import build_optimizer, parameter_groups, parameters_of
from dlcli.engine.optim.schedule import SHAPES, Schedule, base_rates, set_rates


def test_every_schedule_of_the_options_has_a_shape():
    assert set(SHAPES) == set(SCHEDULES)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name not in ("muon", "lazyadam")])
def test_norms_and_biases_do_not_decay(name):
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
    optimizer = build_optimizer(module, TrainConfig(optimizer=name, weight_decay=0.1))
    decaying, free = optimizer.param_groups
    assert (decaying["weight_decay"], free["weight_decay"]) == (0.1, 0.0)
    assert all(p.ndim >= 2 for p in decaying["params"])
    assert len(decaying["params"]) + len(free["params"]) == len(list(module.parameters()))
    assert sum(p.numel() for p in free["params"]) == 2 + 2 + 2 + 3


def test_frozen_parameters_are_in_no_group():
    module = nn.Linear(2, 2)
    module.weight.requires_grad_(False)
    assert [len(group["params"]) for group in parameter_groups(module, 0.1)] == [0, 1]


@pytest.mark.parametrize("shape", ["step", "cosine", "linear", "onecycle"])
def test_a_falling_schedule_starts_or_peaks_at_one_and_ends_low(shape):
    schedule = Schedule(shape, num_steps=100)
    factors = [schedule.factor(step) for step in range(101)]
    assert max(factors) == pytest.approx(1.0)
    assert factors[-1] <= 0.011
    peak = factors.index(max(factors))
    assert factors[peak:] == sorted(factors[peak:], reverse=True)


def test_onecycle_rises_for_three_tenths():
    schedule = Schedule("onecycle", num_steps=1000)
    assert schedule.factor(0) == pytest.approx(1 / 25)
    assert schedule.factor(299) == pytest.approx(1.0)


def test_warm_up_is_linear_and_lies_over_the_shape():
    schedule = Schedule("constant", num_steps=100, warmup_steps=4)
    assert [schedule.factor(step) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_a_plateau_lowers_the_rate_after_its_patience_and_keeps_its_state():
    schedule = Schedule("plateau", num_steps=10)
    for _ in range(4):
        schedule.observe(is_better=False)
    assert schedule.factor(5) == pytest.approx(0.3)
    other = Schedule("plateau", num_steps=10)
    other.load_state(schedule.state())
    assert other.factor(5) == schedule.factor(5)
    schedule.observe(is_better=True)
    assert schedule.stale_epochs == 0


def test_rates_are_set_from_each_groups_own_base():
    a, b = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([{"params": [a], "lr": 0.1}, {"params": [b], "lr": 0.2}])
    bases = base_rates([optimizer])
    schedule = Schedule("linear", num_steps=4)
    set_rates([optimizer], bases, schedule, 2)
    set_rates([optimizer], bases, schedule, 2)
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.1]


class SoonLearned(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 2)

    def learned_early(self):
        return [(self.first.bias, 0.5)]

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "lazyadam"])
def test_what_is_learned_early_has_a_schedule_that_ends_and_then_wants_no_gradient(name):
    torch.manual_seed(0)
    model = nn.Sequential(SoonLearned())
    soon = model[0].first.bias
    config = TrainConfig(optimizer=name, learning_rate=0.1, weight_decay=0.1)
    optimizer, schedule = build_optimizer(model, config), Schedule("linear", num_steps=8)
    bases, history = base_rates([optimizer]), []
    for step in range(8):
        set_rates([optimizer], bases, schedule, step)
        parameters = parameters_of(optimizer)
        assert (id(soon) in map(id, parameters)) == (step < 4)
        model(torch.randn(5, 3)).square().sum().backward(inputs=parameters)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        history.append((soon.detach().clone(), model[0].second.bias.detach().clone()))
    moved = [[not torch.equal(a, b) for a, b in pairwise(column)] for column in zip(*history, strict=True)]
    assert moved == [[True] * 3 + [False] * 4, [True] * 7]
    rates = [schedule.factor(step, until=0.5) for step in range(8)]
    assert rates == pytest.approx([1, 0.75, 0.5, 0.25, 0, 0, 0, 0])
