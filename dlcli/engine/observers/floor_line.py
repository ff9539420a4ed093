"""Print the floor before a training, and a warning at its end if the network has stayed below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcli.core.console import Console, format_figure
from dlcli.engine.callbacks import Callback
from dlcli.engine.floors import Floor, HasFloor

if TYPE_CHECKING:
    from dlcli.engine.state import TrainState


class FloorLine(Callback):
    """Prints the figure of a simple model on the validation part, and compares the best epoch with it.

    Args:
        console: where both are printed.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._floor: Floor | None = None

    def on_train_start(self, state: TrainState) -> None:
        """Print the floor, if the task knows one and epochs are compared."""
        goal = state.task.goal
        if goal is None or not isinstance(state.task, HasFloor):
            return
        self._floor = state.task.quick_floor()
        if self._floor is not None:
            figure = f"{goal.metric} {format_figure(self._floor.metrics[goal.metric])} on the validation part"
            self._console.say(f"floor: {self._floor.name}, {figure}, fitted on {self._floor.fitted}")

    def on_train_end(self, state: TrainState) -> None:
        """Warn if a whole training has not reached the floor."""
        goal, floor = state.task.goal, self._floor
        if goal is None or floor is None or state.best is None or state.failure is not None:
            return
        value = floor.metrics[goal.metric]
        if goal.is_better(value, state.best):
            reached = f"{goal.metric} {format_figure(state.best)}, below the floor's {format_figure(value)}"
            self._console.warn(f"{reached} ({floor.name})" + (f": try {floor.instead}" if floor.instead else ""))
