"""Callbacks of a training: at five events, a callback may read the state or raise `StopTraining`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcli.engine.state import TrainState


class StopTraining(Exception):  # noqa: N818 - it is not an error
    """Ends the training after the current step.

    Args:
        reason: why, for the user.
        finishes_epoch: if raised after a step, validate and record the unfinished epoch first.
    """

    def __init__(self, reason: str, *, finishes_epoch: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.finishes_epoch = finishes_epoch


class Callback:
    """The events of a training; each method does nothing unless overridden."""

    def on_train_start(self, state: TrainState) -> None:
        """Called before the first batch, also of a resumed run."""

    def on_step_end(self, state: TrainState) -> None:
        """Called after every optimizer step."""

    def on_steps_end(self, state: TrainState) -> None:
        """Called after the last step of an epoch, which a limit may have cut short, and before its validation."""

    def on_epoch_end(self, state: TrainState) -> None:
        """Called after validation; `state.epoch` is already the next epoch, `state.record` that of the finished one."""

    def on_train_end(self, state: TrainState) -> None:
        """Called after the last epoch, `StopTraining`, or a failure (`state.failure` is then set)."""
