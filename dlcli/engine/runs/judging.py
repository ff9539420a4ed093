"""Options that compare epochs, learning rates or folds by a figure: refused where there is none to compare by."""

from __future__ import annotations

from collections.abc import Collection

from dlcli.core.errors import UsageError
from dlcli.core.train_config import SCHEDULES, TrainConfig
from dlcli.engine.task import Goal

PLATEAU = "plateau"


def refuse_unjudged(
    goal: Goal | None, train: TrainConfig, auto: Collection[str] = (), *, is_validated: bool = True
) -> None:
    """See that every option which compares has something to compare by.

    Args:
        goal: the task's.
        train: the loop's options, resolved.
        auto: the names of those that are to be found by trying.
        is_validated: whether there is a validation part that each epoch is measured on.

    Raises:
        UsageError: an option needs a goal or a validation part, and there is none.
    """
    by_epoch: dict[str, str] = {}
    if train.patience is not None:
        by_epoch[f"--patience {train.patience}"] = "leave it out; --epochs, --max-steps and --max-time end it too"
    if train.schedule == PLATEAU:
        by_epoch[f"--schedule {PLATEAU}"] = f"take {', '.join(name for name in SCHEDULES if name != PLATEAU)}"
    by_figure = dict(by_epoch)
    if train.folds is not None or train.splits is not None:
        by_figure["--folds" if train.folds is not None else "--splits"] = "leave it out"
    if "learning_rate" in auto:
        by_figure["--lr auto"] = "give --lr a number"
    if goal is None and by_figure:
        option, hint = next(iter(by_figure.items()))
        raise UsageError(f"{option}: this task has no figure that tells better from worse", hint=hint)
    if not is_validated and by_epoch:
        option = next(iter(by_epoch))
        message = f"{option}: nothing is validated, so no epoch is known to be better than another"
        raise UsageError(message, hint="hold a part out, as with --val-fraction 0.1, or leave the option out")
