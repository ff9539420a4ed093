"""Ctrl-C and SIGTERM as a wish: the step under way is finished, the state saved, the exit code told."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from dlcli.engine.callbacks import Callback, StopTraining

if TYPE_CHECKING:
    from dlcli.engine.state import TrainState

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class StopOnSignal(Callback):
    """Stops the training after the step or the validation in which a signal arrived; a second one does not wait.

    Used as a context: the signals are taken over at its start and given back at its end. Outside the main thread Python
    cannot take them over, and the caller keeps them.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in NAMES}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def on_step_end(self, state: TrainState) -> None:
        """Stop where a signal has arrived."""
        self._stop(state)

    def on_epoch_end(self, state: TrainState) -> None:
        """Stop where a signal has arrived while the epoch was validated."""
        self._stop(state)

    def _stop(self, state: TrainState) -> None:
        if state.world.any(self.received is not None):
            self.received = self.received or signal.SIGTERM  # it reached another process first
            raise StopTraining(f"stopped by {NAMES[self.received]}")

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
