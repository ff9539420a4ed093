from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from dlcli.core.console import Console
from dlcli.core.records import read_metrics
from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.averaging import Averaging, averaged_copy, averaged_weights
from dlcli.engine.observers.checkpoints import Checkpoints
from dlcli.engine.observers.limits import limits_of
from dlcli.engine.observers.metrics_log import MetricsLog
from dlcli.engine.runs.checkpoint import load_weights, read_checkpoint, restore_training

CPU = Device(torch.device("cpu"))
BASE = TrainConfig(epochs=3, batch_size=8, learning_rate=0.05, schedule="cosine", ema=0.8)  # five steps an epoch
TAIL = dataclasses.replace(BASE, ema=None, epochs=4, average_epochs=2)


class Weights(Callback):
    """Keeps the weights after every step."""

    def __init__(self):
        self.seen = []

    def on_step_end(self, state):
        self.seen.append({name: value.clone() for name, value in state.task.model.state_dict().items()})


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, state):
        if state.step == self.step:
            raise StopTraining("cut")


def run(task, config, run_dir, *callbacks, resume=False):
    loader = task.loader("train")
    state = start_state(task, loader, config, CPU)
    torch.manual_seed(config.seed)
    if resume:
        restore_training(state, read_checkpoint(run_dir.last_checkpoint), run_dir.last_checkpoint)
    observers = [
        Averaging(config.average_epochs),
        MetricsLog(run_dir.metrics_file, Console()),
        Checkpoints(run_dir, {}),
        *callbacks,
    ]
    train(state, loader, task.loader("valid"), config, observers)
    return state


def figures(run_dir):
    records = read_metrics(run_dir.metrics_file)
    return [
        {name: value for name, value in record.items() if name not in ("seconds", "items_per_s")} for record in records
    ]


def with_norm(make, config):
    """Return the toy with a batch norm, whose running statistics are buffers."""
    torch.manual_seed(config.seed)
    return make(config, model=nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1)))


@pytest.mark.parametrize("has_norm", [False, True])
def test_the_average_equals_one_by_hand_over_weights_and_statistics(tmp_path, toy_task, has_norm):
    weights = Weights()
    task = with_norm(toy_task, BASE) if has_norm else toy_task(BASE)
    state = run(task, BASE, RunDir(tmp_path), weights)
    first, *later = weights.seen
    expected = first
    for number, step in enumerate(later, start=1):
        decay = min(0.8, (1 + number) / (10 + number))
        expected = {name: decay * value + (1 - decay) * step[name] for name, value in expected.items()}
    averaged = state.averaged.module.state_dict()
    for name, value in expected.items():
        if averaged[name].is_floating_point():  # the count of batches is nothing to average
            torch.testing.assert_close(averaged[name], value, rtol=1e-5, atol=1e-6)
            # A bias before a norm is left out: its gradient is zero, or not more than the rounding of the machine.
            assert name == "0.bias" or not torch.equal(value, weights.seen[-1][name])


def test_averaging_does_not_touch_the_training(tmp_path, toy_task):
    plain = dataclasses.replace(BASE, ema=None)
    (tmp_path / "plain").mkdir()
    first, second = toy_task(BASE), toy_task(plain)
    run(first, BASE, RunDir(tmp_path))
    run(second, plain, RunDir(tmp_path / "plain"))
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True))


def test_the_averaged_weights_are_what_is_validated_and_what_best_holds(tmp_path, toy_task):
    run_dir = RunDir(tmp_path)
    task = with_norm(toy_task, BASE)
    run(task, BASE, run_dir)
    best = max(read_metrics(run_dir.metrics_file), key=lambda record: record["score"])
    load_weights(task.model, read_checkpoint(run_dir.best_checkpoint), run_dir.best_checkpoint)
    task.model.eval()
    assert -float(((task.model(task.x) - task.y) ** 2).mean().detach()) == pytest.approx(best["score"], rel=1e-5)


def test_last_holds_the_weights_that_training_goes_on_with(tmp_path, toy_task):
    run_dir, weights = RunDir(tmp_path), Weights()
    run(toy_task(BASE), BASE, run_dir, weights)
    saved = read_checkpoint(run_dir.last_checkpoint)["model"]
    assert all(torch.equal(saved[name], value) for name, value in weights.seen[-1].items())


@pytest.mark.parametrize(("config", "stop_at"), [(BASE, 5), (BASE, 7), (BASE, 11), (TAIL, 12), (TAIL, 15), (TAIL, 17)])
def test_a_resumed_average_equals_an_uninterrupted_one(tmp_path, toy_task, config, stop_at):
    whole, cut = RunDir(tmp_path / "whole"), RunDir(tmp_path / "cut")
    for run_dir in (whole, cut):
        run_dir.path.mkdir()
    expected = run(with_norm(toy_task, config), config, whole)
    run(with_norm(toy_task, config), config, cut, StopAt(stop_at))
    resumed = run(with_norm(toy_task, config), config, cut, resume=True)
    for one, other in ((expected.averaged, resumed.averaged), (expected.task.model, resumed.task.model)):
        values = other.state_dict()
        assert all(torch.equal(value, values[name]) for name, value in one.state_dict().items())
    assert figures(whole) == figures(cut)
    best, other = (read_checkpoint(run_dir.best_checkpoint)["model"] for run_dir in (whole, cut))
    assert all(torch.equal(best[name], other[name]) for name in best)


def test_the_weights_change_places_and_come_back_whatever_happens():
    model = nn.Linear(2, 2)
    averaged = averaged_copy(model, BASE)
    kept = model.weight
    own = kept.detach().clone()
    with torch.no_grad():
        averaged.module.weight.fill_(7.0)
    with pytest.raises(KeyError), averaged_weights(model, averaged):
        assert model.weight is kept
        assert (kept == 7).all()
        raise KeyError
    assert torch.equal(model.weight, own)
    assert (averaged.module.weight == 7).all()


def test_without_an_average_there_is_no_copy():
    model = nn.Linear(2, 2)
    assert averaged_copy(model, dataclasses.replace(BASE, ema=None)) is None
    with averaged_weights(model, None):
        pass


def test_the_mean_is_that_of_the_last_epochs_ends(tmp_path, toy_task):
    weights = Weights()
    state = run(with_norm(toy_task, TAIL), TAIL, RunDir(tmp_path), weights)
    for name, value in state.averaged.module.state_dict().items():
        if value.is_floating_point():
            expected = (weights.seen[14][name] + weights.seen[19][name]) / 2
            torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-7)


def test_before_the_last_epochs_the_newest_weights_are_validated(tmp_path, toy_task):
    (tmp_path / "plain").mkdir()
    run(with_norm(toy_task, TAIL), TAIL, RunDir(tmp_path))
    plain = dataclasses.replace(TAIL, average_epochs=None)
    run(with_norm(toy_task, plain), plain, RunDir(tmp_path / "plain"))
    one, other = figures(RunDir(tmp_path)), figures(RunDir(tmp_path / "plain"))
    assert one[:3] == other[:3]  # the third epoch's is the first of the mean
    assert one[3]["score"] != other[3]["score"]
    assert one[3]["loss"] == other[3]["loss"]


@pytest.mark.parametrize(
    ("limit", "taken"), [(3, [3]), (8, [5, 8]), (18, [15, 18])], ids=["the first", "the second", "the last"]
)
def test_the_mean_has_the_weights_of_an_epoch_that_a_limit_cut_short(tmp_path, toy_task, limit, taken):
    config = dataclasses.replace(TAIL, max_steps=limit)
    weights, run_dir = Weights(), RunDir(tmp_path)
    task = toy_task(config)
    state = run(task, config, run_dir, weights, *limits_of(config))
    for name, value in state.averaged.module.state_dict().items():
        expected = torch.stack([weights.seen[step - 1][name] for step in taken]).mean(dim=0)
        torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-7)
    task.model.eval()
    with averaged_weights(task.model, state.averaged):
        error = float(((task.model(task.x) - task.y) ** 2).mean().detach())
    assert figures(run_dir)[-1]["score"] == pytest.approx(-error, rel=1e-5)
