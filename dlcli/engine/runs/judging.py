"""Reject options that compare epochs, learning rates or folds if there is no metric to compare them by."""

from __future__ import annotations

from collections.abc import Collection

from dlcli.core.errors import UsageError
from dlcli.core.train_config import PLATEAU, SCHEDULES, TrainConfig, read_schedule
from dlcli.engine.task import Goal


def refuse_unjudged(
    goal: Goal | None, train: TrainConfig, auto: Collection[str] = (), *, is_validated: bool = True
) -> None:
    """Check that every option that compares has a metric to compare by.

    Args:
        goal: the task's goal.
        train: the loop's resolved options.
        auto: the names of the options to tune.
        is_validated: whether there is a validation split that each epoch is evaluated on.

    Raises:
        UsageError: an option needs a goal or a validation split, and there is none.
    """
    by_epoch: dict[str, str] = {}
    if train.patience is not None:
        by_epoch[f"--patience {train.patience}"] = "use --epochs, --max-steps or --max-time instead"
    if read_schedule(train.schedule)[0] == PLATEAU:
        by_epoch[f"--schedule {PLATEAU}"] = f"use one of {', '.join(name for name in SCHEDULES if name != PLATEAU)}"
    by_figure = dict(by_epoch)
    if train.folds is not None or train.splits is not None:
        by_figure["--folds" if train.folds is not None else "--splits"] = "omit it"
    if "learning_rate" in auto:
        by_figure["--lr auto"] = "give --lr a number"
    if goal is None and by_figure:
        option, hint = next(iter(by_figure.items()))
        raise UsageError(f"{option}: this task has no metric to compare by", hint=hint)
    if not is_validated and by_epoch:
        option = next(iter(by_epoch))
        message = f"{option}: there is no validation split, so epochs cannot be compared"
        raise UsageError(message, hint="hold out a part, as with --val-fraction 0.1, or omit the option")
