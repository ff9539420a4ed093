"""A whole generative toy through the loop: a pool, two critic steps, an average of the generator alone, no goal."""

from __future__ import annotations

import copy
import dataclasses
import os
import signal
from pathlib import Path

import pytest
import torch
from toys.gan import GanConfig, PoolGan, ValidatedGan

from dlcli.cli.app import run as run_line
from dlcli.core.console import Console
from dlcli.core.errors import RunError, StoppedError, UsageError
from dlcli.core.records import read_metrics
from dlcli.core.registry import TASKS, TaskSpec
from dlcli.core.run_dir import RunDir, resolve_run
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.compute.device import Device
from dlcli.engine.compute.distributed import World
from dlcli.engine.compute.precision import choose_precision
from dlcli.engine.evaluate import evaluate
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.averaging import Averaging
from dlcli.engine.observers.checkpoints import Checkpoints
from dlcli.engine.observers.metrics_log import MetricsLog
from dlcli.engine.observers.samples import SampleFiles
from dlcli.engine.request import TrainRequest
from dlcli.engine.runs.checkpoint import (
    load_answering,
    read_checkpoint,
    restore_training,
    save_checkpoint,
)
from dlcli.engine.runs.evaluation import measure_run
from dlcli.engine.runs.restore import load_task, load_task_from_file
from dlcli.engine.runs.training import resume_training, start_training
from dlcli.engine.task import HasNetwork, KeepsState, Task, Validates, network_of

CPU = Device(torch.device("cpu"))
BASE = TrainConfig(epochs=3, batch_size=8, learning_rate=0.01, schedule="linear", ema=0.8)  # five steps an epoch
POOL = 96  # a step puts 16 pictures into it: half full after the third, full after the sixth


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, state):
        if state.step == self.step:
            raise StopTraining("cut")


class DrawRashly(Callback):
    """Draws as it should not be done: with the model as training has left it."""

    def on_epoch_end(self, state):
        state.task.samples()


@pytest.fixture(autouse=True)
def _every_epoch(monkeypatch):
    monkeypatch.setattr("dlcli.engine.observers.samples.INTERVAL_S", 0.0)


def run(task, run_dir, *callbacks, config=BASE, resume=False, observers=(SampleFiles,)):
    run_dir.path.mkdir(exist_ok=True)
    loader, valid = task.loader("train", training=True), task.loader("valid")
    state = start_state(task, loader, config, CPU)
    torch.manual_seed(config.seed)
    if resume:
        restore_training(state, read_checkpoint(run_dir.last_checkpoint), run_dir.last_checkpoint)
    kept = [Averaging(), MetricsLog(run_dir.metrics_file, Console()), *(make(run_dir) for make in observers)]
    train(state, loader, valid if len(valid) else None, config, [*kept, Checkpoints(run_dir, {}), *callbacks])
    return state


def untimed(run_dir):
    records = read_metrics(run_dir.metrics_file)
    return [{k: v for k, v in record.items() if k not in ("seconds", "items_per_s")} for record in records]


def files(folder):
    return {path.name: path.read_bytes() for path in folder.glob("samples/*")}


def assert_equal(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_what_only_some_tasks_can_do_is_seen_by_its_protocol(toy_task):
    gan, plain = PoolGan(BASE), toy_task(BASE)
    assert isinstance(gan, HasNetwork)
    assert isinstance(gan, KeepsState)
    assert isinstance(ValidatedGan(BASE), Validates)
    assert not isinstance(gan, Validates)
    assert not isinstance(plain, (HasNetwork, KeepsState, Validates))
    assert network_of(gan) is gan.model["generator"]
    assert network_of(plain) is plain.model


@pytest.mark.parametrize("stop_at", [3, 8, 10], ids=["pool half full", "pool full", "at an epoch's end"])
def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path, stop_at):
    whole, cut = RunDir(tmp_path / "whole"), RunDir(tmp_path / "cut")
    expected = run(PoolGan(BASE, pool_size=POOL), whole)
    stopped = run(PoolGan(BASE, pool_size=POOL), cut, StopAt(stop_at))
    assert len(stopped.task.pool.pictures) == min(POOL, 16 * stop_at)
    resumed = run(PoolGan(BASE, pool_size=POOL), cut, resume=True)
    assert_equal(expected.task.model.state_dict(), resumed.task.model.state_dict())
    assert_equal(expected.averaged.state_dict(), resumed.averaged.state_dict())
    assert torch.equal(torch.stack(expected.task.pool.pictures), torch.stack(resumed.task.pool.pictures))
    assert untimed(whole) == untimed(cut)
    assert files(whole.path) == files(cut.path)
    assert_equal(*(read_checkpoint(run_dir.best_checkpoint)["model"] for run_dir in (whole, cut)))


def test_a_training_that_forgets_its_pool_goes_on_otherwise(tmp_path, monkeypatch):
    """So the pool matters, and the test above is none that cannot fail."""
    whole, cut = RunDir(tmp_path / "whole"), RunDir(tmp_path / "cut")
    expected = run(PoolGan(BASE, pool_size=POOL), whole)
    run(PoolGan(BASE, pool_size=POOL), cut, StopAt(8))
    monkeypatch.setattr(PoolGan, "load_state", lambda self, state: None)
    forgetful = run(PoolGan(BASE, pool_size=POOL), cut, resume=True)
    last, other = (state.task.model.state_dict()["critic.0.weight"] for state in (expected, forgetful))
    assert not torch.equal(last, other)


@pytest.mark.parametrize("ema", [None, 0.8])
def test_drawing_samples_changes_nothing_that_is_trained(tmp_path, ema):
    config = dataclasses.replace(BASE, ema=ema)
    plain = run(PoolGan(config), RunDir(tmp_path / "plain"), config=config, observers=())
    drawn = run(PoolGan(config), RunDir(tmp_path / "drawn"), config=config)
    assert_equal(plain.task.model.state_dict(), drawn.task.model.state_dict())
    assert untimed(RunDir(tmp_path / "plain")) == untimed(RunDir(tmp_path / "drawn"))
    rash = run(PoolGan(config), RunDir(tmp_path / "rash"), DrawRashly(), config=config, observers=())
    assert not torch.equal(plain.task.model["generator"][1].running_mean, rash.task.model["generator"][1].running_mean)


def test_the_generator_alone_is_averaged_and_the_average_is_what_is_drawn(tmp_path):
    from dlcli.visualize.canvas import encode_png

    state = run(PoolGan(BASE), RunDir(tmp_path))
    generator = state.task.model["generator"]
    assert list(state.averaged.module.state_dict()) == list(generator.state_dict())
    assert not torch.equal(state.averaged.module[0].weight, generator[0].weight)
    generator.load_state_dict(state.averaged.module.state_dict())
    state.task.model.eval()
    with torch.no_grad():
        expected = state.task.samples()
    assert files(tmp_path)["epoch-0003.png"] == encode_png(expected.picture)
    assert files(tmp_path)["epoch-0003.txt"].decode().splitlines() == list(expected.lines)


def test_best_holds_the_averaged_generator_of_the_last_epoch_and_no_critic(tmp_path):
    run_dir = RunDir(tmp_path)
    state = run(PoolGan(BASE), run_dir)
    best, last = read_checkpoint(run_dir.best_checkpoint), read_checkpoint(run_dir.last_checkpoint)
    assert (best["part"], last["part"]) == ("network", "model")
    assert best["epoch"] == 3
    assert_equal(best["model"], state.averaged.module.state_dict())
    assert_equal(last["model"], state.task.model.state_dict())
    fresh = PoolGan(BASE)
    critic = copy.deepcopy(fresh.model["critic"].state_dict())
    load_answering(fresh, best, run_dir.best_checkpoint)
    assert_equal(fresh.model["generator"].state_dict(), best["model"])
    assert_equal(fresh.model["critic"].state_dict(), critic)


def test_a_file_that_does_not_say_whose_weights_it_holds_has_those_of_the_model(tmp_path):
    run_dir = RunDir(tmp_path)
    state = run(PoolGan(BASE), run_dir)
    content = read_checkpoint(run_dir.last_checkpoint)
    del content["part"]
    fresh = PoolGan(BASE)
    load_answering(fresh, content, run_dir.last_checkpoint)
    assert_equal(fresh.model.state_dict(), state.task.model.state_dict())


def test_the_choice_of_a_number_format_leaves_the_pool_as_it_was(monkeypatch):
    monkeypatch.setattr("dlcli.engine.compute.precision.computes_bf16", lambda: True)
    task = PoolGan(BASE, pool_size=24)
    task.model.eval()
    task.pool.exchange(torch.rand(12, 36))
    before, model = torch.stack(task.pool.pictures), copy.deepcopy(task.model.state_dict())
    random = torch.get_rng_state()
    _, reason = choose_precision(task, CPU, next(task.loader("train").batches()), "auto")
    assert "as fast as fp32" in reason
    assert torch.equal(torch.stack(task.pool.pictures), before)
    assert_equal(task.model.state_dict(), model)
    assert torch.equal(torch.get_rng_state(), random)


def test_validation_asks_for_its_own_answer_and_evaluation_does_not(tmp_path):
    task = ValidatedGan(BASE)
    run(task, RunDir(tmp_path), observers=())
    assert set(task.asked) == {"validate"}
    assert [record["distance"] for record in read_metrics(RunDir(tmp_path).metrics_file)] == [0.0] * BASE.epochs
    task.asked.clear()
    assert evaluate(task, task.loader("valid"), CPU).compute()["distance"] > 0
    assert set(task.asked) == {"infer"}


def test_a_state_that_could_not_be_loaded_again_is_not_saved(tmp_path):
    task = PoolGan(BASE)
    state = start_state(task, task.loader("train"), BASE, CPU)
    task.state = lambda: {"pool": [{"picture": torch.ones(2).numpy()}]}
    with pytest.raises(TypeError, match="'pool/0/picture' is a ndarray"):
        save_checkpoint(tmp_path / "x.pt", state, {}, with_training=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("rank", "size", "taken"), [(0, 2, 0.0), (1, 2, 1.0), (2, 3, 1.0)])
def test_each_process_takes_up_its_own_state_and_another_number_of_them_what_there_is(tmp_path, rank, size, taken):
    task = PoolGan(BASE)
    save_checkpoint(tmp_path / "x.pt", start_state(task, task.loader("train"), BASE, CPU), {}, with_training=True)
    content = read_checkpoint(tmp_path / "x.pt")
    content["training"]["task"] = [{"pool": [torch.full((36,), float(number))]} for number in range(2)]
    state = start_state(task, task.loader("train"), BASE, CPU, World(rank, size))
    restore_training(state, content, tmp_path / "x.pt")
    assert [float(picture[0]) for picture in task.pool.pictures] == [taken]


@pytest.mark.parametrize("states", [None, [], [{"puddle": []}]])
def test_a_state_that_does_not_fit_is_a_fault_of_the_file(tmp_path, states):
    task = PoolGan(BASE)
    state = start_state(task, task.loader("train"), BASE, CPU)
    save_checkpoint(tmp_path / "x.pt", state, {}, with_training=True)
    content = read_checkpoint(tmp_path / "x.pt")
    content["training"]["task"] = states
    with pytest.raises(RunError, match="does not fit"):
        restore_training(state, content, tmp_path / "x.pt")


@pytest.fixture
def request_for(tmp_path, monkeypatch):
    """Return the request to train the toy as a registered task, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    where = {"config": "toys.gan:GanConfig", "task": "toys.gan:PoolGan"}
    spec = TaskSpec("gan", "pictures from noise", "noise", "none", recipe="", codec="", networks="", **where)
    monkeypatch.setitem(TASKS, "gan", spec)
    train = dataclasses.replace(BASE, precision="fp32", threads=1, device="cpu")

    def make(name, **changes):
        return TrainRequest(
            spec, "none", Path("none"), "gan", GanConfig(), dataclasses.replace(train, **changes), "", name
        )

    return make


def test_a_run_of_it_is_finished_resumed_listed_and_measured(request_for, monkeypatch, capsys):
    whole = start_training(request_for("whole"), Console(is_quiet=True))
    steps, original = 0, PoolGan.training_step

    def training_step(self, batch):
        nonlocal steps
        steps += 1
        if steps == 7:
            os.kill(os.getpid(), signal.SIGTERM)
        yield from original(self, batch)

    with monkeypatch.context() as patch, pytest.raises(StoppedError):
        patch.setattr(PoolGan, "training_step", training_step)
        start_training(request_for("cut"), Console(is_quiet=True))
    cut = resume_training(resolve_run("cut"), None, Console(is_quiet=True))
    for name in ("best.pt", "last.pt"):
        assert_equal(*(read_checkpoint(run_dir.path / "checkpoints" / name)["model"] for run_dir in (whole, cut)))
    assert files(whole.path) == files(cut.path)
    assert len(files(whole.path)) == 2 * BASE.epochs
    info = whole.info()
    assert (info["status"], info["goal"], info["best"]["epoch"]) == ("finished", None, 3)
    task, _ = load_task(whole)
    assert info["parameters"] == sum(parameter.numel() for parameter in task.model["generator"].parameters())
    alone, _ = load_task_from_file(whole.best_checkpoint)
    assert_equal(alone.network.state_dict(), task.network.state_dict())
    assert measure_run(whole, Path("none"), "test", CPU).report["metrics"]["distance"] >= 0
    capsys.readouterr()
    assert run_line(["runs"]) == 0
    assert "None" not in capsys.readouterr().out
    assert run_line(["visualize", "curves", "whole"]) == 0
    assert Path(capsys.readouterr().out.strip()).read_bytes().startswith(b"\x89PNG")


def test_what_needs_a_goal_is_refused_before_there_is_a_run(request_for):
    with pytest.raises(UsageError, match="--patience 2: this task has no metric"):
        start_training(request_for("refused", patience=2), Console(is_quiet=True))
    assert not Path("runs").exists()


def test_the_toy_is_a_task():
    task: Task = PoolGan(BASE)
    assert task.goal is None
    assert len(task.loader("valid")) == 0
