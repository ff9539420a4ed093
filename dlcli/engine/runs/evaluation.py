"""Evaluate a run on held-out data; shared by `dl eval` and cross-validation."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlcli.core.errors import DataError, UsageError
from dlcli.core.files import finite, write_json
from dlcli.core.run_dir import RunDir
from dlcli.core.table import Table
from dlcli.data.card import warnings_since_prepared
from dlcli.engine.compute.device import Device
from dlcli.engine.embedding import few_shot_figures
from dlcli.engine.evaluate import evaluate
from dlcli.engine.runs.changed_data import changes_since_trained
from dlcli.engine.runs.restore import load_task
from dlcli.engine.task import HasBaselines, Loader, Metric, Task, network_of


@dataclass(frozen=True)
class Measured:
    """A run's task and its evaluation.

    Attributes:
        task: the task with the weights that were measured.
        report: the JSON values of `Metric.report`, with `run`, `split`, `data`, `items`, the entries of the tables, and
            `baselines` if requested.
        tables: the tables to print.
        metric: the metric, to be merged with those of other folds.
        notes: how the data has changed since the run was trained, and what was found while it was read, such as
            unreadable items, which `items` does not count.
    """

    task: Task
    report: dict[str, Any]
    tables: Sequence[Table]
    metric: Metric
    notes: Sequence[str]


def measure_run(
    run: RunDir,
    data: Path,
    split: str,
    device: Device,
    *,
    inference: Any = None,
    with_baselines: bool = False,
    few_shot: int | None = None,
) -> Measured:
    """Evaluate a run on a split; `keep_report` stores the result.

    Args:
        run, data, split, device, inference: what is evaluated, on what and where.
        with_baselines: also evaluate the task's baselines.
        few_shot: also evaluate the nearest class mean of this many training items of each class, beside the baselines.

    Raises:
        UsageError: baselines are requested and the task has none, or see `few_shot_figures`.
        DataError: there is no such split, or it is empty.
        RunError: the run is damaged.
    """
    task, _ = load_task(run, data=data, inference=inference)
    more: dict[str, Any] = {"with_baselines": with_baselines, "few_shot": few_shot}
    measured = measure_task(task, str(run.path), data, split, device, **more)
    return replace(measured, notes=[*changes_since_trained(run, task.card, data, split), *measured.notes])


def measure_task(
    task: Task,
    name: str,
    data: Path,
    split: str,
    device: Device,
    *,
    with_baselines: bool = False,
    few_shot: int | None = None,
) -> Measured:
    """Evaluate a task with its data and weights on a split. See `measure_run`; `name` stands for the run's path."""
    loader = open_split(task, data, split)
    device.place(network_of(task))
    metric = evaluate(task, loader, device)
    more: dict[str, Any] = {}
    if few_shot is not None:
        more[f"nearest mean of {few_shot}"] = few_shot_figures(task, split, device, few_shot, name=name)
    where = {"run": name, "split": split, "data": str(data), "items": loader.num_items}
    return summarise_metric(task, metric, where, with_baselines=with_baselines, baselines=more)


def open_split(task: Task, data: Path, split: str) -> Loader:
    """Return the loader of a split of the task's data.

    Raises:
        DataError: there is no such split, or it is empty.
    """
    loader = task.loader(split)
    if len(loader) == 0:
        raise DataError(f"{data}: nothing to measure: the split {split!r} is empty", hint=f"try {_other_split(split)}")
    return loader


def summarise_metric(
    task: Task,
    metric: Metric,
    where: Mapping[str, Any],
    *,
    with_baselines: bool,
    baselines: Mapping[str, Any] | None = None,
) -> Measured:
    """Return the evaluation whose metric has seen all items.

    Args:
        task: the task, whose tables and baselines are added.
        metric: its metric.
        where: `run`, `split`, `data` and `items` of the report.
        with_baselines: also evaluate the task's baselines.
        baselines: name -> metrics of others that stand beside them.

    Raises:
        UsageError: baselines are requested and the task has none.
    """
    report, split = finite(metric.report()), where["split"]
    own: dict[str, Any] = {}
    if with_baselines:
        if not isinstance(task, HasBaselines):
            raise UsageError("--baseline: this task has no baseline")
        own = finite(task.baseline(split))
    if own or baselines:
        report["baselines"] = {**own, **(baselines or {})}
    tables = list(task.tables(report, split))
    report |= {table.name: finite(list(table.entries)) for table in tables}
    notes = warnings_since_prepared(task.card, Path(where["data"]))
    return Measured(task, {**where, **report}, tables, metric, notes)


def require_items(report: Mapping[str, Any], notes: Sequence[str]) -> None:
    """Check that something was measured.

    Args:
        report: of an evaluation.
        notes: what was found while the data was read.

    Raises:
        DataError: no item could be read.
    """
    if not report["items"]:
        raise DataError(
            f"{report['data']}: nothing to measure: no item of the split {report['split']!r} can be read",
            details=notes[:3],
            hint=f"`dl doctor {shlex.quote(report['data'])}` shows why",
        )


def _other_split(split: str) -> str:
    return " or ".join(f"--split {other}" for other in ("test", "valid", "train") if other != split)


def keep_report(run: RunDir, report: Mapping[str, Any]) -> None:
    """Store a report in its run as `eval/SPLIT.json`."""
    write_json(run.folder("eval") / f"{report['split']}.json", report)
