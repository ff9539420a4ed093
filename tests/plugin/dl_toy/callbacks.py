"""Callbacks that `dl train --callback toy-steps` finds: they observe a training and leave a file in its run."""

from __future__ import annotations

import json
from pathlib import Path

from dlcli.engine.callbacks import Callback
from dlcli.engine.state import TrainState


class StepCounter(Callback):
    """Counts steps and epochs, and writes them when the training ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._steps = 0
        self._losses: list[float] = []

    def on_step_end(self, state: TrainState) -> None:
        """Count the step."""
        del state
        self._steps += 1

    def on_epoch_end(self, state: TrainState) -> None:
        """Note the epoch's training loss."""
        self._losses.append(float(state.record["loss"]))

    def on_train_end(self, state: TrainState) -> None:
        """Write what was counted."""
        counted = {"steps": self._steps, "step": state.step, "losses": self._losses}
        (self._folder / "toy-steps.json").write_text(json.dumps(counted), encoding="utf-8")


class Broken(Callback):
    """Fails after the first step."""

    def __init__(self, folder: Path) -> None:
        del folder

    def on_step_end(self, state: TrainState) -> None:
        """Fail."""
        raise RuntimeError(f"broken at step {state.step}")
