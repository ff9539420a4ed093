"""Measuring a run on data it has not seen: what `dl eval` and cross-validation share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.errors import UsageError
from dlcli.core.files import write_json
from dlcli.core.run_dir import RunDir
from dlcli.engine.compute.device import Device
from dlcli.engine.evaluate import evaluate
from dlcli.engine.runs.restore import load_task
from dlcli.engine.task import DescribesItems, HasBaselines, Task


@dataclass(frozen=True)
class Measured:
    """A run's task and what it reached.

    Attributes:
        task: with the run's best weights.
        report: what `Metric.report` gives, JSON values; with `run`, `split`, `data`, `items`, and `baselines` where
            they were asked for.
    """

    task: Task
    report: dict[str, Any]


def measure_run(
    run: RunDir, data: Path, split: str, device: Device, *, inference: Any = None, with_baselines: bool = False
) -> Measured:
    """Measure a run on a split; `keep_report` keeps what comes of it.

    Raises:
        UsageError: the task has no baselines and they were asked for.
        DataError: there is no such split.
        RunError: the run is damaged.
    """
    task, _ = load_task(run, data=data, inference=inference)
    loader = task.loader(split)
    device.place(task.model)
    report = finite(evaluate(task, loader, device).report())
    if with_baselines:
        if not isinstance(task, HasBaselines):
            raise UsageError("--baseline: this task has no simple model to compare with")
        report["baselines"] = finite(task.baseline(split))
    if isinstance(task, DescribesItems):
        rows = [entry["index"] for entry in report["worst"]]
        for entry, text in zip(report["worst"], task.describe(split, rows), strict=True):
            entry["text"] = text
    where = {"run": str(run.path), "split": split, "data": str(data), "items": loader.num_items}
    return Measured(task, {**where, **report})


def keep_report(run: RunDir, report: Mapping[str, Any]) -> None:
    """Keep a report in its run, as `eval/SPLIT.json`."""
    write_json(run.folder("eval") / f"{report['split']}.json", report)


def finite(value: Any) -> Any:
    """Return the value with null for what JSON has no number for."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
