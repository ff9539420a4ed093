"""`dl export RUN --prune 0.5`: prune a run's network before it is exported, and measure what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.core.config import option
from dlcli.core.errors import ParityError, UsageError

if TYPE_CHECKING:
    from dlcli.core.console import Console
    from dlcli.core.run_dir import RunDir
    from dlcli.engine.task import Task

SPLIT = "test"


@dataclass(frozen=True)
class Pruning:
    """Options of pruning."""

    prune: float | None = option(
        None,
        "set this share of the weights to zero, the smallest, and print the test metric before and after; the file "
        "gets smaller only where it is compressed",
        minimum=0.01,
        maximum=0.99,
        is_advanced=True,
    )
    max_drop: float | None = option(
        None,
        "with --prune or --quantize: write no file (exit 6) if the metric gets worse by more than this",
        minimum=0.0,
        is_advanced=True,
    )


def prune_task(task: Task, run: RunDir, data: Path, options: Pruning, console: Console) -> dict[str, Any]:
    """Prune the network of a run in place, and return what was done: the metric before and after, and the counts.

    Args:
        task: the run's task with its weights and data, on the CPU.
        run: the run.
        data: its prepared data.
        options: with a share to prune.
        console: for the line that says what it costs.

    Raises:
        UsageError: the task has no metric that judges it, or its network nothing to prune.
        ParityError: the metric gets worse by more than `max_drop`.
        DataError: the data has no test split.
    """
    from dlcli.engine.compute.device import open_device
    from dlcli.engine.runs.evaluation import measure_task
    from dlcli.engine.task import network_of
    from dlcli.models.pruning import prune_smallest

    assert options.prune is not None
    if task.goal is None:
        raise UsageError("--prune: nothing measures what it costs this task", hint="prune a task with a metric")
    name, device = task.goal.metric, open_device("cpu")

    def measured() -> float:
        return float(measure_task(task, str(run.path), data, SPLIT, device).report["metrics"][name])

    before = measured()
    try:
        zeros, total = prune_smallest(network_of(task), options.prune)
    except ValueError as error:
        raise UsageError(f"--prune: {error} in this network", hint="leave out --prune") from None
    after = measured()
    console.say(f"{SPLIT} {name} {before:.4f}, with {zeros:,} of {total:,} weights set to zero {after:.4f}")
    drop = before - after if task.goal.larger_is_better else after - before
    if options.max_drop is not None and not drop <= options.max_drop:  # NaN is refused, too
        raise ParityError(
            f"--prune {options.prune:g}: {name} gets worse by {drop:.4f}",
            details=[f"allowed by --max-drop: {options.max_drop:g}"],
            hint="prune less, or allow more",
        )
    return {"metric": name, "split": SPLIT, "before": before, "after": after, "zeros": zeros, "weights": total}
