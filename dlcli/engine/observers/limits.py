"""`--max-steps` and `--max-time`: a training that has had its share ends as a finished one.

Both end the epoch under way: it is validated, recorded and saved as it stands, so that there is always a best
checkpoint. The rest of that epoch is not made up for, so a run that met its limit cannot be resumed; `--from` starts
anew with a larger one. A limit holds for the whole training: one that was interrupted and resumed has what is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dlcli.core.duration import parse_duration
from dlcli.core.train_config import TrainConfig
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.state import TrainState

if TYPE_CHECKING:
    from dlcli.engine.state import TrainState


class StepLimit(Callback):
    """Ends the training with the optimizer step of this number."""

    def __init__(self, num_steps: int) -> None:
        self._num_steps = num_steps

    def on_step_end(self, state: TrainState) -> None:
        """Stop at the limit."""
        if state.step >= self._num_steps:
            raise StopTraining(f"reached step {self._num_steps}, the last", finishes_epoch=True)


class TimeLimit(Callback):
    """Ends the training with the first step past a length of time; it counts on `state.seconds`, which is saved.

    Args:
        text: the length of time, as the user wrote it.
        clock: seconds since some moment.
    """

    def __init__(self, text: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._text = text
        self._limit_s = parse_duration(text)
        self._clock = clock
        self._began = 0.0  # when this training would have begun, had it run in one piece

    def on_train_start(self, state: TrainState) -> None:
        """Start the clock where the checkpoint stopped it."""
        self._began = self._clock() - state.seconds
        self._look(state, finishes_epoch=False)

    def on_step_end(self, state: TrainState) -> None:
        """Stop where the time is over; the epoch's validation follows."""
        self._look(state, finishes_epoch=True)

    def on_epoch_end(self, state: TrainState) -> None:
        """Stop where the validation has used up what was left."""
        self._look(state, finishes_epoch=False)

    def _look(self, state: TrainState, *, finishes_epoch: bool) -> None:
        state.seconds = self._clock() - self._began
        if state.world.any(state.seconds >= self._limit_s):
            raise StopTraining(f"reached --max-time {self._text}", finishes_epoch=finishes_epoch)


def limits_of(config: TrainConfig) -> Sequence[Callback]:
    """Return the observers for the limits that are set."""
    limits: list[Callback] = []
    if config.max_steps is not None:
        limits.append(StepLimit(config.max_steps))
    if config.max_time is not None:
        limits.append(TimeLimit(config.max_time))
    return limits


class EarlyStopping(Callback):
    """Stops after `patience` epochs without a better one."""

    def __init__(self, patience: int) -> None:
        self._patience = patience

    def on_epoch_end(self, state: TrainState) -> None:
        """Stop where the best epoch lies too far back; the state alone decides, so a resumed run stops alike."""
        if state.epoch - state.best_epoch >= self._patience:
            raise StopTraining(f"no better epoch for {self._patience} epochs")
