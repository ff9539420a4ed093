"""Callbacks that only observe: a training goes on without them."""

from __future__ import annotations

from collections.abc import Callable

from dlcli.core.console import Console
from dlcli.core.errors import first_line
from dlcli.engine.callbacks import Callback
from dlcli.engine.state import TrainState


class Observing(Callback):
    """Wraps a callback whose failure stops the callback, with a warning, and not the training.

    Args:
        callback: what observes.
        name: what it is called in the warning.
        console: where the warning is printed.
    """

    def __init__(self, callback: Callback, name: str, console: Console) -> None:
        self._callback = callback
        self._name = name
        self._console = console
        self._has_failed = False

    def on_train_start(self, state: TrainState) -> None:
        """See `Callback`."""
        self._try(self._callback.on_train_start, state)

    def on_step_end(self, state: TrainState) -> None:
        """See `Callback`."""
        self._try(self._callback.on_step_end, state)

    def on_steps_end(self, state: TrainState) -> None:
        """See `Callback`."""
        self._try(self._callback.on_steps_end, state)

    def on_epoch_end(self, state: TrainState) -> None:
        """See `Callback`."""
        self._try(self._callback.on_epoch_end, state)

    def on_train_end(self, state: TrainState) -> None:
        """See `Callback`."""
        self._try(self._callback.on_train_end, state)

    def _try(self, method: Callable[[TrainState], None], state: TrainState) -> None:
        if self._has_failed:
            return
        try:
            method(state)
        except Exception as error:
            self._has_failed = True
            reason = (error.strerror if isinstance(error, OSError) else None) or first_line(error)
            self._console.warn(f"{self._name}: {reason}; the training goes on without")
