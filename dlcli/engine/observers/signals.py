"""Graceful stop on Ctrl-C and SIGTERM: finish the current step, save the state, set the exit code."""

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
    """Stops the training after the step or validation in which a signal arrives; a second signal stops it at once.

    A context manager: it installs the signal handlers on entry and restores the previous ones on exit. Outside the
    main thread, where Python cannot install handlers, it leaves the caller's in place.
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
        """Stop if a signal has arrived."""
        self._stop(state)

    def on_epoch_end(self, state: TrainState) -> None:
        """Stop if a signal has arrived during validation."""
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
