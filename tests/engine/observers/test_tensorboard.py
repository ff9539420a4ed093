from __future__ import annotations

import struct

import numpy as np
import pytest
import torch

from dlcli.core.run_dir import RunDir
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.samples import SampleFiles
from dlcli.engine.observers.tensorboard import TensorBoard
from dlcli.engine.task import Samples

CPU = Device(torch.device("cpu"))
CONFIG = TrainConfig(epochs=2, batch_size=20, optimizer="sgd", learning_rate=0.01)


def read_events(folder):
    """Return the events of a folder's files, oldest first (TFRecord: length, its checksum, bytes, their checksum)."""
    from tensorboardX.proto.event_pb2 import Event

    events = []
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack_from("<Q", content)
            events.append(Event.FromString(content[12 : 12 + length]))
            content = content[16 + length :]
    return events


def run(task, folder, *before, epoch=0, config=CONFIG):
    loader = task.loader("train")
    state = start_state(task, loader, config, CPU)
    state.epoch, state.step = epoch, epoch * len(loader)
    train(state, loader, task.loader("valid"), config, [*before, TensorBoard(folder)])
    return state


def values(events, name):
    return [(event.step, value) for event in events for value in event.summary.value if value.tag == name]


def test_every_figure_is_written_once_an_epoch(tmp_path, toy_task):
    state = run(toy_task(CONFIG), tmp_path)
    events = read_events(tmp_path)
    for name in ("loss", "val_loss", "score", "lr"):
        assert [step for step, _ in values(events, name)] == [1, 2]
        assert values(events, name)[-1][1].simple_value == pytest.approx(state.record[name], rel=1e-5)
    assert not values(events, "epoch")
    assert not values(events, "samples")


def test_new_samples_are_written_once_and_drawn_once_an_epoch(tmp_path, toy_task):
    import cv2

    task, drawn = toy_task(CONFIG), []
    picture = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)

    def samples():
        drawn.append(task.model.training)
        return Samples(picture, (f"epoch {len(drawn)}",))

    task.samples = samples
    run(task, tmp_path / "board", SampleFiles(RunDir(tmp_path)))
    events = read_events(tmp_path / "board")
    assert drawn == [False, False]
    [(epoch, image)] = values(events, "samples")
    assert epoch == 1
    decoded = cv2.imdecode(np.frombuffer(image.image.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(decoded[:, :, ::-1], picture)
    texts = values(events, "samples/text_summary")
    assert [(step, b"".join(text.tensor.string_val)) for step, text in texts] == [
        (1, b"    epoch 1"),
        (2, b"    epoch 2"),
    ]


def test_a_resumed_run_hides_what_its_checkpoint_does_not_know(tmp_path, toy_task):
    run(toy_task(CONFIG), tmp_path / "first")
    run(toy_task(CONFIG), tmp_path / "second", epoch=1)
    [start] = [event for event in read_events(tmp_path / "second") if event.HasField("session_log")]
    assert start.step == 2
    assert not [event for event in read_events(tmp_path / "first") if event.HasField("session_log")]
