"""Cross-validation: one ordinary run per fold, under a parent run that summarises them.

Folds run one after the other, each in a subfolder of the parent's `folds/`. Finished work is never repeated: an
interrupted cross-validation resumes in the fold, epoch and step where it stopped.
"""

from __future__ import annotations

import math
import os
import signal
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlcli.core.config import MAX_SEED, fields_of, to_dict, write_toml
from dlcli.core.console import Console
from dlcli.core.errors import DivergedError, DlError, ExitCode, RunError, StoppedError, UsageError, first_line
from dlcli.core.files import finite, write_json, write_text
from dlcli.core.interruption import STOPS
from dlcli.core.registry import load_object
from dlcli.core.run_dir import (
    DIVERGED,
    FAILED,
    FINISHED,
    FOLDS,
    INTERRUPTED,
    RUNNING,
    RunDir,
    create_run,
    owned,
    remove_run,
)
from dlcli.core.train_config import TrainConfig
from dlcli.data.parts import num_folds
from dlcli.engine.compute.device import open_device
from dlcli.engine.compute.distributed import world_of_environment
from dlcli.engine.observers.signals import StopOnSignal
from dlcli.engine.request import TrainRequest
from dlcli.engine.runs.changed_data import changes_since_trained
from dlcli.engine.runs.environment import git_revision, versions
from dlcli.engine.runs.evaluation import keep_report, measure_run
from dlcli.engine.runs.judging import refuse_unjudged
from dlcli.engine.runs.keeping import keep_items_of
from dlcli.engine.runs.out_of_fold import keep_out_of_fold
from dlcli.engine.runs.restore import describe_folds, request_of
from dlcli.engine.runs.summaries import is_summary
from dlcli.engine.runs.training import resume_training, start_training
from dlcli.engine.task import notes_of

SUMMARY = "test.json"


def cross_validate(request: TrainRequest, console: Console, *, ensure_data: Callable[[], None]) -> RunDir:
    """Train and evaluate every fold, and return the parent run.

    Raises:
        DlError: as in `start_training`; the parent run is kept once the first fold has started.
    """
    _refuse_processes()
    ensure_data()
    spec, train = request.spec, request.train
    factory = load_object(spec.task)
    task = factory.from_data(request.config, replace(train, fold=1, repeats=1), request.data)
    refuse_unjudged(task.goal, train, request.auto)
    assert task.goal is not None
    task.loader("test")  # fail before creating a run if the folds cannot be split
    for note in notes_of(task):
        console.warn(note)
    per_round = num_folds(train, sum(map(task.card.num_items, task.card.splits)))
    info = {
        "status": RUNNING,
        "kind": FOLDS,
        "task": spec.name,
        "dataset": request.dataset,
        "model": request.model,
        "data": os.path.relpath(request.data),
        "command": request.command,
        "seed": train.seed,
        "versions": versions(),
        "git": git_revision(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "goal": task.goal.metric,
        "larger_is_better": task.goal.larger_is_better,
        "origins": dict(request.origins),
        "auto": sorted(request.auto),
        "folds": per_round * train.repeats,
        "folds_a_round": per_round,
    }
    del task
    parent = create_run(f"{request.dataset}-{request.model}-folds", info, request.name)
    with owned(parent):
        write_text(parent.config_file, write_toml(to_dict(train, request.config), "every option as resolved"))
        return _run_folds(parent, request, console, {})


def resume_cross_validation(
    parent: RunDir, data: Path | None, console: Console, machine: Mapping[str, Any] | None = None
) -> RunDir:
    """Resume a cross-validation where it stopped, and return the parent run; see `resume_training`.

    Raises:
        UsageError: it is finished.
        RunError: a run is damaged, or another process trains it.
    """
    _refuse_processes()
    info = parent.info()
    if info.get("status") == FINISHED:
        raise UsageError(
            f"{parent.path} is finished", hint=f"start a new one with `dl train --from {parent.reference}`"
        )
    data = data or Path(parent.entry("data"))
    request = request_of(describe_folds(parent), parent.config_file, data, parent.entry("command"))
    request = replace(request, train=replace(request.train, **(machine or {})), auto=_auto_of(info))
    with owned(parent):
        if machine:
            options = to_dict(request.train, request.config)
            write_text(parent.config_file, write_toml(options, "every option as resolved"))
        parent.update_info(status=RUNNING)
        return _run_folds(parent, request, console, machine or {})


def _auto_of(info: Mapping[str, Any]) -> frozenset[str]:
    """Return the options that each fold measures for itself: the options of the parent have the recipe's values."""
    names, known = info.get("auto"), {each.name for each in fields_of(TrainConfig) if each.option.may_be_auto}
    return frozenset(name for name in known if isinstance(names, list) and name in names)


def _refuse_processes() -> None:
    if not world_of_environment().is_alone:
        raise UsageError("--folds does not support several processes", hint="omit --devices, or use --fold N")


def fold_runs(parent: RunDir) -> list[RunDir]:
    """Return the runs of all folds in order, whether or not they have started.

    Raises:
        RunError: the parent run does not state the number of folds.
    """
    count = parent.info().get("folds")
    if not isinstance(count, int) or not 1 <= count <= 100_000:
        raise RunError(f"{parent.info_file}: 'folds' is missing", hint="the run is damaged: train it again")
    digits = max(2, len(str(count)))
    return [RunDir(parent.path / FOLDS / f"{number:0{digits}}") for number in range(1, count + 1)]


def _run_folds(parent: RunDir, request: TrainRequest, console: Console, machine: Mapping[str, Any]) -> RunDir:
    runs = fold_runs(parent)
    per_round = int(parent.info().get("folds_a_round", len(runs)))
    try:
        with StopOnSignal() as signals:
            for index, run in enumerate(runs):
                _refuse_after_signal(signals)
                round_, fold = divmod(index, per_round)
                seed = (request.train.seed + round_) % (MAX_SEED + 1)
                train = replace(request.train, fold=fold + 1, repeats=1, seed=seed)
                console.say(f"fold {index + 1} of {len(runs)}")
                part = replace(request, train=train, name=run.path.name, folder=run.path.parent)
                _run_fold(run, part, console, machine)
        report = summarise(parent, request.data, request.train)
    except BaseException as error:
        _close(parent, runs, error)
        if isinstance(error, StoppedError):
            space = "free some space and " if error.exit_code == ExitCode.DATA else ""
            hint = f"{space}resume with `dl train --resume {parent.reference}`"
            raise StoppedError(error.message, exit_code=error.exit_code, hint=hint) from None
        raise
    goal = parent.entry("goal")
    seconds = sum(float(run.info().get("seconds", 0)) for run in runs)
    keys = {goal: "metrics", "fold_mean": "fold_means", "standard_error": "standard_errors"}
    best = {name: report[key][goal] for name, key in keys.items()}
    parent.update_info(
        status=FINISHED,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 1),
        best=best,
    )
    return parent


def _refuse_after_signal(signals: StopOnSignal) -> None:
    """Stop between two folds if a signal has arrived after the last step of the one before.

    Raises:
        StoppedError: a signal has arrived.
    """
    if signals.received is not None:
        code = ExitCode.INTERRUPTED if signals.received == signal.SIGINT else ExitCode.TERMINATED
        raise StoppedError(f"stopped by {STOPS[signals.received]} between two folds", exit_code=code)


def _close(parent: RunDir, runs: Sequence[RunDir], error: BaseException) -> None:
    if not any(run.info_file.exists() for run in runs):
        remove_run(parent)
        return
    status = FAILED
    is_full = isinstance(error, StoppedError) and error.exit_code == ExitCode.DATA
    if (isinstance(error, StoppedError) and not is_full) or not isinstance(error, Exception):  # a signal
        status = INTERRUPTED
    elif isinstance(error, DivergedError):
        status = DIVERGED
    parent.update_info(status=status, error=first_line(error))


def _run_fold(run: RunDir, request: TrainRequest, console: Console, machine: Mapping[str, Any]) -> None:
    """Finish a fold: skip it if finished, else resume or start it."""
    if run.info_file.exists() and run.info().get("status") == FINISHED:
        return
    if run.last_checkpoint.exists() or run.previous_checkpoint.exists():
        resume_training(run, request.data, console, machine)
        return
    if run.path.exists():
        remove_run(run)
    start_training(request, console)


def summarise(
    parent: RunDir,
    data: Path,
    train: TrainConfig,
    *,
    with_baselines: bool = False,
    on_unwritable: Callable[[OSError], None] | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Evaluate the folds, and store and return the metrics over all their predictions.

    Each item is predicted by the fold that tests it, and a metric is computed over all of them at once: the mean over
    folds of an RMSE, an R2 or an AUC is another quantity, and leaving one out it is the MAE, or undefined.

    The standard error is that of the mean over folds: the standard deviation over them divided by the square root of
    their number. Folds share training data, so it is too small rather than too large (Bengio & Grandvalet 2004, JMLR
    5).

    Args:
        parent: the cross-validation's run.
        data: the prepared data.
        train: device and threads.
        with_baselines: also evaluate the task's baselines.
        on_unwritable: called if nothing can be stored, in place of raising.
        warn: told how the data has changed since the folds were trained.

    Returns:
        `metrics`, `fold_means` and `standard_errors` (None where a fold has no such value), `lower_is_better`, `folds`
        (each run's path, items and metrics), and, if requested, the means `baselines` and their `baseline_errors`.

    Raises:
        RunError: a fold is not finished.
        OSError: the runs cannot be written, and there is no `on_unwritable`.
    """
    runs = fold_runs(parent)
    for run in runs:
        if not run.info_file.exists() or run.info().get("status") != FINISHED:
            raise RunError(
                f"{run.path}: not finished", hint=f"resume the folds with `dl train --resume {parent.reference}`"
            )
    kept = _kept_summary(parent, runs, data, with_baselines=with_baselines)
    if kept is not None:
        return kept
    device = open_device(train.device, threads=train.threads)
    metric, reports = None, []
    for run in runs:
        measured = measure_run(run, data, "test", device, with_baselines=with_baselines)
        reports.append(measured.report)
        if metric is None:
            metric = measured.metric
            for note in changes_since_trained(run, measured.task.card, data, "test"):
                warn(note)
        else:
            metric.merge(measured.metric)
    assert metric is not None
    summary = {
        "run": str(parent.path),
        "split": "test",
        "data": str(data),
        "items": sum(report["items"] for report in reports),
        **_figures(finite(metric.report()["metrics"]), reports),
        "lower_is_better": reports[0]["lower_is_better"],
        "folds": [{"run": r["run"], "items": r["items"], "metrics": r["metrics"]} for r in reports],
    }
    if with_baselines:
        names = reports[0]["baselines"]
        of = {name: [report["baselines"][name] for report in reports] for name in names}
        summary["baselines"] = {name: _each(found, statistics.fmean) for name, found in of.items()}
        summary["baseline_errors"] = {name: _each(found, _standard_error) for name, found in of.items()}
    try:
        for run, report in zip(runs, reports, strict=True):
            keep_report(run, report)
        keep_items_of(parent, "test", metric)
        keep_out_of_fold(parent, metric)
        write_json(parent.folder("eval") / SUMMARY, summary)
    except OSError as error:
        if on_unwritable is None:
            raise
        on_unwritable(error)
    return summary


def _figures(over_all: Mapping[str, float | None], reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the metrics over all predictions, and the means over folds with their standard errors.

    Where every fold tests a single item, only a metric that is a mean over items has a meaning in a fold.
    """
    metrics = [report["metrics"] for report in reports]
    means, errors = _each(metrics, statistics.fmean), _each(metrics, _standard_error)
    if all(report["items"] == 1 for report in reports):
        for name, mean in means.items():
            whole = over_all.get(name)
            if mean is None or whole is None or not math.isclose(mean, whole, rel_tol=1e-9, abs_tol=1e-12):
                means[name] = errors[name] = None
    return {"metrics": dict(over_all), "fold_means": means, "standard_errors": errors}


def _kept_summary(parent: RunDir, runs: Sequence[RunDir], data: Path, *, with_baselines: bool) -> dict[str, Any] | None:
    """Return the stored summary; None if there is none, or it is of other data, of older weights or without baselines.

    Version 0.1.0 stored the means over folds as metrics; its summaries, without `fold_means`, are not returned.
    """
    path = parent.path / "eval" / SUMMARY
    try:
        if any(path.stat().st_mtime < run.answering_checkpoint.stat().st_mtime for run in runs):
            return None
        summary = parent.read_json(f"eval/{SUMMARY}")
    except (OSError, DlError):
        return None
    is_whole = is_summary(summary, len(runs), with_baselines=with_baselines) and summary.get("data") == str(data)
    return {**summary, "run": str(parent.path)} if is_whole else None


def _each(
    reports: Sequence[Mapping[str, float | None]], reduce: Callable[[list[float]], float]
) -> dict[str, float | None]:
    """Return name -> the reduction of the folds' values; None if a fold has no value."""

    def values() -> Iterator[tuple[str, float | None]]:
        for name in reports[0]:
            found = [report.get(name) for report in reports]
            numbers = [float(value) for value in found if value is not None]
            yield name, reduce(numbers) if len(numbers) == len(found) else None

    return dict(values())


def _standard_error(values: list[float]) -> float:
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
