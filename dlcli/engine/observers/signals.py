"""Graceful stop on a signal such as Ctrl-C or SIGTERM: finish the current step, save the state, set the exit code."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from dlcli.core.interruption import STOPS, unwind
from dlcli.engine.callbacks import Callback, StopTraining

if TYPE_CHECKING:
    from dlcli.engine.state import TrainState

_ACTIVE: list[StopOnSignal] = []
"""Those whose handlers are installed, the innermost last: a cross-validation's, and that of the fold being trained."""


class StopOnSignal(Callback):
    """Stops the training after the step or validation in which a signal arrives; a second signal stops it at once.

    A context manager: it installs the signal handlers on entry and restores the previous ones on exit. Outside the
    main thread, where Python cannot install handlers, it leaves the caller's in place. A signal that arrives after the
    last step stops nothing: the run is finished. It is passed on to the surrounding `StopOnSignal`, if there is one.

    Attributes:
        received: the signal that has arrived.
        has_stopped: whether it has stopped the training.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.has_stopped = False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if _ACTIVE:
            self.received = _ACTIVE[-1].received
        _ACTIVE.append(self)
        if threading.current_thread() is threading.main_thread():
            wanted = [number for number in STOPS if number == signal.SIGINT or _is_heeded(number)]
            self._previous = {number: signal.signal(number, self._note) for number in wanted}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
        _ACTIVE.remove(self)
        if _ACTIVE and _ACTIVE[-1].received is None:
            _ACTIVE[-1].received = self.received

    def on_step_end(self, state: TrainState) -> None:
        """Stop if a signal has arrived."""
        self._stop(state)

    def on_epoch_end(self, state: TrainState) -> None:
        """Stop if a signal has arrived during validation, unless it was the last epoch's."""
        if state.epoch < state.num_epochs:
            self._stop(state)

    def _stop(self, state: TrainState) -> None:
        if state.world.any(self.received is not None):
            self.received = self.received or signal.SIGTERM  # it reached another process first
            self.has_stopped = True
            raise StopTraining(f"stopped by {STOPS[self.received]}")

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            self.has_stopped = True
            unwind(signal.SIGINT, frame)
        self.received = signal.Signals(number)


def _is_heeded(number: signal.Signals) -> bool:
    """Return whether the caller has not asked to ignore the signal, as `nohup` does."""
    return signal.getsignal(number) != signal.SIG_IGN
