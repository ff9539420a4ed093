from __future__ import annotations

import dataclasses
import io
import json
import sys

import pytest
import torch

from dlcli.core.console import Console
from dlcli.core.records import read_metrics
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.epoch_lines import EpochLines, epoch_line
from dlcli.engine.observers.limits import EarlyStopping
from dlcli.engine.observers.metrics_log import MetricsLog

CPU = Device(torch.device("cpu"))
CONFIG = TrainConfig(epochs=3, batch_size=10, optimizer="sgd", learning_rate=0.01)


def run(task, *callbacks, start_epoch=0, num_epochs=3):
    config = dataclasses.replace(CONFIG, epochs=num_epochs)
    loader = task.loader("train")
    state = start_state(task, loader, config, CPU)
    state.epoch, state.step = start_epoch, start_epoch * len(loader)
    train(state, loader, task.loader("valid"), config, callbacks)
    return state


def test_a_callback_that_says_nothing_changes_nothing(toy_task):
    watched, alone = toy_task(CONFIG, dropout=0.0), toy_task(CONFIG, dropout=0.0)
    run(watched, Callback())
    run(alone)
    for one, other in zip(watched.model.parameters(), alone.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_log_has_one_record_an_epoch(tmp_path, toy_task):
    path = tmp_path / "metrics.jsonl"
    state = run(toy_task(CONFIG), MetricsLog(path, Console()))
    records = read_metrics(path)
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert [record["step"] for record in records] == [4, 8, 12]
    assert records[-1] == state.record
    assert {"loss", "val_loss", "score", "lr", "seconds", "items_per_s"} <= set(records[0])


def test_a_figure_that_is_not_finite_is_written_as_null(tmp_path, toy_task):
    class NoFigure(Callback):
        def on_epoch_end(self, state):
            state.record |= {"score": float("nan"), "loss": float("inf")}

    path = tmp_path / "metrics.jsonl"
    run(toy_task(CONFIG), NoFigure(), MetricsLog(path, Console()), num_epochs=1)
    [line] = path.read_text(encoding="utf-8").splitlines()
    assert (json.loads(line)["score"], json.loads(line)["loss"]) == (None, None)


def test_a_resumed_log_drops_what_the_checkpoint_does_not_know_and_half_a_line(tmp_path, toy_task):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"epoch": 1, "mark": "kept"}\n{"epoch": 2}\n{"epoch": 3, "lo', encoding="utf-8")
    run(toy_task(CONFIG), MetricsLog(path, Console()), start_epoch=1)
    records = read_metrics(path)
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert records[0] == {"epoch": 1, "mark": "kept"}
    assert "loss" in records[1]


def test_early_stopping_is_decided_by_the_state_alone(toy_task):
    state = run(toy_task(CONFIG))
    state.epoch, state.best_epoch = 7, 4
    EarlyStopping(4).on_epoch_end(state)
    with pytest.raises(StopTraining, match="no better epoch for 3 epochs"):
        EarlyStopping(3).on_epoch_end(state)


def test_an_epochs_line_tells_the_losses_the_goal_and_the_time(toy_task):
    state = run(toy_task(CONFIG))
    figures = {"loss": 0.41234, "val_loss": 0.39, "score": 0.5, "other": 0.1}
    state.record = {"epoch": 3, "step": 12, **figures, "lr": 1e-3, "seconds": 12.34}
    state.is_best = True
    line = epoch_line(state, eta_s=25.4)
    assert line == "epoch 3/3  loss 0.4123  val_loss 0.3900  score 0.5000 (best)  lr 0.001  12.3 s  eta 25 s"
    state.is_best = False
    assert epoch_line(state, eta_s=0.0).endswith("score 0.5000  lr 0.001  12.3 s")
    state.task.goal = dataclasses.replace(state.task.goal, beside=("other",))
    assert epoch_line(state, eta_s=0.0).endswith("score 0.5000  other 0.1000  lr 0.001  12.3 s")


def test_an_epochs_line_praises_none_where_nothing_judges_them(toy_task):
    task = toy_task(CONFIG)
    task.goal = None
    state = run(task)
    state.record = {"epoch": 3, "step": 12, "loss": 0.41234, "score": 0.5, "lr": 1e-3, "seconds": 12.34}
    assert state.is_best
    assert epoch_line(state, eta_s=0.0) == "epoch 3/3  loss 0.4123  lr 0.001  12.3 s"


def test_without_a_terminal_there_is_a_line_an_epoch_and_no_escape_code(toy_task, capsys):
    run(toy_task(CONFIG), EpochLines(Console()))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert not any("\x1b" in line or "\r" in line for line in lines)


def test_quiet_says_nothing(toy_task, capsys):
    run(toy_task(CONFIG), EpochLines(Console(is_quiet=True)))
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("is_ci", [False, True])
def test_a_terminal_gets_a_bar_and_a_ci_does_not(toy_task, monkeypatch, is_ci):
    screen = Terminal()
    for name in ("CI", "NO_COLOR", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    if is_ci:
        monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(sys, "stderr", screen)
    run(toy_task(CONFIG), EpochLines(Console()))
    shown = screen.getvalue()
    assert ("\x1b" in shown) is not is_ci
    assert all(f"epoch {number}/3  loss" in shown for number in (1, 2, 3))
