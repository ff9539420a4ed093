"""Observers of a training: four moments, at each of which a callback may read the state or raise `StopTraining`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcli.engine.state import TrainState


class StopTraining(Exception):  # noqa: N818 - it is no error
    """Ends the training after the step under way.

    Args:
        reason: why.
        finishes_epoch: raised after a step: the epoch is first validated and recorded as it stands.
    """

    def __init__(self, reason: str, *, finishes_epoch: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.finishes_epoch = finishes_epoch


class Callback:
    """Does nothing at four moments of a training."""

    def on_train_start(self, state: TrainState) -> None:
        """Before the first batch; on a resumed run, before its first."""

    def on_step_end(self, state: TrainState) -> None:
        """After every optimizer step."""

    def on_epoch_end(self, state: TrainState) -> None:
        """After validation; `state.epoch` is the next epoch already, `state.record` the finished one's figures."""

    def on_train_end(self, state: TrainState) -> None:
        """After the last epoch, `StopTraining`, or a failure (then `state.failure` is set)."""
