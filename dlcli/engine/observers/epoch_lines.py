"""Print one line per epoch and, on a terminal, a progress bar below it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from dlcli.core.console import Console, format_figure, has_colour
from dlcli.engine.callbacks import Callback

if TYPE_CHECKING:
    from dlcli.engine.state import TrainState


class EpochLines(Callback):
    """Prints one line per epoch and, on a terminal, a progress bar below it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Any = None
        self._total_seconds = 0.0
        self._epochs_seen = 0

    def on_train_start(self, state: TrainState) -> None:
        """Open the progress bar if stderr is a terminal."""
        if self._console.is_quiet or not has_colour(sys.stderr):
            return
        from dlcli.engine.observers.progress import StepBar

        self._bar = StepBar(total=state.steps_per_epoch)

    def on_step_end(self, state: TrainState) -> None:
        """Update the bar."""
        if self._bar is not None:
            self._bar.show(
                f"epoch {state.epoch + 1}/{state.num_epochs}", state.step - state.epoch * state.steps_per_epoch
            )

    def on_epoch_end(self, state: TrainState) -> None:
        """Print the epoch's line."""
        self._total_seconds += state.record["seconds"]
        self._epochs_seen += 1
        left = self._total_seconds / self._epochs_seen * (state.num_epochs - state.epoch)
        if self._bar is not None:
            self._bar.clear()
        self._console.say(epoch_line(state, eta_s=left))

    def on_train_end(self, state: TrainState) -> None:
        """Close the bar."""
        del state
        if self._bar is not None:
            self._bar.close()


def epoch_line(state: TrainState, *, eta_s: float) -> str:
    """Return the line for the last finished epoch: the losses, the goal, in training too, and what is beside it.

    The log has the rest. The best epoch is marked if epochs are compared.
    """
    record, goal = state.record, state.task.goal
    goals = (goal.metric, f"train_{goal.metric}", *goal.beside) if goal is not None else ()
    shown = [name for name in record if name.startswith(("loss", "val_loss")) or name in goals]
    parts = [f"epoch {record['epoch']}/{state.num_epochs}"]
    parts += [f"{name} {format_figure(record[name])}" for name in shown if record[name] is not None]
    if state.is_best and state.best is not None:
        parts[-1] += " (best)"
    parts += [f"lr {record['lr']:.2g}", f"{record['seconds']:.1f} s"]
    if eta_s > 0:
        parts.append(f"eta {eta_s:.0f} s")
    return "  ".join(parts)
