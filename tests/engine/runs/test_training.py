"""A training from its request to its run directory: on images of 8 x 8 pixels, through the classification task."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import dlcli
from dlcli.core.config import read_toml
from dlcli.core.console import Console
from dlcli.core.errors import DataError, DivergedError, StoppedError, UsageError
from dlcli.core.records import read_metrics
from dlcli.core.registry import TASKS
from dlcli.core.run_dir import RunDir, resolve_run
from dlcli.core.train_config import TrainConfig
from dlcli.engine.request import TrainRequest
from dlcli.engine.runs.checkpoint import read_checkpoint
from dlcli.engine.runs.cross_validation import cross_validate
from dlcli.engine.runs.restore import load_task
from dlcli.engine.runs.training import resume_training, start_training
from dlcli.tasks.classification.config import ClassificationConfig
from dlcli.tasks.classification.task import ClassificationTask

CONFIG = ClassificationConfig(model="lenet", image_size=8, crop_pad=1)
TRAIN = TrainConfig(epochs=3, batch_size=8, precision="fp32", threads=1, device="cpu")  # four steps an epoch
STEPS = 4
STEPS_WITHOUT_VALIDATION = 5


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Folders of 40 images in two classes, in the folder that the user stands in."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for label, name in enumerate(("dark", "light")):
        folder = Path("pictures") / "train" / name
        folder.mkdir(parents=True)
        for number in range(20):
            image = random.integers(0, 120, (8, 8, 3), dtype=np.uint8) + np.uint8(120 * label)
            (folder / f"{number:02d}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return Path("pictures")


def quiet():
    return Console(is_quiet=True)


def request_for(data, *, name=None, config=CONFIG, **changes):
    train = dataclasses.replace(TRAIN, **changes)
    return TrainRequest(TASKS["classification"], "pictures", data, config.model, config, train, "dl train x", name)


def at_step(monkeypatch, step, act):
    """Call `act` within the training step of that number."""
    count, original = 0, ClassificationTask.training_step

    def training_step(self, batch):
        nonlocal count
        count += 1
        for update in original(self, batch):
            yield (act(update) or update) if count == step else update

    monkeypatch.setattr(ClassificationTask, "training_step", training_step)


def send(number):
    return lambda update: os.kill(os.getpid(), number)


def fail(update):
    raise RuntimeError("the network broke")


def weights(run, name="last.pt"):
    return read_checkpoint(run.path / "checkpoints" / name)["model"]


def assert_same_weights(first, second):
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def runs():
    return sorted(path.name for path in Path("runs").glob("*")) if Path("runs").exists() else []


def test_a_finished_run_holds_all_that_made_it(data):
    run = start_training(request_for(data), quiet())
    info = run.info()
    assert (info["status"], info["dataset"], info["model"], info["epochs"]) == ("finished", "pictures", "lenet", 3)
    assert info["parameters"] == sum(value.numel() for value in load_task(run)[0].model.parameters())
    assert (info["goal"], info["larger_is_better"]) == ("accuracy", True)
    assert run.read_json("data.json")["classes"] == run.read_json("labels.json") == ["dark", "light"]
    assert read_toml(run.config_file)["batch_size"] == 8
    assert [record["epoch"] for record in read_metrics(run.metrics_file)] == [1, 2, 3]
    assert info["best"] in read_metrics(run.metrics_file)
    assert resolve_run("latest").name == run.name
    assert sum(line.startswith("epoch ") for line in run.log_file.read_text(encoding="utf-8").splitlines()) == 3


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(data):
    first, same, other = (start_training(request_for(data, seed=seed), quiet()) for seed in (0, 0, 1))
    assert_same_weights(weights(first), weights(same))
    assert not torch.equal(weights(first)["network.head.weight"], weights(other)["network.head.weight"])


def test_timing_the_number_formats_leaves_the_training_as_it_was(data, monkeypatch):
    plain = start_training(request_for(data), quiet())
    monkeypatch.setattr("dlcli.engine.compute.precision.MIN_GAIN", float("inf"))  # bf16 never wins
    timed = start_training(request_for(data, precision="auto"), quiet())
    assert timed.info()["precision"] == "fp32"
    assert_same_weights(weights(plain), weights(timed))


def test_a_path_in_the_run_is_relative_even_where_the_user_gave_an_absolute_one(data):
    run = start_training(request_for(data.resolve(), epochs=1), quiet())
    assert run.info()["data"] == "pictures"


@pytest.mark.parametrize("step", [1, 6, 2 * STEPS], ids=["first step", "within an epoch", "last step of an epoch"])
def test_a_stopped_and_resumed_run_ends_with_the_weights_of_a_whole_one(data, monkeypatch, step):
    whole = start_training(request_for(data, name="whole"), quiet())
    with monkeypatch.context() as patch, pytest.raises(StoppedError) as caught:
        at_step(patch, step, send(signal.SIGTERM))
        start_training(request_for(data, name="cut"), quiet())
    assert caught.value.exit_code == 143
    assert caught.value.hint == "resume with `dl train --resume cut`"
    cut = resolve_run("cut")
    assert cut.info()["status"] == "interrupted"
    resume_training(cut, None, quiet())
    assert cut.info()["status"] == "finished"
    for name in ("last.pt", "best.pt"):
        assert_same_weights(weights(whole, name), weights(cut, name))
    timeless = [
        [{key: value for key, value in record.items() if key not in ("seconds", "items_per_s")} for record in records]
        for records in (read_metrics(whole.metrics_file), read_metrics(cut.metrics_file))
    ]
    assert timeless[0] == timeless[1]


def test_ctrl_c_has_its_own_exit_code(data, monkeypatch):
    at_step(monkeypatch, 2, send(signal.SIGINT))
    with pytest.raises(StoppedError, match="Ctrl-C at step 2") as caught:
        start_training(request_for(data), quiet())
    assert caught.value.exit_code == 130


@pytest.mark.parametrize(("step", "what"), [(2, "before the first checkpoint"), (STEPS + 2, "the checkpoint is saved")])
def test_a_second_signal_does_not_wait_and_says_what_there_is_to_go_on_with(data, monkeypatch, step, what):
    def twice(update):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)

    at_step(monkeypatch, step, twice)
    with pytest.raises(StoppedError, match=f"at once at step {step - 1}") as caught:
        start_training(request_for(data, name="cut"), quiet())
    assert caught.value.exit_code == 143
    assert what in caught.value.message
    assert "dl train --resume cut" in str(caught.value.hint)
    assert resolve_run("cut").info()["status"] == "interrupted"
    assert resume_training(resolve_run("cut"), None, quiet()).info()["status"] == "finished"


def test_a_finished_run_cannot_be_resumed(data):
    run = start_training(request_for(data, epochs=1), quiet())
    with pytest.raises(UsageError, match="is finished"):
        resume_training(run, None, quiet())


def test_a_run_that_failed_midway_is_resumed_from_its_last_sound_epoch(data, monkeypatch):
    whole = start_training(request_for(data, name="whole"), quiet())
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        at_step(patch, STEPS + 2, fail)
        start_training(request_for(data, name="broken"), quiet())
    broken = resolve_run("broken")
    assert (broken.info()["status"], broken.info()["error"]) == ("failed", "the network broke")
    resume_training(broken, None, quiet())
    assert_same_weights(weights(whole), weights(broken))
    assert broken.info()["error"] is None


@pytest.mark.parametrize("others", [0, 1])
def test_what_fails_before_the_first_step_leaves_no_run(data, monkeypatch, others):
    for _ in range(others):
        start_training(request_for(data, name="sound", epochs=1), quiet())
    at_step(monkeypatch, 1, fail)
    with pytest.raises(RuntimeError, match="the network broke"):
        start_training(request_for(data), quiet())
    assert runs() == ["latest", "sound"][: 2 * others]
    assert not others or resolve_run("latest").name == "sound"


def test_wrong_data_and_wrong_options_leave_no_run(data):
    with pytest.raises(DataError):
        start_training(request_for(Path("nowhere")), quiet())
    with pytest.raises(UsageError):
        start_training(request_for(data, config=dataclasses.replace(CONFIG, model="no-such-network")), quiet())
    with pytest.raises(UsageError):
        start_training(request_for(data, name="../outside"), quiet())
    assert runs() == []


def test_a_diverging_training_keeps_its_best_checkpoint(data, monkeypatch):
    def poison(update):
        return dataclasses.replace(update, losses={name: loss * torch.inf for name, loss in update.losses.items()})

    at_step(monkeypatch, STEPS + 2, poison)
    with pytest.raises(DivergedError, match="step 6") as caught:
        start_training(request_for(data, name="wild"), quiet())
    assert caught.value.exit_code == 9
    run = resolve_run("wild")
    assert run.info()["status"] == "diverged"
    assert run.info()["best"]["epoch"] == 1
    task, _ = load_task(run)
    assert all(torch.isfinite(value).all() for value in task.model.state_dict().values())
    assert all(torch.isfinite(value).all() for value in weights(run).values() if value.is_floating_point())


def test_a_gradient_that_breaks_at_the_end_of_an_epoch_reaches_no_checkpoint(data, monkeypatch):
    """The loss is finite, its gradient is not, and there is no validation that would notice."""

    def poison(update):
        losses = {name: loss + (loss - loss.detach()).abs().sqrt() for name, loss in update.losses.items()}
        return dataclasses.replace(update, losses=losses)

    at_step(monkeypatch, 2 * STEPS_WITHOUT_VALIDATION, poison)
    with pytest.raises(DivergedError, match=f"a weight is not finite at step {2 * STEPS_WITHOUT_VALIDATION} "):
        start_training(request_for(data, name="wild", val_fraction=0.0), quiet())
    run = resolve_run("wild")
    assert run.info()["status"] == "diverged"
    for path in (run.last_checkpoint, run.best_checkpoint):
        content = read_checkpoint(path)
        assert content["epoch"] == 1
        assert all(torch.isfinite(value).all() for value in content["model"].values() if value.is_floating_point())


def test_early_stopping_finishes_the_run(data):
    run = start_training(request_for(data, learning_rate=0.0, epochs=9, patience=2), quiet())
    assert run.info()["status"] == "finished"
    assert run.info()["epochs"] == 3
    assert "no better epoch" in run.log_file.read_text(encoding="utf-8")


def test_without_a_validation_part_the_last_epoch_is_the_best(data, monkeypatch):
    def spoil(update):
        return dataclasses.replace(update, losses={name: 100 * loss for name, loss in update.losses.items()})

    at_step(monkeypatch, 3 * STEPS_WITHOUT_VALIDATION, spoil)
    run = start_training(request_for(data, val_fraction=0.0), quiet())
    records = read_metrics(run.metrics_file)
    assert "val_loss" not in records[0]
    assert min(record["loss"] for record in records) < records[-1]["loss"], "the lowest loss would pick another"
    assert run.info()["best"] == records[-1]
    assert_same_weights(weights(run, "best.pt"), weights(run))
    assert "(best)" not in run.log_file.read_text(encoding="utf-8")


@pytest.mark.parametrize("changes", [{"patience": 3}, {"schedule": "plateau"}])
def test_what_judges_epochs_is_refused_where_nothing_is_validated(data, changes):
    with pytest.raises(UsageError, match="there is no validation split") as caught:
        start_training(request_for(data, val_fraction=0.0, **changes), quiet())
    assert "--val-fraction" in str(caught.value.hint)
    assert runs() == []


def test_a_task_without_a_goal_is_trained_to_its_last_epoch(data, monkeypatch):
    monkeypatch.setattr(ClassificationTask, "goal", None)
    run = start_training(request_for(data), quiet())
    records = read_metrics(run.metrics_file)
    assert (run.info()["goal"], run.info()["larger_is_better"]) == (None, None)
    assert run.info()["best"] == records[-1]
    assert "accuracy" in records[-1], "it is validated all the same"
    assert_same_weights(weights(run, "best.pt"), weights(run))


@pytest.mark.parametrize(
    ("changes", "auto"), [({"patience": 3}, ()), ({"schedule": "plateau"}, ()), ({}, ("learning_rate",))]
)
def test_what_needs_a_goal_is_refused_without_one(data, monkeypatch, changes, auto):
    monkeypatch.setattr(ClassificationTask, "goal", None)
    request = dataclasses.replace(request_for(data, **changes), auto=frozenset(auto))
    with pytest.raises(UsageError, match="no metric to compare by"):
        start_training(request, quiet())
    assert runs() == []


def test_a_cross_validation_needs_a_goal(data, monkeypatch):
    monkeypatch.setattr(ClassificationTask, "goal", None)
    with pytest.raises(UsageError, match=r"--folds: this task has no metric"):
        cross_validate(request_for(data, folds="3"), quiet(), ensure_data=lambda: None)
    assert runs() == []


def test_the_time_of_a_resumed_run_is_that_of_all_its_parts(data, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(StoppedError):
        at_step(patch, 2, send(signal.SIGTERM))
        start_training(request_for(data, name="cut"), quiet())
    cut = resolve_run("cut")
    cut.update_info(seconds=1000.0)
    assert resume_training(cut, None, quiet()).info()["seconds"] >= 1000.0


def process(folder, *words):
    """Return `dl train` with these words as a process in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(Path(dlcli.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "dlcli", "train", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, stdout=pipe, stderr=pipe)


SIX_EPOCHS = ("digits", "--epochs", "6", "--precision", "fp32", "--threads", "1", "--name")


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """The folder of a training that no signal cut."""
    folder = tmp_path_factory.mktemp("whole")
    _, errors = process(folder, *SIX_EPOCHS, "whole").communicate()
    assert (folder / "runs" / "whole").is_dir(), errors
    return RunDir(folder / "runs" / "whole")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM for another process")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_to_the_command_saves_the_run_and_it_goes_on_to_equal_weights(tmp_path, whole_run, number, code):
    cut = process(tmp_path, *SIX_EPOCHS, "cut")
    assert cut.stderr is not None
    for line in cut.stderr:
        if line.startswith("epoch 1/"):
            cut.send_signal(number)
            break
    out, err = cut.communicate()
    assert cut.returncode == code, err
    assert out == ""
    assert "dl train --resume cut" in err
    assert json.loads((tmp_path / "runs/cut/run.json").read_text(encoding="utf-8"))["status"] == "interrupted"
    resumed = process(tmp_path, "--resume", "cut")
    _, err = resumed.communicate()
    assert resumed.returncode == 0, err
    assert_same_weights(weights(whole_run), weights(RunDir(tmp_path / "runs" / "cut")))
