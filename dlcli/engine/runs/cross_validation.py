"""Cross-validation: one ordinary run per fold, under a parent run that summarises them.

Folds run one after the other, each in a subfolder of the parent's `folds/`. Finished work is never repeated: an
interrupted cross-validation resumes in the fold, epoch and step where it stopped.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlcli.core.config import to_dict, write_toml
from dlcli.core.console import Console
from dlcli.core.errors import DivergedError, DlError, RunError, StoppedError, UsageError, first_line
from dlcli.core.files import write_json, write_text
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
    remove_run,
)
from dlcli.core.train_config import TrainConfig
from dlcli.data.parts import num_folds
from dlcli.engine.compute.device import open_device
from dlcli.engine.compute.distributed import world_of_environment
from dlcli.engine.request import TrainRequest
from dlcli.engine.runs.environment import git_revision, versions
from dlcli.engine.runs.evaluation import keep_report, measure_run
from dlcli.engine.runs.judging import refuse_unjudged
from dlcli.engine.runs.restore import describe_folds, request_of
from dlcli.engine.runs.training import resume_training, start_training


def cross_validate(request: TrainRequest, console: Console, *, ensure_data: Callable[[], None]) -> RunDir:
    """Train and evaluate every fold, and return the parent run.

    Raises:
        DlError: as in `start_training`; the parent run is kept once the first fold has started.
    """
    if not world_of_environment().is_alone:
        raise UsageError("--folds does not support several processes", hint="omit --devices, or use --fold N")
    ensure_data()
    spec, train = request.spec, request.train
    factory = load_object(spec.task)
    task = factory.from_data(request.config, replace(train, fold=1, repeats=1), request.data)
    refuse_unjudged(task.goal, train, request.auto)
    assert task.goal is not None
    task.loader("test")  # fail before creating a run if the folds cannot be split
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
        "folds": per_round * train.repeats,
        "folds_a_round": per_round,
    }
    del task
    parent = create_run(f"{request.dataset}-{request.model}-folds", info, request.name)
    write_text(parent.config_file, write_toml(to_dict(train, request.config), "every option as resolved"))
    return _run_folds(parent, request, console)


def resume_cross_validation(parent: RunDir, data: Path | None, console: Console) -> RunDir:
    """Resume a cross-validation where it stopped, and return the parent run.

    Raises:
        UsageError: it is finished.
        RunError: a run is damaged.
    """
    info = parent.info()
    if info.get("status") == FINISHED:
        raise UsageError(f"{parent.path} is finished", hint=f"start a new one with `dl train --from {parent.name}`")
    data = data or Path(parent.entry("data"))
    request = request_of(describe_folds(parent), parent.config_file, data, parent.entry("command"))
    parent.update_info(status=RUNNING)
    return _run_folds(parent, request, console)


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


def _run_folds(parent: RunDir, request: TrainRequest, console: Console) -> RunDir:
    runs = fold_runs(parent)
    per_round = int(parent.info().get("folds_a_round", len(runs)))
    try:
        for index, run in enumerate(runs):
            round_, fold = divmod(index, per_round)
            train = replace(request.train, fold=fold + 1, repeats=1, seed=request.train.seed + round_)
            console.say(f"fold {index + 1} of {len(runs)}")
            _run_fold(run, replace(request, train=train, name=run.path.name, folder=run.path.parent), console)
        report = summarise(parent, request.data, request.train)
    except BaseException as error:
        _close(parent, runs, error)
        if isinstance(error, StoppedError):
            hint = f"resume with `dl train --resume {parent.name}`"
            raise StoppedError(error.message, exit_code=error.exit_code, hint=hint) from None
        raise
    goal = parent.entry("goal")
    seconds = sum(float(run.info().get("seconds", 0)) for run in runs)
    best = {name: report[key][goal] for name, key in ((goal, "metrics"), ("standard_error", "standard_errors"))}
    parent.update_info(
        status=FINISHED,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 1),
        best=best,
    )
    return parent


def _close(parent: RunDir, runs: Sequence[RunDir], error: BaseException) -> None:
    if not any(run.info_file.exists() for run in runs):
        remove_run(parent)
        return
    status = FAILED
    if isinstance(error, StoppedError) or not isinstance(error, Exception):  # Ctrl-C or SIGTERM between two folds
        status = INTERRUPTED
    elif isinstance(error, DivergedError):
        status = DIVERGED
    parent.update_info(status=status, error=first_line(error))


def _run_fold(run: RunDir, request: TrainRequest, console: Console) -> None:
    """Finish a fold: skip it if finished, else resume or start it."""
    if run.info_file.exists() and run.info().get("status") == FINISHED:
        return
    if run.last_checkpoint.exists() or run.previous_checkpoint.exists():
        resume_training(run, request.data, console)
        return
    if run.path.exists():
        remove_run(run)
    start_training(request, console)


def summarise(parent: RunDir, data: Path, train: TrainConfig, *, with_baselines: bool = False) -> dict[str, Any]:
    """Evaluate the folds not evaluated yet, and store and return the means over all folds.

    The standard error is the standard deviation over the folds divided by the square root of their number. Folds share
    training data, so it is too small rather than too large (Bengio & Grandvalet 2004, JMLR 5).

    Returns:
        `metrics` (the means), `standard_errors`, `lower_is_better`, `folds` (each run's path, items and metrics), and,
        if requested, `baselines` and `baseline_errors`.

    Raises:
        RunError: a fold is not finished.
    """
    device = open_device(train.device, threads=train.threads)
    reports = []
    for run in fold_runs(parent):
        if not run.info_file.exists() or run.info().get("status") != FINISHED:
            raise RunError(f"{run.path}: not finished", hint=f"resume the folds with `dl train --resume {parent.name}`")
        report = _kept_report(run)
        if report is None or (with_baselines and "baselines" not in report):
            report = measure_run(run, data, "test", device, with_baselines=with_baselines).report
            keep_report(run, report)
        reports.append(report)
    metrics = [report["metrics"] for report in reports]
    summary = {
        "run": str(parent.path),
        "split": "test",
        "data": str(data),
        "items": sum(report["items"] for report in reports),
        "metrics": _each(metrics, statistics.fmean),
        "standard_errors": _each(metrics, _standard_error),
        "lower_is_better": reports[0]["lower_is_better"],
        "folds": [{"run": r["run"], "items": r["items"], "metrics": r["metrics"]} for r in reports],
    }
    if with_baselines:
        names = reports[0]["baselines"]
        of = {name: [report["baselines"][name] for report in reports] for name in names}
        summary["baselines"] = {name: _each(found, statistics.fmean) for name, found in of.items()}
        summary["baseline_errors"] = {name: _each(found, _standard_error) for name, found in of.items()}
    write_json(parent.folder("eval") / "test.json", summary)
    return summary


def _kept_report(run: RunDir) -> dict[str, Any] | None:
    """Return the stored report of a fold; None if there is none or it is older than the weights."""
    path = run.path / "eval" / "test.json"
    if not path.exists() or path.stat().st_mtime < run.best_checkpoint.stat().st_mtime:
        return None
    try:
        report = run.read_json("eval/test.json")
    except DlError:
        return None
    has_all = isinstance(report, dict) and {"metrics", "items", "run", "lower_is_better"} <= set(report)
    return report if has_all else None


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
