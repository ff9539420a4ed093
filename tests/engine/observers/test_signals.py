from __future__ import annotations

import os
import signal
import threading

import pytest
import torch

from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.signals import StopOnSignal

CPU = Device(torch.device("cpu"))
CONFIG = TrainConfig(epochs=3, batch_size=10, optimizer="sgd")  # four steps an epoch


class SendAt(Callback):
    """Sends a signal to this process at one of the moments."""

    def __init__(self, number, *, step=None, epoch=None):
        self.number, self.step, self.epoch = number, step, epoch

    def on_step_end(self, state):
        if state.step == self.step:
            os.kill(os.getpid(), self.number)

    def on_epoch_end(self, state):
        if state.epoch == self.epoch:
            os.kill(os.getpid(), self.number)


def run(task, signals, *callbacks):
    loader = task.loader("train")
    state = start_state(task, loader, CONFIG, CPU)
    return state, train(state, loader, None, CONFIG, [*callbacks, signals])


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_ends_the_training_after_the_step_under_way(toy_task, number, name):
    with StopOnSignal() as signals:
        state, reason = run(toy_task(CONFIG), signals, SendAt(number, step=6))
    assert (state.epoch, state.batch, state.step) == (1, 2, 6)
    assert signals.received == number
    assert reason == f"stopped by {name}"


@pytest.mark.parametrize(("epoch", "reason"), [(1, "stopped by SIGTERM"), (3, None)], ids=["first epoch", "last epoch"])
def test_a_signal_during_validation_ends_the_training_after_the_epoch(toy_task, epoch, reason):
    with StopOnSignal() as signals:
        state, answer = run(toy_task(CONFIG), signals, SendAt(signal.SIGTERM, epoch=epoch))
    assert (state.epoch, state.batch) == (epoch, 0)
    assert (answer, signals.has_stopped, signals.received) == (reason, reason is not None, signal.SIGTERM)


def test_a_signal_that_stopped_nothing_is_passed_on_to_the_surrounding_training(toy_task):
    with StopOnSignal() as outer:
        with StopOnSignal() as signals:
            run(toy_task(CONFIG), signals, SendAt(signal.SIGTERM, epoch=3))
        assert (outer.received, outer.has_stopped) == (signal.SIGTERM, False)
        with StopOnSignal() as signals:
            state, _ = run(toy_task(CONFIG), signals)
        assert (state.step, signals.has_stopped) == (1, True)


def test_a_second_signal_does_not_wait_for_the_step(toy_task):
    task, finished = toy_task(CONFIG), []

    def training_step(batch):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        finished.append(batch)
        yield from ()

    task.training_step = training_step
    with StopOnSignal() as signals, pytest.raises(KeyboardInterrupt):
        run(task, signals)
    assert not finished


def test_the_signals_are_given_back_however_the_training_ended():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with StopOnSignal():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    with pytest.raises(StopTraining), StopOnSignal():
        raise StopTraining("enough")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_outside_the_main_thread_the_caller_keeps_the_signals(toy_task):
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def work():
        with StopOnSignal() as signals:
            seen.append(signal.getsignal(signal.SIGTERM))
            seen.append(run(toy_task(CONFIG), signals)[0].step)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before, 12]
