"""Train a state in its run directory to an end, and close the run well, whatever the end is."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlcli.core.console import Console
from dlcli.core.errors import DivergedError, DlError, ExitCode, StoppedError, first_line
from dlcli.core.files import FULL, write_json
from dlcli.core.interruption import STOPS
from dlcli.core.records import read_metrics
from dlcli.core.run_dir import DIVERGED, FAILED, FINISHED, INTERRUPTED, RunDir, remove_run
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback
from dlcli.engine.compute.compiling import compile_network
from dlcli.engine.loop import train
from dlcli.engine.observers.averaging import Averaging
from dlcli.engine.observers.checkpoints import Checkpoints
from dlcli.engine.observers.data_notes import DataNotes
from dlcli.engine.observers.epoch_lines import EpochLines
from dlcli.engine.observers.limits import EarlyStopping, limits_of
from dlcli.engine.observers.metrics_log import MetricsLog
from dlcli.engine.observers.observing import Observing
from dlcli.engine.observers.plugins import open_callbacks
from dlcli.engine.observers.profiling import Profile
from dlcli.engine.observers.samples import SampleFiles
from dlcli.engine.observers.showing import ShowSamples
from dlcli.engine.observers.signals import StopOnSignal
from dlcli.engine.observers.step_log import StepLog
from dlcli.engine.observers.tensorboard import TensorBoard
from dlcli.engine.runs.restore import describe_run
from dlcli.engine.state import TrainState
from dlcli.engine.task import Loader

STEPS = "steps.jsonl"
"""The file of `--log-every` in a run."""


def run_to_end(
    run: RunDir,
    state: TrainState,
    loader: Loader,
    valid: Loader | None,
    config: TrainConfig,
    console: Console,
    more: Sequence[Callback] = (),
    *,
    is_new: bool,
) -> RunDir:
    """Train to the end and return the finished run. A new run that fails before its first step is removed.

    Raises:
        StoppedError: a signal stopped the training, or the disk is full.
        DlError: the training diverged, or a fault that the user can fix.
    """
    is_writer = state.world.is_writer
    started = time.perf_counter()
    with StopOnSignal() as signals, console.logging_to(run.log_file if is_writer else None):
        try:
            if config.compile:
                compile_network(state.task.model)
            callbacks = [*_callbacks(run, config, console, signals, is_writer=is_writer), *more]
            reason = train(state, loader, valid, config, callbacks)
        except BaseException as error:
            if is_new and state.step == 0:
                if is_writer:
                    remove_run(run)
                raise
            ending = _closed(run, state, error, signals.received, started)
            if ending is error:
                raise
            raise ending from error
        _close(run, state, INTERRUPTED if signals.has_stopped else FINISHED, started)
        if reason is not None and not signals.has_stopped:
            console.say(reason)
    if signals.has_stopped and signals.received is not None:
        raise _stopped(run, state, signals.received, str(reason))
    return run


def _closed(
    run: RunDir, state: TrainState, error: BaseException, received: signal.Signals | None, started: float
) -> BaseException:
    """Close the run after an error, and return the exception for the user."""
    if isinstance(error, DivergedError):
        _close(run, state, DIVERGED, started, error=error.message)
    elif received is not None or isinstance(error, KeyboardInterrupt):
        # What fails after a signal fails because of it: the signal has reached the processes of the loader as well.
        received = received or signal.SIGINT
        _close(run, state, INTERRUPTED, started, error=f"stopped by {STOPS[received]}")
        return _stopped(run, state, received, "stopped at once")
    else:
        _close(run, state, FAILED, started, error=str(error))
        if isinstance(error, OSError) and error.errno in FULL:
            message = f"{error.filename or run.path}: the disk is full"
            return StoppedError(message, exit_code=ExitCode.DATA, hint=f"free some space and {_resumption(run)}")
    return error


def _stopped(run: RunDir, state: TrainState, received: signal.Signals, reason: str) -> StoppedError:
    code = ExitCode.INTERRUPTED if received == signal.SIGINT else ExitCode.TERMINATED
    is_saved = run.last_checkpoint.exists() or run.previous_checkpoint.exists()
    what = "; the checkpoint is saved" if is_saved else ", before the first checkpoint"
    return StoppedError(f"{reason} at step {state.step}{what}", exit_code=code, hint=_resumption(run))


def _resumption(run: RunDir) -> str:
    return f"resume with `dl train --resume {run.reference}`"


def _callbacks(
    run: RunDir, config: TrainConfig, console: Console, signals: StopOnSignal, *, is_writer: bool
) -> Sequence[Callback]:
    """Return the callbacks in order: metrics are written before the checkpoint that counts them as done.

    Every process takes part in checkpoints, since each has a part of the state; only the writer saves to disk.
    """
    checkpoints = Checkpoints(run, asdict(describe_run(run)) if is_writer else {}, config.save_every)
    callbacks: list[Callback] = [Averaging(config.average_epochs), checkpoints]
    if is_writer:
        samples = Observing(SampleFiles(run), "samples", console)
        steps = StepLog(run.path / STEPS, config.log_every) if config.log_every is not None else None
        logs = [Observing(steps, "--log-every", console)] if steps is not None else []
        board = Observing(TensorBoard(run.path / "tensorboard", steps), "TensorBoard", console)
        profile = [Observing(Profile(run.path / "profile", console), "--profile", console)] if config.profile else []
        notes = Observing(DataNotes(console, Path(str(run.info().get("data", ""))), run.card_file), "data", console)
        writers = [MetricsLog(run.metrics_file, console, config.eval_every), *logs, samples, board]
        shown = [Observing(ShowSamples(run, console), "--show", console)] if config.show else []
        others = open_callbacks(config.callback, run.path, console)
        callbacks = [
            Averaging(config.average_epochs),
            *writers,
            checkpoints,
            EpochLines(console),
            *shown,
            notes,
            *profile,
            *others,
        ]
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
        "scheduled_steps": state.schedule.num_steps,
        "best": best,
        "error": first_line(Exception(error)) if error is not None else None,
    }
    run.update_info(**changes)
    if state.task.card is None:
        return
    try:
        write_json(run.card_file, state.task.card.to_json())  # it may have been updated with unreadable files
    except OSError:
        if status == FINISHED:
            raise  # else what ended the training is what counts


def _records(run: RunDir) -> list[dict[str, Any]]:
    try:
        return read_metrics(run.metrics_file)
    except DlError:
        return []
