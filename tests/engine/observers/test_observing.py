from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from dlcli.core.console import Console
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.observing import Observing
from dlcli.engine.observers.tensorboard import TensorBoard

CPU = Device(torch.device("cpu"))
CONFIG = TrainConfig(epochs=2, batch_size=20, optimizer="sgd")
EVENTS = ("on_train_start", "on_step_end", "on_steps_end", "on_epoch_end", "on_train_end")


class Failing(Callback):
    """Raises an error at one event, and counts the calls of all."""

    def __init__(self, event, error):
        self.calls = []
        for name in EVENTS:
            setattr(self, name, self._at(name, error if name == event else None))

    def _at(self, name, error):
        def call(state):
            self.calls.append(name)
            if error is not None:
                raise error

        return call


def run(task, *callbacks):
    loader = task.loader("train")
    state = start_state(task, loader, CONFIG, CPU)
    return state, train(state, loader, None, CONFIG, callbacks)


@pytest.mark.parametrize("event", EVENTS)
def test_a_training_goes_on_without_what_only_observes_and_says_so_once(toy_task, capsys, event):
    failing = Failing(event, OSError(errno.ENOSPC, "No space left on device"))
    state, reason = run(toy_task(CONFIG), Observing(failing, "TensorBoard", Console(is_quiet=True)))
    assert (state.epoch, reason) == (2, None)
    assert failing.calls[-1] == event, "it is not called again"
    assert capsys.readouterr().err == "warning: TensorBoard: No space left on device; the training goes on without\n"


def test_the_first_error_is_the_one_that_is_raised_and_every_callback_is_closed(toy_task):
    callbacks = [Failing("on_train_start", KeyError("first")), Failing("on_train_end", TypeError("later"))]
    with pytest.raises(KeyError, match="first"):
        run(toy_task(CONFIG), *callbacks)
    assert [callback.calls[-1] for callback in callbacks] == ["on_train_end"] * 2


def test_an_error_at_the_end_of_a_sound_training_is_raised(toy_task):
    last = Failing("none", None)
    with pytest.raises(TypeError, match="late"):
        run(toy_task(CONFIG), Failing("on_train_end", TypeError("late")), last)
    assert last.calls[-1] == "on_train_end"


def test_events_that_cannot_be_written_are_an_error_at_once_and_nothing_hangs(toy_task, tmp_path, monkeypatch):
    class Full:
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            pass

    opened = Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, *args, **named: Full() if path.parent == tmp_path else opened(path, *args, **named)
    )
    with pytest.raises(OSError, match="No space"):
        run(toy_task(CONFIG), TensorBoard(tmp_path))


def test_a_request_to_stop_is_not_for_observers(toy_task, capsys):
    _, reason = run(toy_task(CONFIG), Failing("on_epoch_end", StopTraining("enough")))
    assert reason == "enough"
