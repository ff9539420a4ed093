"""The loop of `dl tune`: take a trial, train it, note its end, until all are done or the time is up. Torch-free."""

from __future__ import annotations

import math
import signal
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dlcli.core.console import Console, format_figure
from dlcli.core.errors import DlError, ExitCode, RunError, StoppedError
from dlcli.core.interruption import STOPS
from dlcli.engine.observers.signals import StopOnSignal
from dlcli.engine.tuning.plan import fold_request, request_of
from dlcli.engine.tuning.study import FAILED, FINISHED, PRUNED, Job, Study, Trial
from dlcli.engine.tuning.trial_process import Figure, TrialError, train_trial

MOST_FAILURES = 5
"""So many trials in a row that fail end a study: the fault is hardly that of their options."""

FATAL = (ExitCode.USAGE, ExitCode.DATA, ExitCode.DEVICE)
"""What fails the default recipe this way fails every trial."""

Train = Callable[..., Figure]
"""See `train_trial`."""


def search(
    study: Study,
    console: Console,
    *,
    num_trials: int,
    budget_s: float | None = None,
    machine: Mapping[str, Any] | None = None,
    train: Train = train_trial,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Work off the trials of a study, and return whether they are all done; False if the time is up.

    Args:
        study: the study; other processes may work on it meanwhile.
        console: prints a line for each trial.
        num_trials: how many it has, the default recipe included.
        budget_s: the time for this; a trial that runs when it is up is stopped, to be gone on with another time.
        machine: options of the machine in place of the study's.
        train: trains a trial.
        clock: returns seconds since an arbitrary moment.

    Raises:
        StoppedError: a signal has stopped it, or the disk is full; the command that goes on is in the hint.
        DlError: the default recipe cannot be trained, or one trial after the other fails.
    """
    deadline = math.inf if budget_s is None else clock() + budget_s
    failures: list[DlError] = []
    with StopOnSignal() as signals:

        def stop() -> signal.Signals | None:
            return signals.received or (signal.SIGTERM if clock() >= deadline else None)

        while len(failures) < MOST_FAILURES:
            if stop() is not None:
                break
            with study.taking(num_trials) as job:
                if job is None:
                    return True
                try:
                    _try(study, job, console, machine or {}, train, stop)
                    failures = []
                except StoppedError as error:
                    if error.exit_code == ExitCode.DATA:
                        raise _full(study, error) from None
                    break
                except DlError as error:
                    # What is at fault is not the trial: it is given back, to be tried again when that is mended.
                    if job.is_default and error.exit_code in FATAL:
                        raise
                    study.fail(job, error)
                    console.say(_line(study, job))
                    failures.append(error)
        number = signals.received
    if number is not None:
        code = ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.TERMINATED
        hint = f"go on with `dl tune --join {study.tune.reference}`"
        raise StoppedError(f"stopped by {STOPS[number]}; the study is saved", exit_code=code, hint=hint)
    if failures and len(failures) >= MOST_FAILURES:
        raise RunError(
            f"{study.tune.path}: {MOST_FAILURES} trials in a row have failed",
            details=[f"the last: {failures[-1].message}"],
            hint=failures[-1].hint or "leave what makes them fail out of --param",
        )
    return False


def _full(study: Study, error: StoppedError) -> StoppedError:
    """Return the error of a study whose disk is full, in place of that of a trial."""
    hint = f"free some space and go on with `dl tune --join {study.tune.reference}`"
    return StoppedError(error.message, exit_code=error.exit_code, hint=hint)


def _try(
    study: Study,
    job: Job,
    console: Console,
    machine: Mapping[str, Any],
    train: Train,
    stop: Callable[[], signal.Signals | None],
) -> None:
    """Train a trial, fold after fold, and note its end.

    Raises:
        StoppedError: it was stopped, or the disk is full; nothing is noted.
        DlError: it failed.
    """
    plan, figures = study.plan, list[Figure]()
    request = request_of(plan, job.values, folder=study.tune.trials, name=job.run, machine=machine)
    for fold in range(1, plan.folds + 1):
        part = request if plan.folds == 1 else fold_request(request, f"{job.run}-{fold}", fold, plan.folds)

        def report(epoch: int, value: float) -> bool:
            return plan.folds == 1 and study.report(job, epoch, value)

        figure = train(part, report, stop, is_loud=console.is_verbose)
        if figure.value is None:
            raise TrialError([f"error: {plan.metric} is undefined on the validation part"], ExitCode.FAULT)
        figures.append(figure)
        mean = statistics.fmean(each.value or 0.0 for each in figures)
        is_last = fold == plan.folds
        if plan.folds > 1 and study.report(job, fold, mean) and not is_last:
            figures[-1] = replace(figure, is_pruned=True)
            break
    values = [each.value for each in figures if each.value is not None]
    study.finish(
        job,
        statistics.fmean(values),
        epochs=max(each.epochs for each in figures),
        seconds=sum(each.seconds for each in figures),
        standard_error=statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None,
        is_pruned=figures[-1].is_pruned,
    )
    console.say(_line(study, job))


def _line(study: Study, job: Job) -> str:
    """Return the line for a trial that has ended."""
    trial = next(each for each in study.trials() if each.place == job.place)
    best = study.best()
    mark = " (best)" if best is not None and best.place == trial.place else ""
    return describe(trial, study.plan.metric) + mark


def describe(trial: Trial, metric: str) -> str:
    """Return a trial in words: `trial 3  accuracy 0.9510  lr 0.0123  model lstm  8 epochs  12.3 s`."""
    parts = [f"trial {trial.place}"]
    if trial.is_default:
        parts.append("default recipe")
    if trial.value is not None:
        error = f" ± {format_figure(trial.standard_error)}" if trial.standard_error is not None else ""
        parts.append(f"{metric} {format_figure(trial.value)}{error}")
    parts += [f"{name.replace('_', ' ')} {shown(value)}" for name, value in trial.values.items()]
    if trial.status in (FINISHED, PRUNED):
        parts.append(f"{trial.epochs} epoch{'' if trial.epochs == 1 else 's'}  {trial.seconds:.1f} s")
    if trial.status == PRUNED:
        parts.append("pruned")
    if trial.status == FAILED:
        parts.append(f"failed: {trial.error}")
    return "  ".join(parts)


def shown(value: Any) -> str:
    """Return an option's value for people, numbers with four significant digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ",".join(map(shown, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
