"""What a study hears of a training: each whole epoch once, and nothing of one that was cut short."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import StopTraining
from dlcli.engine.observers.reporting import ReportEpochs


def state(epoch, step, value, *, num_epochs=5, metric="accuracy"):
    goal = SimpleNamespace(metric=metric) if metric else None
    record = {"epoch": epoch, "step": step, "accuracy": value}
    return SimpleNamespace(
        epoch=epoch,
        step=step,
        record=record,
        steps_per_epoch=10,
        num_epochs=num_epochs,
        task=SimpleNamespace(goal=goal),
    )


class Told:
    def __init__(self, hopeless_at=None):
        self.said = []
        self.hopeless_at = hopeless_at

    def __call__(self, epoch, value):
        self.said.append((epoch, value))
        return epoch == self.hopeless_at


def test_each_whole_epoch_is_reported(tmp_path):
    told = Told()
    reporter = ReportEpochs(told, tmp_path / "metrics.jsonl")
    for epoch in (1, 2, 3):
        reporter.on_epoch_end(state(epoch, 10 * epoch, epoch / 10))
    assert told.said == [(1, 0.1), (2, 0.2), (3, 0.3)]


def test_an_epoch_that_was_cut_short_is_not_reported(tmp_path):
    told = Told(hopeless_at=2)
    reporter = ReportEpochs(told, tmp_path / "metrics.jsonl")
    reporter.on_epoch_end(state(1, 10, 0.1))
    reporter.on_epoch_end(state(2, 17, 0.2))  # a limit of 17 steps
    assert told.said == [(1, 0.1)]
    assert not reporter.is_pruned


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_goal_without_a_value_is_not_reported(tmp_path, value):
    told = Told()
    ReportEpochs(told, tmp_path / "metrics.jsonl").on_epoch_end(state(1, 10, value))
    assert told.said == []


def test_a_task_without_a_goal_reports_nothing(tmp_path):
    told = Told()
    ReportEpochs(told, tmp_path / "metrics.jsonl").on_epoch_end(state(1, 10, 0.5, metric=None))
    assert told.said == []


def test_a_hopeless_training_stops_after_its_epoch(tmp_path):
    reporter = ReportEpochs(Told(hopeless_at=2), tmp_path / "metrics.jsonl")
    reporter.on_epoch_end(state(1, 10, 0.1))
    with pytest.raises(StopTraining, match="pruned after epoch 2"):
        reporter.on_epoch_end(state(2, 20, 0.1))
    assert reporter.is_pruned


def test_the_last_epoch_saves_nothing_by_stopping(tmp_path):
    reporter = ReportEpochs(Told(hopeless_at=5), tmp_path / "metrics.jsonl")
    reporter.on_epoch_end(state(5, 50, 0.1))
    assert not reporter.is_pruned


def test_a_resumed_training_first_reports_the_epochs_before_its_checkpoint(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [{"epoch": epoch, "step": 10 * epoch, "accuracy": epoch / 10} for epoch in (1, 2, 3)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    told = Told(hopeless_at=2)
    reporter = ReportEpochs(told, path)
    reporter.on_train_start(state(2, 20, 0.2))  # the third epoch was lost
    assert told.said == [(1, 0.1), (2, 0.2)]
    assert not reporter.is_pruned


def test_a_new_training_has_nothing_to_report_and_damaged_figures_are_left_out(tmp_path):
    told = Told()
    ReportEpochs(told, tmp_path / "metrics.jsonl").on_train_start(state(0, 0, None))
    (tmp_path / "metrics.jsonl").write_text("rubbish\nrubbish\n")
    ReportEpochs(told, tmp_path / "metrics.jsonl").on_train_start(state(1, 10, 0.1))
    assert told.said == []


def test_a_real_loop_reports_what_it_records(toy_task, tmp_path):
    import torch

    from dlcli.engine.compute.device import Device
    from dlcli.engine.loop import start_state, train

    device, told = Device(torch.device("cpu")), Told()
    options = TrainConfig(epochs=3, batch_size=8)
    task = toy_task(options)
    loader, valid = task.loader("train", training=True), task.loader("valid")
    running = start_state(task, loader, options, device)
    train(running, loader, valid, options, [ReportEpochs(told, tmp_path / "metrics.jsonl")])
    assert [epoch for epoch, _ in told.said] == ([1, 2, 3] if task.goal is not None else [])
