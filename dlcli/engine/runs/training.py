"""Train from a request to a finished run directory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from dlcli.core.config import to_dict, write_toml
from dlcli.core.console import Console
from dlcli.core.description import Description
from dlcli.core.errors import RunError, UsageError
from dlcli.core.files import write_json, write_text
from dlcli.core.registry import load_object
from dlcli.core.run_dir import (
    FINISHED,
    RUNNING,
    RunDir,
    create_run,
    list_runs,
    owned,
    remove_run,
)
from dlcli.core.train_config import MACHINE, TrainConfig
from dlcli.engine.callbacks import Callback
from dlcli.engine.compute.device import Device, all_threads, open_device, seed_everything, set_determinism
from dlcli.engine.compute.distributed import World, joined, world_of_environment
from dlcli.engine.compute.precision import choose_precision, why_untimed
from dlcli.engine.compute.threads import choose_threads
from dlcli.engine.loop import start_state
from dlcli.engine.observers.floor_line import FloorLine
from dlcli.engine.observers.observing import Observing
from dlcli.engine.observers.pace import Pace
from dlcli.engine.observers.plugins import require_callbacks
from dlcli.engine.request import TrainRequest
from dlcli.engine.runs.changed_data import refuse_other_data
from dlcli.engine.runs.checkpoint import find_checkpoint, restore_training
from dlcli.engine.runs.ending import run_to_end
from dlcli.engine.runs.environment import git_revision, versions
from dlcli.engine.runs.opening import first_batch, open_task
from dlcli.engine.runs.restore import blaming, describe_run, precision_of, request_of, threads_of
from dlcli.engine.state import TrainState
from dlcli.engine.task import Batch, Loader, Task, network_of, notes_of
from dlcli.engine.tuning.auto import Tuning, tune
from dlcli.engine.tuning.budget import fit_budget


def start_training(
    request: TrainRequest,
    console: Console,
    *,
    ensure_data: Callable[[], None] = lambda: None,
    watchers: Sequence[Callback] = (),
) -> RunDir:
    """Train a new run and return it finished. A failure before the first step leaves no run behind.

    Args:
        request: what to train.
        console: where lines are printed; with several processes, only by the writer.
        ensure_data: called before the data is read, first on the writer's machine and then on each machine.
        watchers: further callbacks, called after all others.

    Raises:
        DlError: data, options or device do not fit; training diverged; a signal stopped it.
    """
    world = world_of_environment()
    device = open_device(request.train.device, threads=request.train.threads, local_rank=world.local_rank)
    with joined(world, device) as world:
        _ensure_data_everywhere(ensure_data, world)
        interrupted = world.share(_run_of_launch(world) if world.is_writer else None)
        if interrupted is not None:
            with _owned(interrupted, world):
                return _go_on(interrupted, None, console, world, device, {}, watchers)
        return _start(request, console, world, device, watchers)


def _ensure_data_everywhere(ensure_data: Callable[[], None], world: World) -> None:
    """Prepare the data on every machine, first on the writer's, since others may share its disk."""
    if world.is_writer:
        ensure_data()
    world.wait()
    if world.local_rank == 0:
        ensure_data()
    world.wait()


def _run_of_launch(world: World) -> RunDir | None:
    """Return the run that earlier processes of this launch left behind, if it can be resumed.

    One without a checkpoint is removed, unless its process still lives, and the training starts from the beginning.
    """
    if not world.restarts:
        return None
    for run, info in list_runs():
        if info.get("launch") == world.launch and info.get("status") != FINISHED:
            if run.last_checkpoint.exists() or run.previous_checkpoint.exists():
                return run
            with contextlib.suppress(RunError), owned(run):
                remove_run(run)
    return None


def _start(
    request: TrainRequest, console: Console, world: World, device: Device, watchers: Sequence[Callback]
) -> RunDir:
    require_callbacks(request.train.callback)
    request, keepers = fit_budget(request, console, _open_task, world, device)
    seed_everything(request.train.seed)
    task, loader, valid = _open_task(request, device, world)
    for note in notes_of(task) if request.folder is None else ():  # a fold's parent has said it
        console.warn(note)
    first = first_batch(request, loader)
    untimed = why_untimed(is_deterministic=request.train.deterministic, num_steps=len(loader) * request.train.epochs)
    pace = _settle_threads(request, task, first, device, console, untimed)
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
    run = world.share(_create_run(request, state, tuning) if world.is_writer else None)
    assert run is not None
    with _owned(run, world):
        # A fold is not judged by its validation part, and its parent has a baseline over all folds.
        is_judged = world.is_writer and valid is not None and request.folder is None
        floor = [Observing(FloorLine(console), "floor", console)] if is_judged else []
        more = [*floor, *pace, *keepers, *watchers]
        return run_to_end(run, state, loader, valid, request.train, console, more, is_new=True)


def _settle_threads(
    request: TrainRequest, task: Task, batch: Batch, device: Device, console: Console, untimed: str | None
) -> Sequence[Callback]:
    """Set the number of CPU threads if it is not given, and return the callback that chooses it again.

    Each process of several chooses by itself, among its share of the cores.
    """
    if request.train.threads is not None or not device.is_cpu or untimed is not None or all_threads() == 1:
        return ()
    count, why = choose_threads(task, device, batch)
    tell = console.say if count < all_threads() else console.detail
    tell(f"{count} thread{'' if count == 1 else 's'}: {why}")
    return [Pace(batch, console)]


def _owned(run: RunDir, world: World) -> contextlib.AbstractContextManager[None]:
    return owned(run) if world.is_writer else contextlib.nullcontext()


def _tune(request: TrainRequest, console: Console, world: World, device: Device) -> Tuning:
    """Return the options with numbers in place of `auto`; all processes use the writer's result."""

    def make(train: TrainConfig) -> Task:
        seed_everything(train.seed)
        return _new_task(replace(request, train=train), device)

    tuning = world.share(tune(request.train, request.auto, make, device))
    for reason in tuning.reasons:
        console.say(reason)
    return tuning


def resume_training(
    run: RunDir,
    data: Path | None,
    console: Console,
    machine: Mapping[str, Any] | None = None,
    *,
    watchers: Sequence[Callback] = (),
) -> RunDir:
    """Resume an interrupted run from its newest checkpoint, and return the finished run.

    A run that was interrupted before its first checkpoint starts again from the beginning.

    Args:
        run: the run.
        data: the prepared data; None for the run's.
        console: where lines are printed.
        machine: options that replace those of the run; those of `MACHINE` may.
        watchers: further callbacks, called after all others.

    Raises:
        UsageError: the run is finished.
        RunError: the run or its checkpoint is damaged, or another process trains it.
        DataError: the data is not that of the run.
    """
    world = world_of_environment()
    if run.info().get("status") == FINISHED:
        hint = f"start a new run with its options: `dl train --from {run.reference}`"
        raise UsageError(f"{run.path} is finished", hint=hint)
    with blaming(run.config_file):
        _, options = describe_run(run).configs(str(run.config_file))
    options = replace(options, **(machine or {}))
    device = open_device(options.device, threads=options.threads or threads_of(run), local_rank=world.local_rank)
    with joined(world, device) as world, _owned(run, world):
        return _go_on(run, data, console, world, device, machine or {}, watchers)


def _go_on(
    run: RunDir,
    data: Path | None,
    console: Console,
    world: World,
    device: Device,
    machine: Mapping[str, Any],
    watchers: Sequence[Callback],
) -> RunDir:
    saved = world.share(_read_run(run) if world.is_writer else None)  # other machines may not have the run's folder
    assert saved is not None
    info, description, precision, newest = saved
    data = data or Path(str(info.get("data", "")))
    request = request_of(description, run.config_file, data, str(info.get("command", "")))
    request = replace(request, train=replace(request.train, **machine))
    device = device.with_precision(precision)
    seed_everything(request.train.seed)
    with blaming(run.config_file):
        task, loader, valid = _open_task(request, device, world)
    refuse_other_data(run, description, task, data)
    is_free = request.train.threads is None and device.is_cpu and all_threads() > 1
    # It goes on with the threads of the run, for equal rounding, until its pace changes. The batch is read before the
    # random generators are set: reading may draw from them.
    pace = [Pace(first_batch(request, loader), console)] if is_free else []
    seed_everything(request.train.seed + world.rank)  # as at the start, in case there is no checkpoint
    world.share_tensors(task.model.state_dict().values())
    state = start_state(task, loader, request.train, device, world)
    if newest is not None:
        checkpoint, content = newest
        restore_training(state, content, checkpoint)
    if world.is_writer:
        _note_resumption(run, request, state)
    where = f"at epoch {state.epoch + 1}, step {state.step}" if newest is not None else "at its beginning"
    console.say(f"resuming {run.path} {where}")
    return run_to_end(run, state, loader, valid, request.train, console, [*pace, *watchers], is_new=False)


def _read_run(run: RunDir) -> tuple[dict[str, Any], Description, str, tuple[Path, dict[str, Any]] | None]:
    """Return a run's `run.json`, description and precision, and the path and content of its newest checkpoint."""
    return run.info(), describe_run(run), precision_of(run), find_checkpoint(run)


def _note_resumption(run: RunDir, request: TrainRequest, state: TrainState) -> None:
    """Store the options from here on in `config.toml`; `run.json` lists from which step on which of them changed."""
    options, before = to_dict(request.train, request.config), run.config()
    changes = {name: [before.get(name), options.get(name)] for name in MACHINE if before.get(name) != options.get(name)}
    part = {
        "step": state.step,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": state.device.describe(),
        "processes": state.world.size,
        "changes": changes,
    }
    if changes:
        write_text(run.config_file, write_toml(options, "every option as resolved"))
    earlier = run.info().get("resumed")
    run.update_info(status=RUNNING, resumed=[*(earlier if isinstance(earlier, list) else []), part])


def _new_task(request: TrainRequest, device: Device) -> Task:
    factory = load_object(request.spec.task)
    task: Task = factory.from_data(request.config, request.train, request.data)
    device.place(task.model)
    return task


def _open_task(request: TrainRequest, device: Device, world: World) -> tuple[Task, Loader, Loader | None]:
    set_determinism(request.train.deterministic)
    task, loader, valid = open_task(request, world.shard)
    device.place(task.model)
    return task, loader, valid


def _create_run(request: TrainRequest, state: TrainState, tuning: Tuning) -> RunDir:
    task, device, world, assets = state.task, state.device, state.world, state.task.assets()
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
        "threads": torch.get_num_threads(),
        "precision": device.precision,
        "processes": world.size,
        "launch": world.launch,
        "versions": versions(),
        "git": git_revision(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": sum(parameter.numel() for parameter in network_of(task).parameters()),
        "goal": task.goal.metric if task.goal is not None else None,
        "larger_is_better": task.goal.larger_is_better if task.goal is not None else None,
        "origins": dict(request.origins),
        "budgeted": dict(request.budgeted),
        "planned_steps": state.schedule.num_steps,
    }
    run = create_run(f"{request.dataset}-{request.model}", info, request.name, request.folder)
    try:
        write_text(run.config_file, write_toml(to_dict(request.train, request.config), "every option as resolved"))
        for name, value in assets.items():
            write_json(run.path / f"{name}.json", value)
        if task.card is not None:
            write_json(run.card_file, task.card.to_json())
        tuning.keep(run)
    except BaseException:
        remove_run(run)
        raise
    return run
