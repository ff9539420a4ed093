"""What a run's folder holds, and what the user is answered, after each way in which a training ends."""

from __future__ import annotations

import dataclasses
import errno
import os
import signal
from types import SimpleNamespace

import pytest
import torch

from dlcli.core.console import Console
from dlcli.core.errors import DivergedError, StoppedError
from dlcli.core.records import read_metrics
from dlcli.core.run_dir import create_run
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback
from dlcli.engine.compute.device import Device
from dlcli.engine.loop import start_state
from dlcli.engine.runs import ending
from dlcli.engine.runs.ending import run_to_end

CONFIG = TrainConfig(epochs=3, batch_size=8, learning_rate=0.05, optimizer="sgd", schedule="constant")
STEPS = 5
"""Steps of an epoch: 40 items in batches of 8."""


class AtStep(Callback):
    """Calls a function at the end of one step."""

    def __init__(self, step, act):
        self.step, self.act = step, act

    def on_step_end(self, state):
        if state.step == self.step:
            self.act()


class Ending:
    """A training of the toy task in a new run, which a function may end."""

    def __init__(self, make, monkeypatch):
        monkeypatch.setattr(ending, "describe_run", lambda run: Described())  # the toy is no task of the program
        self.make, self.run = make, create_run("toy", {"schema": 1, "data": "data", "seconds": 100.0}, "toy")

    def at(self, step, act, *, is_new=True, **changes):
        config = dataclasses.replace(CONFIG, **changes)
        task = self.make(config)
        loader = task.loader("train")
        state = start_state(task, loader, config, Device(torch.device("cpu")))
        more = [AtStep(step, act)]
        return run_to_end(self.run, state, loader, task.loader("valid"), config, Console(), more, is_new=is_new)

    def fails(self, kind, *arguments, **options):
        with pytest.raises(kind) as caught:
            self.at(*arguments, **options)
        return caught.value

    def files(self):
        return {path.relative_to(self.run.path).as_posix() for path in self.run.path.rglob("*") if path.is_file()}


@dataclasses.dataclass
class Described:
    task: str = "toy"


@pytest.fixture
def toy(toy_task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Ending(toy_task, monkeypatch)


def throw(error):
    def act():
        raise error

    return act


def send(*numbers):
    def act():
        for number in numbers:
            os.kill(os.getpid(), number)

    return act


def nothing():
    return None


CHECKPOINTS = {"checkpoints/last.pt", "checkpoints/best.pt"}
FILES = {"run.json", "metrics.jsonl", "log.txt"}


def test_a_finished_run_names_its_best_epoch_and_adds_its_time_to_that_before(toy):
    assert toy.at(1, nothing) == toy.run
    info, records = toy.run.info(), read_metrics(toy.run.metrics_file)
    assert (info["status"], info["epochs"], info["error"]) == ("finished", 3, None)
    assert info["best"] == max(records, key=lambda record: record["score"])
    assert 100.0 <= info["seconds"] < 160.0
    assert toy.files() >= FILES | CHECKPOINTS


def test_an_end_that_has_a_reason_is_said_and_logged_and_the_run_is_finished(toy, capsys):
    toy.at(1, nothing, epochs=9, patience=2, learning_rate=0.0)
    assert (toy.run.info()["status"], toy.run.info()["epochs"]) == ("finished", 3)
    last = capsys.readouterr().err.splitlines()[-1]
    assert "no better epoch" in last
    assert toy.run.log_file.read_text(encoding="utf-8").splitlines()[-1] == last


def test_a_signal_after_the_last_step_leaves_the_run_finished(toy, monkeypatch):
    close = ending._close

    def late(*arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        close(*arguments, **options)

    monkeypatch.setattr(ending, "_close", late)
    assert toy.at(1, nothing).info()["status"] == "finished"


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")])
@pytest.mark.parametrize("step", [2, STEPS + 2])
def test_a_signal_saves_the_state_of_the_step_it_arrived_in(toy, number, code, name, step):
    before = signal.getsignal(number)
    error = toy.fails(StoppedError, step - 1, send(number))
    assert error.exit_code == code
    assert error.message == f"stopped by {name} at step {step}; the checkpoint is saved"
    assert error.hint == "resume with `dl train --resume toy`"
    info = toy.run.info()
    assert (info["status"], info["epochs"], info["error"]) == ("interrupted", step // STEPS, None)
    assert torch.load(toy.run.last_checkpoint, weights_only=True)["training"]["progress"]["step"] == step
    assert signal.getsignal(number) == before


@pytest.mark.parametrize(("step", "saved"), [(2, False), (STEPS + 2, True)])
def test_a_second_signal_says_what_there_is_to_resume_from(toy, step, saved):
    error = toy.fails(StoppedError, step, send(signal.SIGTERM, signal.SIGTERM))
    what = "; the checkpoint is saved" if saved else ", before the first checkpoint"
    assert error.message == f"stopped at once at step {step}{what}"
    assert toy.run.info()["error"] == "stopped by SIGTERM"
    assert toy.run.last_checkpoint.exists() is saved


def test_what_fails_after_a_signal_counts_as_the_signal(toy):
    """A worker that the signal ended as well lets the loader raise."""

    def act():
        os.kill(os.getpid(), signal.SIGINT)
        raise RuntimeError("a worker of the loader has ended")

    error = toy.fails(StoppedError, STEPS + 1, act)
    assert error.exit_code == 130
    assert isinstance(error.__cause__, RuntimeError)
    assert (toy.run.info()["status"], toy.run.info()["error"]) == ("interrupted", "stopped by Ctrl-C")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("name", [None, "runs/toy/metrics.jsonl"])
def test_a_full_disk_is_an_error_of_the_data_and_says_how_to_resume(toy, number, name):
    error = toy.fails(StoppedError, STEPS + 1, throw(OSError(number, os.strerror(number), name)))
    assert error.exit_code == 3
    assert error.message == f"{name or 'runs/toy'}: the disk is full"
    assert error.hint == "free some space and resume with `dl train --resume toy`"
    info = toy.run.info()
    assert (info["status"], info["best"]["epoch"]) == ("failed", 1)
    assert os.strerror(number) in info["error"]
    assert toy.files() >= CHECKPOINTS
    assert not [name for name in toy.files() if name.endswith(".partial")]


def test_another_error_of_the_system_is_passed_on_as_it_is(toy):
    fault = PermissionError(errno.EACCES, "Permission denied", "runs/toy/x")
    assert toy.fails(PermissionError, STEPS + 1, throw(fault)) is fault
    assert toy.run.info()["status"] == "failed"


def test_a_fault_leaves_its_first_line_in_the_run_and_the_last_checkpoint(toy):
    fault = RuntimeError("\x1b[1mthe network broke\x1b[0m\nat some length")
    assert toy.fails(RuntimeError, STEPS + 1, throw(fault)) is fault
    info = toy.run.info()
    assert (info["status"], info["error"], info["epochs"]) == ("failed", "the network broke", 1)
    assert torch.load(toy.run.last_checkpoint, weights_only=True)["training"]["progress"]["step"] == STEPS


def test_a_divergence_has_its_own_status(toy):
    fault = DivergedError("the loss is not finite at step 6")
    assert toy.fails(DivergedError, STEPS + 1, throw(fault)) is fault
    info = toy.run.info()
    assert (info["status"], info["error"]) == ("diverged", "the loss is not finite at step 6")


@pytest.mark.parametrize("is_new", [True, False])
def test_only_a_new_run_is_removed_if_it_fails_before_its_first_step(toy, monkeypatch, is_new):
    monkeypatch.setattr(ending, "train", lambda *arguments: throw(RuntimeError("no data"))())
    toy.fails(RuntimeError, 1, nothing, is_new=is_new)
    assert toy.run.path.exists() is not is_new
    assert is_new or toy.run.info()["status"] == "failed"


def test_damaged_metrics_do_not_hide_how_the_training_ended(toy):
    def act():
        toy.run.metrics_file.write_bytes(b"\xff rubbish\n")
        raise RuntimeError("the network broke")

    toy.fails(RuntimeError, STEPS + 1, act)
    assert (toy.run.info()["status"], toy.run.info()["best"]) == ("failed", None)


@pytest.mark.parametrize("is_finished", [True, False])
def test_a_card_that_cannot_be_written_is_an_error_only_of_a_finished_run(toy, monkeypatch, is_finished):
    def full(path, value):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    state = SimpleNamespace(
        world=SimpleNamespace(is_writer=True),
        best_epoch=0,
        epoch=1,
        schedule=SimpleNamespace(num_steps=STEPS),
        task=SimpleNamespace(card=SimpleNamespace(to_json=dict)),
    )
    monkeypatch.setattr(ending, "write_json", full)
    if is_finished:
        with pytest.raises(OSError, match=r"data\.json"):
            ending._close(toy.run, state, "finished", 0.0)
    else:
        ending._close(toy.run, state, "failed", 0.0, error="the network broke")
        assert toy.run.info()["error"] == "the network broke"


def test_a_process_that_is_not_the_writer_leaves_the_run_as_it_was(toy):
    before = toy.run.info()
    state = SimpleNamespace(world=SimpleNamespace(is_writer=False))
    ending._close(toy.run, state, "failed", 0.0, error="its own")
    assert toy.run.info() == before
    assert toy.files() == {"run.json"}
