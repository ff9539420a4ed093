from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import draw_samples
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.samples import SampleFiles
from dlcli.engine.task import Samples

CPU = Device(torch.device("cpu"))
CONFIG = TrainConfig(epochs=3, batch_size=20, learning_rate=0.01)
PICTURE = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)


class Clock(Callback):
    """A clock that an epoch advances by a second."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def on_epoch_end(self, state):
        self.now += 1.0


class Seen(Callback):
    """Keeps what each epoch has to show."""

    def __init__(self):
        self.samples = []

    def on_epoch_end(self, state):
        self.samples.append(state.samples)


def run(task, folder, *, epoch=0):
    loader, seen = task.loader("train"), Seen()
    state = start_state(task, loader, CONFIG, CPU)
    state.epoch, state.step = epoch, epoch * len(loader)
    train(state, loader, None, CONFIG, [SampleFiles(RunDir(folder), interval_s=0.0), seen])
    return seen.samples


def names(folder):
    return sorted(path.name for path in folder.glob("samples/*"))


def drawing(task, *samples):
    """Let the task show one of these after the other."""
    left = iter(samples)
    task.samples = lambda: next(left)
    return task


def test_a_picture_and_lines_are_written_by_epochs(tmp_path, toy_task):
    made = [Samples(PICTURE + np.uint8(number), (f"epoch {number}", "猫")) for number in range(3)]
    seen = run(drawing(toy_task(CONFIG), *made), tmp_path)
    assert names(tmp_path) == [f"epoch-000{number}.{kind}" for number in (1, 2, 3) for kind in ("png", "txt")]
    second = cv2.imread(str(tmp_path / "samples" / "epoch-0002.png"))[:, :, ::-1]
    assert np.array_equal(second, PICTURE + np.uint8(1))
    assert (tmp_path / "samples" / "epoch-0003.txt").read_text(encoding="utf-8") == "epoch 2\n猫\n"
    assert [samples.lines[0] for samples in seen] == ["epoch 0", "epoch 1", "epoch 2"]


def test_what_equals_the_one_before_is_neither_written_nor_shown_again(tmp_path, toy_task):
    made = (Samples(PICTURE, ("a",)), Samples(PICTURE.copy(), ("b",)), Samples(PICTURE, ("b",)))
    first, second, third = run(drawing(toy_task(CONFIG), *made), tmp_path)
    assert names(tmp_path) == ["epoch-0001.png", "epoch-0001.txt", "epoch-0002.txt"]
    assert np.array_equal(first.picture, PICTURE)
    assert (second.picture, second.lines) == (None, ("b",))
    assert (third.picture, third.lines) == (None, ())


def test_a_resumed_run_removes_what_its_checkpoint_does_not_know_and_writes_nothing_twice(tmp_path, toy_task):
    made = [Samples(PICTURE + np.uint8(number)) for number in (0, 1, 2)]
    run(drawing(toy_task(CONFIG), *made), tmp_path)
    (tmp_path / "samples" / "epoch-best.png").write_bytes(b"the user's own")
    run(drawing(toy_task(CONFIG), made[0], made[2]), tmp_path, epoch=1)
    assert names(tmp_path) == ["epoch-0001.png", "epoch-0003.png", "epoch-best.png"]


@pytest.mark.parametrize("nothing", [None, Samples()])
def test_a_task_with_nothing_to_show_has_no_folder(tmp_path, toy_task, nothing):
    run(drawing(toy_task(CONFIG), nothing, nothing, nothing), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_samples_are_drawn_as_validation_computes(toy_task):
    model = nn.Sequential(nn.Linear(4, 1), nn.BatchNorm1d(1), nn.Dropout(0.5))
    task, found = toy_task(CONFIG, model=model), {}

    def samples():
        answer = task.model(task.x)
        torch.rand(3)
        found.update(training=task.model.training, grad=answer.requires_grad, kind=task.model[0](task.x).dtype)

    task.samples = samples
    task.model.train()
    random, statistics = torch.get_rng_state(), model[1].running_mean.clone()
    draw_samples(task, CPU.with_precision("bf16"))
    assert found == {"training": False, "grad": False, "kind": torch.bfloat16}
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(model[1].running_mean, statistics)


def test_epochs_soon_after_one_another_share_a_drawing_and_the_last_is_drawn(tmp_path, toy_task):
    config = TrainConfig(epochs=9, batch_size=20, learning_rate=0.01)
    task, moments, clock = toy_task(config), iter(range(100)), Clock()
    task.samples = lambda: Samples(None, (str(next(moments)),))
    loader, seen = task.loader("train"), Seen()
    state = start_state(task, loader, config, CPU)
    train(state, loader, None, config, [clock, SampleFiles(RunDir(tmp_path), 3.0, clock), seen])
    assert names(tmp_path) == [f"epoch-000{epoch}.txt" for epoch in (1, 4, 7, 9)]
    assert [samples is not None for samples in seen.samples] == [epoch in (1, 4, 7, 9) for epoch in range(1, 10)]


def test_drawings_take_a_twentieth_of_the_time_at_most(tmp_path, toy_task):
    config = TrainConfig(epochs=60, batch_size=20, learning_rate=0.01)
    task, moments, clock = toy_task(config), iter(range(100)), Clock()

    def samples():
        clock.now += 1.0  # a drawing takes as long as an epoch
        return Samples(None, (str(next(moments)),))

    task.samples = samples
    loader = task.loader("train")
    state = start_state(task, loader, config, CPU)
    train(state, loader, None, config, [clock, SampleFiles(RunDir(tmp_path), 3.0, clock)])
    assert names(tmp_path) == [f"epoch-00{epoch:02}.txt" for epoch in (1, 20, 39, 58, 60)]
