from __future__ import annotations

import itertools

import pytest
import torch
from torch.optim import lr_scheduler

from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.optim.schedule import Schedule

EPOCHS, STEPS = 24, 7
"""Of a training: 168 steps."""


def factors(text: str, **options: object) -> list[float]:
    schedule = Schedule(text, EPOCHS * STEPS, steps_per_epoch=STEPS, **options)  # type: ignore[arg-type]
    return [schedule.factor(step) for step in range(EPOCHS * STEPS)]


def by_step(optimizer):
    total = EPOCHS * STEPS
    return {
        "constant": lr_scheduler.ConstantLR(optimizer, 1.0),
        "cosine": lr_scheduler.CosineAnnealingLR(optimizer, total),
        "cosine:0.1": lr_scheduler.CosineAnnealingLR(optimizer, total, eta_min=0.03),
        "cosine:end=0.5": lr_scheduler.CosineAnnealingLR(optimizer, total, eta_min=0.15),
        "linear": lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total),
        "linear:0.5": lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 - max(0, step - total / 2) / (total / 2)),
    }


def by_epoch(optimizer):
    return {
        "step:5,0.9": lr_scheduler.StepLR(optimizer, 5, 0.9),
        "step:epochs=7": lr_scheduler.StepLR(optimizer, 7, 0.1),
        "step:factor=0.3,epochs=2": lr_scheduler.StepLR(optimizer, 2, 0.3),
        "step": lr_scheduler.MultiStepLR(optimizer, [EPOCHS // 2, EPOCHS * 3 // 4], 0.1),
        "exponential": lr_scheduler.ExponentialLR(optimizer, 0.95),
        "exponential:0.9": lr_scheduler.ExponentialLR(optimizer, 0.9),
    }


def new_optimizer():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)


CASES = [
    (name, table, is_epoch)
    for table, is_epoch in ((by_step, False), (by_epoch, True))
    for name in table(new_optimizer())
]


@pytest.mark.parametrize(("name", "table", "is_epoch"), CASES, ids=[case[0] for case in CASES])
def test_a_schedule_equals_torchs_step_by_step(name, table, is_epoch):
    optimizer = new_optimizer()
    # Each scheduler sets the rate of its optimizer when it is made, so every other one is made for another.
    theirs = table(new_optimizer())[name]
    theirs.optimizer = optimizer
    theirs.base_lrs = [0.3]
    optimizer.param_groups[0]["initial_lr"] = 0.3
    seen = []
    for step in range(EPOCHS * STEPS):
        seen.append(optimizer.param_groups[0]["lr"] / 0.3)
        optimizer.step()
        if not is_epoch or (step + 1) % STEPS == 0:
            theirs.step()
    assert factors(name) == pytest.approx(seen, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "divisor", "rise", "end"),
    [
        ("onecycle", 25, 0.3, 1e-4),
        ("onecycle:32,0.2", 32, 0.2, 1e-4),
        ("onecycle:32,0.1", 32, 0.1, 1e-4),
        ("onecycle:rise=0.5,end=0.01", 25, 0.5, 0.01),
    ],
)
def test_onecycle_equals_torchs_step_by_step(name, divisor, rise, end):
    optimizer, total = new_optimizer(), EPOCHS * STEPS
    theirs = lr_scheduler.OneCycleLR(
        optimizer,
        0.3,
        total,
        pct_start=rise,
        div_factor=divisor,
        final_div_factor=1 / divisor / end,
        cycle_momentum=False,
    )
    seen = []
    for _ in range(total):
        seen.append(optimizer.param_groups[0]["lr"] / 0.3)
        optimizer.step()
        if len(seen) < total:
            theirs.step()
    assert factors(name) == pytest.approx(seen, rel=1e-6)


def test_coslog_touches_zero_where_its_cycles_end():
    schedule = Schedule("coslog", 15)
    assert [schedule.factor(step) for step in (0, 1, 3, 7, 15)] == pytest.approx([0] * 5, abs=1e-9)
    halves = [15 * (2 ** (cycle + 0.5) - 1) / 15 for cycle in range(4)]
    assert [schedule.factor(step) for step in halves] == pytest.approx([1] * 4)  # type: ignore[arg-type]
    assert Schedule("coslog:1", 8).factor(8) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("steps", [1, 6, 4000])
def test_inverse_sqrt_is_the_papers_formula_over_its_peak(steps):
    def rate(step, width=512):  # equation 3 of arXiv:1706.03762
        return width**-0.5 * min(step**-0.5, step * steps**-1.5)

    expected = [rate(step) / rate(steps) for step in range(1, EPOCHS * STEPS + 1)]
    assert factors(f"inverse-sqrt:{steps}") == pytest.approx(expected, rel=1e-6)
    assert Schedule("inverse-sqrt", 10).factor(3999) == 1.0


@pytest.mark.parametrize(
    ("name", "patience", "factor"),
    [("plateau", 3, 0.3), ("plateau:patience=5,factor=0.1", 5, 0.1), ("plateau:0,0.5", 0, 0.5)],
)
def test_plateau_equals_torchs_without_its_threshold(name, patience, factor):
    optimizer, ours = new_optimizer(), Schedule(name, EPOCHS, 0, 1)
    theirs = lr_scheduler.ReduceLROnPlateau(optimizer, factor=factor, patience=patience, threshold=0.0)
    best = float("inf")
    for epoch in range(24):
        assert ours.factor(epoch) == pytest.approx(optimizer.param_groups[0]["lr"] / 0.3)
        loss = [5, 4, 4, 4.5, 3, 6, 6, 6, 6, 6, 6, 6, 6, 2][epoch % 14] - epoch * 0.001 * (epoch < 20)
        theirs.step(loss)
        ours.observe(is_better=loss < best)
        best = min(best, loss)


@pytest.mark.parametrize("total", [1, 2, 3])
@pytest.mark.parametrize(
    "name", ["onecycle", "onecycle:2,0.01", "onecycle:2,0.99", "cosine", "linear:0.9", "step", "step:1,0.5"]
)
def test_a_training_of_a_few_steps_has_a_rate_between_zero_and_one(name, total):
    schedule = Schedule(name, total, steps_per_epoch=1)
    assert all(0 <= schedule.factor(step) <= 1 for step in range(total + 2))


def test_what_ends_early_has_the_whole_shape_by_then():
    early = Schedule("onecycle", 100)
    assert [early.factor(step, until=0.5) for step in range(50)] == [
        Schedule("onecycle", 50).factor(step) for step in range(50)
    ]
    assert early.factor(50, until=0.5) == 0


def test_the_loop_gives_the_schedule_its_epochs(toy_task):
    config = TrainConfig(epochs=6, batch_size=8, learning_rate=0.1, schedule="step:2,0.5")
    task = toy_task(config)
    loader = task.loader("train")
    state = start_state(task, loader, config, Device(torch.device("cpu")))
    rates: list[float] = []

    class Watch(Callback):
        def on_epoch_end(self, state):
            rates.append(state.learning_rate)

    train(state, loader, None, config, [Watch()])
    assert rates == pytest.approx(list(itertools.chain(*([0.1 * 0.5**k] * 2 for k in range(3)))))
