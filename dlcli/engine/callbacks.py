"""Observers of a training: four moments, at each of which a callback may read the state or raise `StopTraining`."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.core.console import Console, has_colour
from dlcli.core.files import write_text
from dlcli.core.records import parse_record

if TYPE_CHECKING:
    from dlcli.engine.loop import TrainState


class StopTraining(Exception):  # noqa: N818 - it is no error
    """Ends the training after the step under way.

    Args:
        reason: why.
        finishes_epoch: raised after a step: the epoch is first validated and recorded as it stands.
    """

    def __init__(self, reason: str, *, finishes_epoch: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.finishes_epoch = finishes_epoch


class Callback:
    """Does nothing at four moments of a training."""

    def on_train_start(self, state: TrainState) -> None:
        """Before the first batch; on a resumed run, before its first."""

    def on_step_end(self, state: TrainState) -> None:
        """After every optimizer step."""

    def on_epoch_end(self, state: TrainState) -> None:
        """After validation; `state.epoch` is the next epoch already, `state.record` the finished one's figures."""

    def on_train_end(self, state: TrainState) -> None:
        """After the last epoch, `StopTraining`, or a failure (then `state.failure` is set)."""


class MetricsLog(Callback):
    """One JSON line an epoch in `metrics.jsonl`. A resumed run first drops lines that its checkpoint does not know."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_start(self, state: TrainState) -> None:
        """Keep only the lines of the epochs that are done."""
        if not self._path.exists():
            return
        lines = self._path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if (parse_record(line) or {"epoch": math.inf})["epoch"] <= state.epoch]
        write_text(self._path, "".join(line + "\n" for line in kept))

    def on_epoch_end(self, state: TrainState) -> None:
        """Append the epoch's record; what is not finite is written as null."""
        record = {name: _jsonable(value) for name, value in state.record.items()}
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record, allow_nan=False) + "\n")


def _jsonable(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


class EarlyStopping(Callback):
    """Stops after `patience` epochs without a better one."""

    def __init__(self, patience: int) -> None:
        self._patience = patience

    def on_epoch_end(self, state: TrainState) -> None:
        """Stop where the best epoch lies too far back; the state alone decides, so a resumed run stops alike."""
        if state.epoch - state.best_epoch >= self._patience:
            raise StopTraining(f"no better epoch for {self._patience} epochs")


class EpochLines(Callback):
    """One line an epoch, and on a terminal a progress bar below it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Any = None
        self._total_seconds = 0.0
        self._epochs_seen = 0

    def on_train_start(self, state: TrainState) -> None:
        """Open the progress bar where there is a terminal to draw it on."""
        if self._console.is_quiet or not has_colour(sys.stderr):
            return
        from dlcli.engine.observers.progress import StepBar

        self._bar = StepBar(total=state.steps_per_epoch)

    def on_step_end(self, state: TrainState) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.show(
                f"epoch {state.epoch + 1}/{state.num_epochs}", state.step - state.epoch * state.steps_per_epoch
            )

    def on_epoch_end(self, state: TrainState) -> None:
        """Say the epoch's figures."""
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
    """Return the figures of the last finished epoch as one line: the losses and the goal; the rest is in the log."""
    record, goal = state.record, state.task.goal.metric
    shown = [name for name in record if name.startswith(("loss", "val_loss")) or name == goal]
    parts = [f"epoch {record['epoch']}/{state.num_epochs}"]
    parts += [f"{name} {record[name]:.4f}" for name in shown if record[name] is not None]
    if state.is_best:
        parts[-1] += " (best)"
    parts += [f"lr {record['lr']:.2g}", f"{record['seconds']:.1f} s"]
    if eta_s > 0:
        parts.append(f"eta {eta_s:.0f} s")
    return "  ".join(parts)
