"""`--budget` on a machine that gets slower: the training is shortened, and its schedule with it, to end in time."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Callable

from dlcli.core.console import Console
from dlcli.engine.callbacks import Callback, StopTraining
from dlcli.engine.state import TrainState

LOOK_EVERY = 10
"""Steps between looks at the clock, which several processes share."""

TOLERANCE = 1.1
"""The training is shortened if what is left takes this many times the time that is left."""

NEWEST = 3
"""The pace is that of this many looks; the first steps of an epoch are slow, and a single pause means nothing."""


class BudgetKeeper(Callback):
    """Shortens a training that would end after its deadline, and gives it back its length when the machine recovers.

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
        self._looked = (0, 0.0)  # the step and the time of the last look
        self._paces: deque[float] = deque(maxlen=NEWEST)
        self._planned: int | None = None  # the steps, once they are no longer those

    def on_train_start(self, state: TrainState) -> None:
        """Start the clock."""
        self._looked = (state.step, self._clock())

    def on_epoch_end(self, state: TrainState) -> None:
        """Leave the validation out of the pace."""
        self.on_train_start(state)

    def on_step_end(self, state: TrainState) -> None:
        """Compare what is left with the time that is left; end the epoch and the training at the last step."""
        step, moment = self._looked
        if state.step - step >= LOOK_EVERY:
            now = self._clock()
            self._looked = (state.step, now)
            self._paces.append(max(1e-9, (now - moment) / (state.step - step)))
            if len(self._paces) == NEWEST or now >= self._deadline:
                self._fit(state, statistics.median(self._paces), self._deadline - now)
        if self._planned is not None and state.step >= state.schedule.num_steps:
            raise StopTraining(f"the budget ended the training at step {state.step}", finishes_epoch=True)

    def _fit(self, state: TrainState, step_s: float, left_s: float) -> None:
        remaining = state.schedule.num_steps - state.step
        needed_s = remaining * step_s + math.ceil(remaining / state.steps_per_epoch) * self._valid_s
        if self._planned is None and needed_s <= max(0.0, left_s) * TOLERANCE:
            return
        epoch_s = state.steps_per_epoch * step_s + self._valid_s
        fitting = state.step + max(0, int((left_s - self._valid_s) / epoch_s * state.steps_per_epoch))
        if self._planned is None:
            self._planned = state.schedule.num_steps
            self._console.say(
                f"the machine is slower than when the budget was planned: about {fitting} steps in place of "
                f"{self._planned}"
            )
        state.schedule.num_steps = min(self._planned, fitting)
        state.num_epochs = max(state.epoch + 1, math.ceil(state.schedule.num_steps / state.steps_per_epoch))
