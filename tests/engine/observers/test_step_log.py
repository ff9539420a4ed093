from __future__ import annotations

import json

import pytest
import torch

from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.checkpoints import Checkpoints
from dlcli.engine.observers.step_log import StepLog
from dlcli.engine.runs.checkpoint import read_checkpoint, restore_training

CPU = Device(torch.device("cpu"))
BASE = TrainConfig(epochs=3, batch_size=8, learning_rate=0.05, log_every=2)


class Steps(Callback):
    """Notes the loss of every step, and may stop the training."""

    def __init__(self, stop_at=None):
        self.losses, self.norms, self.rates, self.stop_at, self._before = [], [], [], stop_at, 0.0

    def on_step_end(self, state):
        total = sum(float(value) for value in state.sums.losses.values())
        self.losses.append(total - self._before)
        self.rates.append(state.learning_rate)
        self._before = total
        if state.step == self.stop_at:
            raise StopTraining("cut")

    def on_epoch_end(self, state):
        self._before = 0.0


def run(make, config, folder, *, resume=False, stop_at=None):
    task = make(config)
    loader = task.loader("train")
    state = start_state(task, loader, config, CPU)
    where = RunDir(folder)
    if resume:
        restore_training(state, read_checkpoint(where.last_checkpoint), where.last_checkpoint)
    steps = Steps(stop_at)
    log = StepLog(folder / "steps.jsonl", config.log_every)
    train(state, loader, None, config, [log, Checkpoints(where, {}, interval_s=0.0), steps])
    return steps, [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()], loader


@pytest.mark.parametrize("every", [1, 2, 3, 100])
def test_each_line_has_the_mean_loss_since_the_one_before_in_its_epoch(tmp_path, toy_task, every):
    config = TrainConfig(epochs=3, batch_size=8, learning_rate=0.05, log_every=every)
    steps, lines, loader = run(toy_task, config, tmp_path)
    per_epoch, total = len(loader), 3 * len(loader)
    assert [line["step"] for line in lines] == list(range(every, total + 1, every))
    counts = [len(batch["targets"]) for epoch in range(3) for batch in loader.batches(epoch)]
    for line in lines:
        epoch_start = (line["step"] - 1) // per_epoch * per_epoch
        first = max(epoch_start, line["step"] - every)
        items = sum(counts[first : line["step"]])
        assert line["loss"] == pytest.approx(sum(steps.losses[first : line["step"]]) / items, rel=1e-4)
        assert line["lr"] == steps.rates[line["step"] - 1]
        assert line["epoch"] == epoch_start // per_epoch + 1


def test_the_norm_is_that_of_the_steps_gradients_before_clipping(tmp_path, toy_task):
    clipped = TrainConfig(epochs=1, batch_size=8, learning_rate=0.0, weight_decay=0.0, log_every=1, clip_norm=1e-3)
    free = TrainConfig(epochs=1, batch_size=8, learning_rate=0.0, weight_decay=0.0, log_every=1)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _, first, _ = run(toy_task, clipped, tmp_path / "a")
    _, second, _ = run(toy_task, free, tmp_path / "b")
    assert [line["gradient_norm"] for line in first] == pytest.approx([line["gradient_norm"] for line in second])
    task = toy_task(free)
    batch = next(iter(task.loader("train").batches(0)))
    task.model.train()
    [update] = task.training_step(batch)
    sum(update.losses.values()).backward()
    norm = torch.nn.utils.get_total_norm([p.grad for p in task.model.parameters()])
    assert first[0]["gradient_norm"] == pytest.approx(float(norm), rel=1e-4)


@pytest.mark.parametrize("stop_at", [3, 4, 5, 7])
def test_a_resumed_run_has_the_lines_of_an_uninterrupted_one(tmp_path, toy_task, stop_at):
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    _, whole, _ = run(toy_task, BASE, tmp_path / "whole")
    run(toy_task, BASE, tmp_path / "cut", stop_at=stop_at)
    with (tmp_path / "cut" / "steps.jsonl").open("a") as stream:
        stream.write('{"step": 999, "loss": 1}\n{"step": 1')  # lines after the checkpoint, the last cut short
    _, cut, _ = run(toy_task, BASE, tmp_path / "cut", resume=True)
    assert [line["step"] for line in cut] == [line["step"] for line in whole]
    for ours, theirs in zip(cut, whole, strict=True):
        if theirs["step"] != stop_at + 1:  # whose first step was before the interruption
            assert ours == pytest.approx(theirs, rel=1e-5)
