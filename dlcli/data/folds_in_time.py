"""Folds in time: each is tested on items that are later than all that it is trained on."""

from __future__ import annotations

import numpy as np

from dlcli.core.errors import DataError
from dlcli.core.train_config import IN_TIME, FoldPlan


def expanding_window(times: np.ndarray, plan: FoldPlan, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the items before the test part of a fold in time, and those in it, both in the order of time.

    The last K * (N // (K + 1)) items are cut into K test parts of equal size, and all before a test part is for
    training, as in scikit-learn's TimeSeriesSplit. Items of one time are never separated: a part begins with the first
    of them.

    Raises:
        DataError: there are too few times for so many folds.
    """
    assert plan.count is not None
    order = np.argsort(times, kind="stable")
    size = len(times) // (plan.count + 1)
    starts = len(times) - size * np.arange(plan.count, 0, -1)
    if size:
        starts = np.searchsorted(times[order], times[order][starts], side="left")
    bounds = np.concatenate([[0], starts, [len(times)]])
    if (np.diff(bounds) < 1).any():
        where = f"the column {plan.column!r} has {len(np.unique(times))} times" if plan.column else f"{len(times)} rows"
        raise DataError(f"--folds {IN_TIME}{plan.count}: too many folds: {where}", hint="use fewer folds")
    return order[: starts[fold - 1]], order[starts[fold - 1] : bounds[fold + 1]]
