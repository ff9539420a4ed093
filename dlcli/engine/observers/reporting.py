"""Report the goal of each finished epoch to a study, which may prune the training."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.core.errors import DlError
from dlcli.core.records import read_metrics
from dlcli.engine.callbacks import Callback, StopTraining

if TYPE_CHECKING:
    from dlcli.engine.state import TrainState

Report = Callable[[int, float], bool]
"""(epoch, the goal's value) -> whether the training is hopeless."""


class ReportEpochs(Callback):
    """Reports the goal of each finished epoch, and stops the training if the answer is that it is hopeless.

    An epoch that a limit has cut short is validated and recorded as well, but not reported: it has seen fewer items
    than the same epoch of other trainings, with which it would be compared. A resumed training first reports the epochs
    before.

    Args:
        report: what is called with each of them.
        metrics_file: the run's `metrics.jsonl`.
    """

    def __init__(self, report: Report, metrics_file: Path) -> None:
        self._report = report
        self._metrics_file = metrics_file
        self.is_pruned = False

    def on_train_start(self, state: TrainState) -> None:
        """Report the epochs before the checkpoint; whether to prune is asked when the next one has ended."""
        if not state.epoch:
            return
        try:
            records = read_metrics(self._metrics_file)
        except DlError:  # damaged, as the run has reported
            return
        for record in records:
            if record["epoch"] <= state.epoch:
                self._tell(state, record)

    def on_epoch_end(self, state: TrainState) -> None:
        """Report the epoch, and stop if the training is hopeless; the last epoch cannot be saved any more."""
        is_hopeless = self._tell(state, state.record)
        if is_hopeless and state.epoch < state.num_epochs:
            self.is_pruned = True
            raise StopTraining(f"pruned after epoch {state.epoch}: other trials were better by then")

    def _tell(self, state: TrainState, record: dict[str, Any]) -> bool:
        goal = state.task.goal
        value = record.get(goal.metric) if goal is not None else None
        is_whole = record.get("step") == record["epoch"] * state.steps_per_epoch
        if not is_whole or not isinstance(value, (int, float)) or not math.isfinite(value):
            return False
        return self._report(int(record["epoch"]), float(value))
