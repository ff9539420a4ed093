"""Train from a request to a finished run directory."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlcli.core.config import to_dict, write_toml
from dlcli.core.console import Console
from dlcli.core.description import Description
from dlcli.core.errors import DataError, DivergedError, DlError, ExitCode, StoppedError, UsageError
from dlcli.core.files import write_json, write_text
from dlcli.core.records import read_metrics
from dlcli.core.registry import load_object
from dlcli.core.run_dir import (
    DIVERGED,
    FAILED,
    FINISHED,
    INTERRUPTED,
    RUNNING,
    RunDir,
    create_run,
    list_runs,
    remove_run,
)
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback
from dlcli.engine.compute.compiling import compile_network
from dlcli.engine.compute.device import Device, open_device, seed_everything, set_determinism
from dlcli.engine.compute.distributed import World, joined, world_of_environment
from dlcli.engine.compute.precision import choose_precision, why_untimed
from dlcli.engine.loop import start_state, train
from dlcli.engine.observers.averaging import Averaging
from dlcli.engine.observers.data_notes import DataNotes
from dlcli.engine.observers.epoch_lines import EpochLines
from dlcli.engine.observers.limits import EarlyStopping, limits_of
from dlcli.engine.observers.metrics_log import MetricsLog
from dlcli.engine.observers.profiling import Profile
from dlcli.engine.observers.samples import SampleFiles
from dlcli.engine.observers.signals import StopOnSignal
from dlcli.engine.observers.tensorboard import TensorBoard
from dlcli.engine.request import TrainRequest
from dlcli.engine.runs.checkpoint import Checkpoints, newest_checkpoint, restore_training
from dlcli.engine.runs.environment import git_revision, versions
from dlcli.engine.runs.judging import refuse_unjudged
from dlcli.engine.runs.restore import blaming, describe_run, precision_of, request_of
from dlcli.engine.state import TrainState
from dlcli.engine.task import Loader, Task, network_of
from dlcli.engine.tuning.auto import Tuning, tune
from dlcli.engine.tuning.budget import fit_budget


def start_training(
    request: TrainRequest, console: Console, *, ensure_data: Callable[[], None] = lambda: None
) -> RunDir:
    """Train a new run and return it finished. A failure before the first step leaves no run behind.

    Args:
        request: what to train.
        console: where lines are printed; with several processes, only by the writer.
        ensure_data: called before the data is read, first on the writer's machine and then on each machine.

    Raises:
        DlError: data, options or device do not fit; training diverged; a signal stopped it.
    """
    world = world_of_environment()
    device = open_device(request.train.device, threads=request.train.threads, local_rank=world.local_rank)
    with joined(world, device) as world:
        _ensure_data_everywhere(ensure_data, world)
        interrupted = world.share(_run_of_launch(world) if world.is_writer else None)
        if interrupted is not None:
            return _go_on(interrupted, None, console, world, device)
        return _start(request, console, world, device)


def _ensure_data_everywhere(ensure_data: Callable[[], None], world: World) -> None:
    """Prepare the data on every machine, first on the writer's, since others may share its disk."""
    if world.is_writer:
        ensure_data()
    world.wait()
    if world.local_rank == 0:
        ensure_data()
    world.wait()


def _run_of_launch(world: World) -> RunDir | None:
    """Return the run that earlier processes of this torchrun launch left behind, if it can be resumed.

    A run without a checkpoint is removed, and the training starts from the beginning.
    """
    if not world.restarts:
        return None
    for run, info in list_runs():
        if info.get("launch") == world.launch and info.get("status") != FINISHED:
            if run.last_checkpoint.exists() or run.previous_checkpoint.exists():
                return run
            remove_run(run)
    return None


def _start(request: TrainRequest, console: Console, world: World, device: Device) -> RunDir:
    request = fit_budget(request, console, _open_task, world, device)
    seed_everything(request.train.seed)
    task, loader, valid = _open_task(request, device, world)
    first = next(iter(loader.batches()), None)
    if first is None:
        raise DataError(
            f"{request.data}: nothing in the training split can be read", hint=f"`dl doctor {request.data}` shows why"
        )
    untimed = why_untimed(is_deterministic=request.train.deterministic, num_steps=len(loader) * request.train.epochs)
    device, why = choose_precision(task, device, first, request.train.precision, untimed=untimed)
    device = device.with_precision(world.share(device.precision))
    processes = "" if world.is_alone else f" x {world.size} processes"
    console.say(f"{device.describe()}{processes}, {device.precision} ({why})")
    tuning = _tune(request, console, world, device)
    if request.auto:
        request = replace(request, train=tuning.config)
        seed_everything(request.train.seed)
        task, loader, valid = _open_task(request, device, world)
    seed_everything(request.train.seed + world.rank)  # the same weights, but different dropout
    world.share_tensors(task.model.state_dict().values())
    state = start_state(task, loader, request.train, device, world)
    run = world.share(_create_run(request, task, device, world) if world.is_writer else None)
    assert run is not None
    if world.is_writer:
        tuning.keep(run)
    return _run_to_end(run, state, loader, valid, request.train, console)


def _tune(request: TrainRequest, console: Console, world: World, device: Device) -> Tuning:
    """Return the options with numbers in place of `auto`; all processes use the writer's result."""

    def make(train: TrainConfig) -> Task:
        seed_everything(train.seed)
        return _new_task(replace(request, train=train), device)

    tuning = world.share(tune(request.train, request.auto, make, device))
    for reason in tuning.reasons:
        console.say(reason)
    return tuning


def resume_training(run: RunDir, data: Path | None, console: Console) -> RunDir:
    """Resume an interrupted run from its newest checkpoint, and return the finished run.

    Raises:
        UsageError: the run is finished.
        RunError: the run or its checkpoint is damaged.
    """
    info = run.info()
    world = world_of_environment()
    if info.get("status") == FINISHED:
        hint = f"start a new run with its options: `dl train --from {run.name}`"
        raise UsageError(f"{run.path} is finished", hint=hint)
    with blaming(run.config_file):
        _, options = describe_run(run).configs(str(run.config_file))
    device = open_device(options.device, threads=options.threads, local_rank=world.local_rank)
    with joined(world, device) as world:
        return _go_on(run, data, console, world, device)


def _go_on(run: RunDir, data: Path | None, console: Console, world: World, device: Device) -> RunDir:
    saved = world.share(_read_run(run) if world.is_writer else None)  # other machines may not have the run's folder
    assert saved is not None
    info, description, precision, checkpoint, content = saved
    data = data or Path(str(info.get("data", "")))
    request = request_of(description, run.config_file, data, str(info.get("command", "")))
    options = request.train
    device = device.with_precision(precision)
    seed_everything(options.seed)
    with blaming(run.config_file):
        task, loader, valid = _open_task(request, device, world)
    state = start_state(task, loader, options, device, world)
    restore_training(state, content, checkpoint)
    if world.is_writer:
        run.update_info(status=RUNNING)
    console.say(f"resuming {run.path} at epoch {state.epoch + 1}, step {state.step}")
    return _run_to_end(run, state, loader, valid, options, console)


def _read_run(run: RunDir) -> tuple[dict[str, Any], Description, str, Path, dict[str, Any]]:
    """Return a run's `run.json`, description and precision, and the path and content of its newest checkpoint."""
    return run.info(), describe_run(run), precision_of(run), *newest_checkpoint(run)


def _new_task(request: TrainRequest, device: Device) -> Task:
    factory = load_object(request.spec.task)
    task: Task = factory.from_data(request.config, request.train, request.data)
    device.place(task.model)
    return task


def _open_task(request: TrainRequest, device: Device, world: World) -> tuple[Task, Loader, Loader | None]:
    set_determinism(request.train.deterministic)
    task = _new_task(request, device)
    loader = task.loader("train", training=True, shard=world.shard)
    if len(loader) == 0:
        raise DataError(f"{request.data}: the training split is empty", hint="lower --val-fraction or add data")
    valid: Loader | None = task.loader("valid", shard=world.shard)
    if valid is not None and len(valid) == 0:
        valid = None
    refuse_unjudged(task.goal, request.train, request.auto, is_validated=valid is not None)
    return task, loader, valid


def _create_run(request: TrainRequest, task: Task, device: Device, world: World) -> RunDir:
    assets = task.assets()
    info = {
        "status": RUNNING,
        "task": request.spec.name,
        "dataset": request.dataset,
        "model": request.model,
        "assets": sorted(assets),
        "data": os.path.relpath(request.data),
        "command": request.command,
        "seed": request.train.seed,
        "device": device.describe(),
        "precision": device.precision,
        "processes": world.size,
        "launch": world.launch,
        "versions": versions(),
        "git": git_revision(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": sum(parameter.numel() for parameter in network_of(task).parameters()),
        "goal": task.goal.metric if task.goal is not None else None,
    }
    run = create_run(f"{request.dataset}-{request.model}", info, request.name, request.folder)
    try:
        write_text(run.config_file, write_toml(to_dict(request.train, request.config), "every option as resolved"))
        for name, value in assets.items():
            write_json(run.path / f"{name}.json", value)
        if task.card is not None:
            write_json(run.card_file, task.card.to_json())
    except BaseException:
        remove_run(run)
        raise
    return run


def _run_to_end(
    run: RunDir, state: TrainState, loader: Loader, valid: Loader | None, config: TrainConfig, console: Console
) -> RunDir:
    is_writer = state.world.is_writer
    if config.compile:
        compile_network(state.task.model)
    started = time.perf_counter()
    with StopOnSignal() as signals, console.logging_to(run.log_file if is_writer else None):
        try:
            reason = train(state, loader, valid, config, _callbacks(run, config, console, signals, is_writer=is_writer))
        except DivergedError as error:
            _close(run, state, DIVERGED, started, error=error.message)
            raise
        except BaseException as error:
            if state.step == 0:
                if is_writer:
                    remove_run(run)
                raise
            is_interrupted = isinstance(error, KeyboardInterrupt)
            _close(run, state, INTERRUPTED if is_interrupted else FAILED, started, error=str(error))
            if is_interrupted and signals.received is not None:
                raise _stopped(run, state, signals.received, "stopped at once") from None
            raise
        _close(run, state, FINISHED if signals.received is None else INTERRUPTED, started)
        if reason is not None and signals.received is None:
            console.say(reason)
    if signals.received is not None:
        raise _stopped(run, state, signals.received, str(reason))
    return run


def _stopped(run: RunDir, state: TrainState, received: signal.Signals, reason: str) -> StoppedError:
    code = ExitCode.TERMINATED if received == signal.SIGTERM else ExitCode.INTERRUPTED
    if not run.last_checkpoint.exists():
        hint = f"start a new run with `dl train --from {run.name}`"
        return StoppedError(f"{reason} at step {state.step}, before the first checkpoint", exit_code=code, hint=hint)
    hint = f"resume with `dl train --resume {run.name}`"
    return StoppedError(f"{reason} at step {state.step}; the checkpoint is saved", exit_code=code, hint=hint)


def _callbacks(
    run: RunDir, config: TrainConfig, console: Console, signals: StopOnSignal, *, is_writer: bool
) -> Sequence[Callback]:
    """Return the callbacks in order: metrics are written before the checkpoint that counts them as done.

    Every process takes part in checkpoints, since each has a part of the state; only the writer saves to disk.
    """
    checkpoints = Checkpoints(run, asdict(describe_run(run)) if is_writer else {})
    callbacks: list[Callback] = [Averaging(), checkpoints]
    if is_writer:
        writers = [MetricsLog(run.metrics_file), SampleFiles(run), TensorBoard(run.folder("tensorboard"))]
        watchers = [Profile(run.folder("profile"), console)] if config.profile else []
        notes = DataNotes(console, Path(str(run.info().get("data", ""))), run.card_file)
        callbacks = [Averaging(), *writers, checkpoints, EpochLines(console), notes, *watchers]
    callbacks += [signals, *limits_of(config)]
    if config.patience is not None:
        callbacks.append(EarlyStopping(config.patience))
    return callbacks


def _close(run: RunDir, state: TrainState, status: str, started: float, *, error: str | None = None) -> None:
    if not state.world.is_writer:
        return
    best = next((r for r in _records(run) if r.get("epoch") == state.best_epoch), None)
    changes: dict[str, Any] = {
        "status": status,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(float(run.info().get("seconds", 0)) + time.perf_counter() - started, 1),
        "epochs": state.epoch,
        "best": best,
        "error": (error.splitlines() or ["unknown"])[0] if error is not None else None,
    }
    run.update_info(**changes)
    if state.task.card is not None:  # it may have been updated with unreadable files
        write_json(run.card_file, state.task.card.to_json())


def _records(run: RunDir) -> list[dict[str, Any]]:
    try:
        return read_metrics(run.metrics_file)
    except DlError:
        return []
