"""`--max-steps` and `--max-time`: a training that reaches its limit counts as finished. `--patience`: early stopping.

The limits end the current epoch early: it is validated, recorded and saved, so that there is always a best checkpoint.
The rest of that epoch is lost, so a run that reached its limit cannot be resumed; `--from` starts a new one with a
larger limit. A limit applies to the whole training: an interrupted and resumed training has what remains of it, in
epochs if another number of processes goes on with it, since that changes what a step is.
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
    """Stops the training after this many optimizer steps, or at the end of a schedule that a budget has lengthened."""

    def __init__(self, num_steps: int) -> None:
        self._num_steps = num_steps

    def on_train_start(self, state: TrainState) -> None:
        """End with a resumed training's schedule if that ends within an epoch: a budget may have shortened it."""
        if state.schedule.num_steps % state.steps_per_epoch:
            self._num_steps = min(self._num_steps, state.schedule.num_steps)

    def on_step_end(self, state: TrainState) -> None:
        """Stop at the limit."""
        last = max(self._num_steps, state.schedule.num_steps)
        if state.step >= last:
            raise StopTraining(f"reached step {last}, the last", finishes_epoch=True)


class TimeLimit(Callback):
    """Stops the training after the first step beyond a time limit; the time so far is saved as `state.seconds`.

    Args:
        text: the limit as the user wrote it.
        clock: returns seconds since an arbitrary moment.
    """

    def __init__(self, text: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._text = text
        self._limit_s = parse_duration(text)
        self._clock = clock
        self._began = 0.0  # when this training would have started without interruption

    def on_train_start(self, state: TrainState) -> None:
        """Resume the clock from the checkpoint."""
        self._began = self._clock() - state.seconds
        self._look(state, finishes_epoch=False)

    def on_step_end(self, state: TrainState) -> None:
        """Stop if the time is up; the epoch is still validated."""
        self._look(state, finishes_epoch=True)

    def on_epoch_end(self, state: TrainState) -> None:
        """Stop if the validation has used up the remaining time."""
        self._look(state, finishes_epoch=False)

    def _look(self, state: TrainState, *, finishes_epoch: bool) -> None:
        state.seconds = self._clock() - self._began
        if state.world.any(state.seconds >= self._limit_s):
            raise StopTraining(f"reached --max-time {self._text}", finishes_epoch=finishes_epoch)


def limits_of(config: TrainConfig) -> Sequence[Callback]:
    """Return the callbacks for the limits that are set."""
    limits: list[Callback] = []
    if config.max_steps is not None:
        limits.append(StepLimit(config.max_steps))
    if config.max_time is not None:
        limits.append(TimeLimit(config.max_time))
    return limits


class EarlyStopping(Callback):
    """Stops after `patience` epochs without improvement."""

    def __init__(self, patience: int) -> None:
        self._patience = patience

    def on_train_start(self, state: TrainState) -> None:
        """Stop a resumed training that a signal stopped in the epoch after which there was no patience left."""
        self.on_epoch_end(state)

    def on_epoch_end(self, state: TrainState) -> None:
        """Stop if the best epoch is too long ago; that depends on the state alone, so a resumed run stops the same."""
        if state.epoch - state.best_epoch >= self._patience:
            raise StopTraining(f"no better epoch for {self._patience} epochs")
