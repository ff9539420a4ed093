"""`--budget` on a machine that gets slower: the training is shortened, and its schedule with it, to end in time."""

from __future__ import annotations

import math
from collections.abc import Callable

from dlcli.core.console import Console
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.state import TrainState

LOOK_EVERY = 10
"""Steps between looks at the clock, which several processes share."""

TOLERANCE = 1.1
"""The training is shortened if what is left takes this many times the time that is left."""


class BudgetKeeper(Callback):
    """Shortens a training that would end after its deadline.

    The learning rate then falls as that of a training that was as short from the start: one that is cut off at a high
    rate is far worse.

    Args:
        deadline: when the last validation must have ended, by the clock.
        valid_s: seconds of a validation.
        console: prints a line when the training is first shortened.
        clock: returns seconds; all processes read the same.
    """

    def __init__(self, deadline: float, valid_s: float, console: Console, clock: Callable[[], float]) -> None:
        self._deadline = deadline
        self._valid_s = valid_s
        self._console = console
        self._clock = clock
        self._moment = 0.0
        self._step = 0
        self._planned: int | None = None

    def on_train_start(self, state: TrainState) -> None:
        """Start the clock."""
        self._moment, self._step = self._clock(), state.step

    def on_epoch_end(self, state: TrainState) -> None:
        """Leave the validation out of the pace."""
        self.on_train_start(state)

    def on_step_end(self, state: TrainState) -> None:
        """Compare what is left with the time that is left; end the epoch and the training at the last step."""
        if state.step - self._step >= LOOK_EVERY:
            now = self._clock()
            step_s = max(1e-9, (now - self._moment) / (state.step - self._step))
            self._moment, self._step = now, state.step
            self._shorten(state, step_s, self._deadline - now)
        if self._planned is not None and state.step >= state.schedule.num_steps:
            raise StopTraining(f"the budget ended the training at step {state.step}", finishes_epoch=True)

    def _shorten(self, state: TrainState, step_s: float, left_s: float) -> None:
        remaining = state.schedule.num_steps - state.step
        validations = math.ceil(remaining / state.steps_per_epoch)
        if remaining <= 0 or remaining * step_s + validations * self._valid_s <= max(0.0, left_s) * TOLERANCE:
            return
        epoch_s = state.steps_per_epoch * step_s + self._valid_s
        fitting = max(0, int((left_s - self._valid_s) / epoch_s * state.steps_per_epoch))
        if self._planned is None:
            self._planned = state.schedule.num_steps
            self._console.say(
                f"the machine is slower than when the budget was planned: about {state.step + fitting} steps in place "
                f"of {self._planned}"
            )
        state.schedule.num_steps = min(state.schedule.num_steps, state.step + fitting)
        state.num_epochs = max(state.epoch + 1, math.ceil(state.schedule.num_steps / state.steps_per_epoch))
