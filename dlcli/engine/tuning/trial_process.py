"""The process of a trial: an ordinary training, whose end, however bad, leaves the study's process alone.

Every trial has a process of its own, so that memory, threads and a crash in native code are its own too. On Linux it is
forked from a server that has imported torch and computed nothing yet, which takes a tenth of a second and not three;
elsewhere forking is not safe, and a new interpreter is started.
"""

from __future__ import annotations

import _thread
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dlcli.core.console import Console
from dlcli.core.errors import DlError, ExitCode, RunError, StoppedError, UsageError, first_line
from dlcli.core.files import FULL
from dlcli.core.locks import HeldError, hold_when_free
from dlcli.core.run_dir import FINISHED, RunDir, remove_run
from dlcli.engine.request import TrainRequest

GRACE_S = 60.0
"""Time for a trial that was asked to stop to finish its step and save; then it is killed."""

END_S = 10.0
"""Time for a process to end that has answered; some library's threads may keep it."""

POLL_S = 0.2


@dataclass(frozen=True)
class Judge:
    """What judges a trial: the task's goal on the validation part."""

    metric: str
    larger_is_better: bool


@dataclass(frozen=True)
class Figure:
    """How a training has ended: the goal at its best epoch.

    Attributes:
        value: the goal; None if it is undefined.
        epochs: how many it has trained.
        best_epoch: the epoch that the value is of.
        seconds: how long it took.
        is_pruned: whether it was stopped for being hopeless.
    """

    value: float | None
    epochs: int
    best_epoch: int
    seconds: float
    is_pruned: bool = False


class TrialError(DlError):
    """A trial failed; the study goes on.

    Args:
        lines: the error as the trial would have printed it.
        exit_code: what `dl train` would have exited with.
    """

    def __init__(self, lines: Sequence[str], exit_code: ExitCode) -> None:
        first = lines[0].removeprefix("error: ") if lines else "failed"
        hint = next((line.removeprefix("  fix: ") for line in lines if line.startswith("  fix: ")), None)
        details = [line.strip() for line in lines[1:] if not line.startswith("  fix: ")]
        super().__init__(first, hint=hint, details=details)
        self.exit_code = exit_code


def train_trial(
    request: TrainRequest,
    report: Callable[[int, float], bool],
    stop: Callable[[], signal.Signals | None],
    *,
    is_loud: bool = False,
) -> Figure:
    """Train a trial in a process of its own, or go on with what an earlier process has left of it.

    Args:
        request: the training, with the folder and the name of its run.
        report: called with (epoch, goal) of each finished epoch; whether to prune the trial.
        stop: the signal that shall stop the trial; None for none.
        is_loud: whether the trial prints its lines to stderr, rather than to its log alone.

    Raises:
        StoppedError: `stop` has stopped it, or the disk is full (`ExitCode.DATA`); its checkpoint is saved.
        TrialError: it failed, or its process was killed.
    """

    def answer(message: tuple[Any, ...]) -> bool:
        return report(*message)

    figure = _call(_train, (request, is_loud), answer, stop)
    assert isinstance(figure, Figure)
    return figure


def find_judge(
    requests: Sequence[tuple[str, TrainRequest]], stop: Callable[[], signal.Signals | None]
) -> tuple[Judge, int]:
    """Return what judges the trainings, and the epochs of the first, after opening all of them without training.

    Args:
        requests: each with what is to precede its error, "" for nothing.
        stop: see `train_trial`.

    Raises:
        TrialError: one cannot be opened, or nothing judges a training of this task.
        StoppedError: `stop` has stopped it, or the disk is full.
    """
    found = _call(_open, (list(requests),), lambda _: False, stop)
    assert isinstance(found, tuple)
    return found


def _call(
    body: Callable[..., Any],
    arguments: tuple[Any, ...],
    answer: Callable[[tuple[Any, ...]], bool],
    stop: Callable[[], signal.Signals | None],
) -> Any:
    """Return what a function returns in another process, and answer its messages meanwhile."""
    here, there = multiprocessing.Pipe()
    # Typed loosely: the contexts have a `Process` each, with nothing in common for a type checker.
    context: Any = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
    if sys.platform == "linux":
        context.set_forkserver_preload([f"{__package__}.preloaded"])
    process = context.Process(target=_body, args=(body, there, *arguments), daemon=False)
    process.start()
    there.close()
    try:
        result = _serve(process, here, answer, stop)
        process.join(END_S)
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        here.close()
    return result


def _serve(
    process: Any,
    channel: multiprocessing.connection.Connection,
    answer: Callable[[tuple[Any, ...]], bool],
    stop: Callable[[], signal.Signals | None],
) -> Any:
    deadline: float | None = None
    while True:
        number = stop()
        if number is not None and deadline is None:
            deadline = time.monotonic() + GRACE_S
            process.terminate()  # once: a second signal would stop it before it has saved
        if deadline is not None and time.monotonic() > deadline:
            process.kill()
        try:
            if not channel.poll(POLL_S):
                continue
            kind, *content = channel.recv()
        except (EOFError, OSError):
            process.join()
            if number is not None:
                raise _stopped(number) from None
            raise _killed(process.exitcode) from None
        if kind == "ask":
            channel.send(answer(tuple(content)))
        elif kind == "done":
            return content[0]
        elif kind == "stopped":
            raise _stopped(number or signal.SIGTERM)
        elif kind == "full":
            hint = "free some space and run the command again"
            raise StoppedError(content[0], exit_code=ExitCode.DATA, hint=hint)
        else:
            raise TrialError(*content)


def _stopped(number: signal.Signals) -> StoppedError:
    code = ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.TERMINATED
    return StoppedError("the trial was stopped", exit_code=code)


def _killed(code: int | None) -> TrialError:
    if code is not None and code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        memory = ", perhaps for lack of memory" if -code == getattr(signal, "SIGKILL", 9) else ""
        return TrialError([f"error: its process was ended by {name}{memory}"], ExitCode.FAULT)
    return TrialError([f"error: its process ended without an answer (exit {code})"], ExitCode.FAULT)


def _body(body: Callable[..., Any], channel: multiprocessing.connection.Connection, *arguments: Any) -> None:
    """Run a function in this process of its own, and send what it returns or raises."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # Ctrl-C reaches the study's process, which passes it on once
    _end_with_study()
    _quieten()
    try:
        content: tuple[Any, ...] = ("done", body(channel, *arguments))
    except StoppedError as error:
        content = ("stopped",) if error.exit_code != ExitCode.DATA else ("full", error.message)
    except DlError as error:
        content = ("failed", error.lines(), error.exit_code)
    except KeyboardInterrupt:
        content = ("stopped",)
    except Exception as error:
        lines = [f"error: {type(error).__name__}: {first_line(error)}"]
        content = ("failed", lines, ExitCode.DEVICE if isinstance(error, MemoryError) else ExitCode.FAULT)
        if isinstance(error, OSError) and error.errno in FULL:  # before the first step, where no run is left
            content = ("full", f"{error.filename or 'a trial'}: the disk is full")
    try:
        channel.send(content)
    except OSError:  # nobody is left to hear it
        os._exit(ExitCode.FAULT)


def _end_with_study() -> None:
    """Stop this process like after SIGTERM when the study's has ended, and heed that signal before the training too."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            _thread.interrupt_main(signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _quieten() -> None:
    """Discard what libraries log and warn of, as `dl` does in its own process."""
    logging.disable(logging.CRITICAL)
    warnings.showwarning = lambda *_, **__: None


def _train(channel: multiprocessing.connection.Connection, request: TrainRequest, is_loud: bool) -> Figure:
    from dlcli.engine.observers.reporting import ReportEpochs
    from dlcli.engine.runs.training import resume_training, start_training

    def report(epoch: int, value: float) -> bool:
        channel.send(("ask", epoch, value))
        return bool(channel.recv())

    assert request.folder is not None and request.name is not None
    run = RunDir(request.folder / request.name)
    console = Console(is_quiet=not is_loud, is_mute=not is_loud)
    reporter = ReportEpochs(report, run.metrics_file)
    if run.path.exists():
        try:
            with hold_when_free(run.lock_file, limit_s=GRACE_S):  # a process whose study was killed may still be saving
                pass
        except HeldError as error:
            raise RunError(f"{run.path} is being trained by {error.holder}", hint="wait until that has ended") from None
    if not (run.info_file.exists() and run.info().get("status") == FINISHED):
        if run.last_checkpoint.exists() or run.previous_checkpoint.exists():
            machine = {name: vars(request.train)[name] for name in ("device", "threads", "workers")}
            resume_training(run, request.data, console, machine, watchers=[reporter])
        else:
            if run.path.exists():
                remove_run(run)
            start_training(request, console, watchers=[reporter])
        if reporter.is_pruned:
            run.update_info(pruned=True)
    return figure_of(run)


def figure_of(run: RunDir) -> Figure:
    """Return how a finished run has ended.

    Raises:
        RunError: the run is damaged.
    """
    info = run.info()
    best = info.get("best") if isinstance(info.get("best"), dict) else {}
    assert isinstance(best, dict)
    value = best.get(str(info.get("goal")))
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return Figure(
        float(value) if is_number else None,  # type: ignore[arg-type]
        int(info.get("epochs") or 0),
        int(best.get("epoch") or 0),
        float(info.get("seconds") or 0.0),
        bool(info.get("pruned")),
    )


def _open(
    channel: multiprocessing.connection.Connection, requests: Sequence[tuple[str, TrainRequest]]
) -> tuple[Judge, int]:
    del channel
    from dlcli.engine.compute.device import open_device
    from dlcli.engine.runs.opening import open_task

    judge = None
    for where, request in requests:
        open_device(request.train.device, threads=request.train.threads)
        try:
            task, _, valid = open_task(request)
        except DlError as error:
            if not where:
                raise
            raise UsageError(f"{where}: {error.message}", hint=error.hint) from None
        if task.goal is None:
            raise UsageError(
                f"{request.spec.name} cannot be tuned: it has no metric by which one training is better than another",
                hint="compare its runs by eye: `dl visualize steps RUN`",
            )
        if valid is None:
            raise UsageError(
                f"{request.data}: no validation part, so trials cannot be compared",
                hint="hold one out: --val-fraction 0.2, or --folds 5 for five parts in turn",
            )
        judge = judge or Judge(task.goal.metric, task.goal.larger_is_better)
    assert judge is not None
    return judge, requests[0][1].train.epochs
