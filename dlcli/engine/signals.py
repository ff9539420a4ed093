"""Ctrl-C and SIGTERM as a wish: the step under way is finished, the state saved, the exit code told."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any

from dlcli.engine.callbacks import Callback, StopTraining

if TYPE_CHECKING:
    from dlcli.engine.loop import TrainState

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class StopOnSignal(Callback):
    """Stops the training after the step in which a signal arrived; a second signal does not wait."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def on_train_start(self, state: TrainState) -> None:
        """Take the signals over; outside the main thread Python cannot, and the caller keeps them."""
        del state
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in NAMES}

    def on_step_end(self, state: TrainState) -> None:
        """Stop where a signal has arrived."""
        del state
        if self.received is not None:
            raise StopTraining(f"stopped by {NAMES[self.received]}")

    def on_train_end(self, state: TrainState) -> None:
        """Give the signals back."""
        del state
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
