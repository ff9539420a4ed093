"""`--budget` on a machine whose speed changes: the training and its schedule are shortened or lengthened to fill it."""

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

FASTER = 1.2
"""In its first half it is lengthened if the time that is left is this many times what is left takes. Later the learning
rate, which has fallen, would have to rise again."""

NEWEST = 3
"""The pace is that of this many looks; the first steps of an epoch are slow, and a single pause means nothing."""


class BudgetKeeper(Callback):
    """Shortens a training that would end after its deadline, and lengthens one that would end long before it.

    The learning rate then falls as that of a training that had this length from the start: one that is cut off at a
    high rate is far worse.

    Args:
        deadline: when the last validation must have ended, by the clock.
        valid_s: seconds of a validation.
        most_steps: more steps than these are not taken, however much time is left.
        console: prints a line when the length is first changed.
        clock: returns seconds; all processes read the same.
    """

    def __init__(
        self, deadline: float, valid_s: float, most_steps: int, console: Console, clock: Callable[[], float]
    ) -> None:
        self._deadline = deadline
        self._valid_s = valid_s
        self._most_steps = most_steps
        self._console = console
        self._clock = clock
        self._looked = (0, 0.0)  # the step and the time of the last look
        self._paces: deque[float] = deque(maxlen=NEWEST)
        self._longest = 0  # the steps of the longest training that was planned so far
        self._is_changed = False

    def on_train_start(self, state: TrainState) -> None:
        """Start the clock."""
        self._longest = state.schedule.num_steps
        self._looked = (state.step, self._clock())

    def on_epoch_end(self, state: TrainState) -> None:
        """Leave the validation out of the pace."""
        self._looked = (state.step, self._clock())

    def on_step_end(self, state: TrainState) -> None:
        """Compare what is left with the time that is left; end the epoch and the training at the last step."""
        step, moment = self._looked
        if state.step - step >= LOOK_EVERY:
            now = self._clock()
            self._looked = (state.step, now)
            self._paces.append(max(1e-9, (now - moment) / (state.step - step)))
            if len(self._paces) == NEWEST or now >= self._deadline:
                self._fit(state, statistics.median(self._paces), self._deadline - now)
        if self._is_changed and state.step >= state.schedule.num_steps:
            raise StopTraining(f"the budget ended the training at step {state.step}", finishes_epoch=True)

    def _fit(self, state: TrainState, step_s: float, left_s: float) -> None:
        planned = state.schedule.num_steps
        remaining = planned - state.step
        needed_s = remaining * step_s + math.ceil(remaining / state.steps_per_epoch) * self._valid_s
        is_slow = needed_s > max(0.0, left_s) * TOLERANCE
        is_first_half = state.step < self._longest / 2
        is_fast = is_first_half and needed_s * FASTER < left_s and planned < self._most_steps
        if not (self._is_changed or is_slow or is_fast):
            return
        epoch_s = state.steps_per_epoch * step_s + self._valid_s
        fitting = state.step + max(0, int((left_s - self._valid_s) / epoch_s * state.steps_per_epoch))
        steps = min(self._most_steps if is_first_half else self._longest, fitting)
        if not self._is_changed:
            self._is_changed = True
            word = "slower" if is_slow else "faster"
            self._console.say(
                f"the machine is {word} than when the budget was planned: about {steps} steps in place of {planned}"
            )
        state.schedule.num_steps = steps
        state.num_epochs = max(state.epoch + 1, math.ceil(steps / state.steps_per_epoch))
        self._longest = max(self._longest, steps)
