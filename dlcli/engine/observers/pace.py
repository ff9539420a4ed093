"""Choose the number of threads again when the training runs at another pace: the machine has got busy, or quiet."""

from __future__ import annotations

import torch

from dlcli.core.console import Console
from dlcli.engine.callbacks import Callback
from dlcli.engine.compute.threads import choose_threads
from dlcli.engine.state import TrainState
from dlcli.engine.task import Batch

CHANGE = 1.5
"""An epoch is at another pace if its steps take this many times as long as when the threads were chosen, or less."""

SHORTEST_S = 5.0
"""Shorter epochs are not worth the second that choosing takes."""


class Pace(Callback):
    """Chooses the threads again after an epoch at another pace.

    Args:
        batch: a training batch to time.
        console: prints a line when the number changes.
    """

    def __init__(self, batch: Batch, console: Console) -> None:
        self._batch = batch
        self._console = console
        self._step_s: float | None = None  # in the epoch after the threads were chosen
        self._first_step = 0

    def on_train_start(self, state: TrainState) -> None:
        """Note where the first epoch begins, which may be in the middle."""
        self._first_step = state.step

    def on_epoch_end(self, state: TrainState) -> None:
        """Compare the pace, and choose again if it has changed."""
        seconds, num_steps = float(state.record["seconds"]), state.step - self._first_step
        self._first_step = state.step
        if seconds < SHORTEST_S or num_steps == 0:
            return
        step_s = seconds / num_steps
        if self._step_s is None:
            self._step_s = step_s
        elif not 1 / CHANGE < step_s / self._step_s < CHANGE:
            self._choose(state, step_s / self._step_s)

    def _choose(self, state: TrainState, ratio: float) -> None:
        before = torch.get_num_threads()
        count, why = choose_threads(state.task, state.device, self._batch)
        self._step_s = None  # the next epoch says what to expect
        if count != before:
            what = f"{ratio:.1f}x as slow" if ratio > 1 else f"{1 / ratio:.1f}x as fast"
            self._console.say(f"epoch {state.epoch} was {what} as before: {count} threads ({why})")
