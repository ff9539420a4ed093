"""Save the checkpoints of a training: the newest state, the one before, the best weights, those of set epochs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from dlcli.core.run_dir import RunDir
from dlcli.engine.callbacks import Callback
from dlcli.engine.loop import has_finite_weights
from dlcli.engine.observers.averaging import averaged_weights
from dlcli.engine.runs.checkpoint import save_checkpoint, weights_content, write_checkpoint
from dlcli.engine.state import TrainState
from dlcli.engine.task import network_of

INTERVAL_S = 5.0
"""Minimum time between two saved epochs: a checkpoint takes 15 ms, and an epoch of one small step 1 ms. What a killed
process loses is computed again, exactly."""


class Checkpoints(Callback):
    """Saves `last.pt`, `previous.pt` and `best.pt` at the end of an epoch, unless that was only just done.

    The best weights between two saves are copied in memory and written with the next one, so that `best.pt` is never
    newer than the state that a resumed training starts from by more than a failure leaves behind.

    Args:
        run: the run.
        description: JSON values that make each file self-contained.
        every: also keep `epoch-N.pt` every so many epochs; None for none.
        interval_s: seconds between two saves.
        clock: returns seconds since an arbitrary moment.
    """

    def __init__(
        self,
        run: RunDir,
        description: Mapping[str, Any],
        every: int | None = None,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._description = description
        self._every = every
        self._interval_s = interval_s
        self._clock = clock
        self._saved_at = (-1, -1)
        self._saved_s: float | None = None
        self._best: dict[str, Tensor] = {}  # a copy of the best weights
        self._best_epoch: int | None = None  # of the copy, if it is not written yet

    def on_epoch_end(self, state: TrainState) -> None:
        """Save the state, and the weights if they are the best so far."""
        is_due = self._saved_s is None or self._clock() - self._saved_s >= self._interval_s
        is_due = state.world.any(is_due or state.epoch >= state.num_epochs)
        if state.is_best:
            with averaged_weights(network_of(state.task), state.averaged):
                if is_due:
                    save_checkpoint(self._run.best_checkpoint, state, self._description, with_training=False)
                    self._best_epoch = None
                elif state.world.is_writer:
                    self._copy_best(state)
        if self._every is not None and state.epoch % self._every == 0:
            path = self._run.last_checkpoint.with_name(f"epoch-{state.epoch:04}.pt")
            with averaged_weights(network_of(state.task), state.averaged):
                save_checkpoint(path, state, self._description, with_training=False)
        if is_due:
            self._save(state)

    def on_train_end(self, state: TrainState) -> None:
        """Save the state of a training stopped within an epoch; a broken state never replaces a good one."""
        self._write_best()
        is_new = self._saved_at != (state.epoch, state.batch)
        if state.failure is None and is_new and has_finite_weights(state.task.model):
            self._save(state)

    def _copy_best(self, state: TrainState) -> None:
        weights = network_of(state.task).state_dict()
        if self._best:
            torch._foreach_copy_(list(self._best.values()), list(weights.values()))
        else:
            self._best = {name: tensor.clone() for name, tensor in weights.items()}
        self._best_epoch = state.epoch

    def _write_best(self) -> None:
        if self._best_epoch is not None:
            write_checkpoint(
                self._run.best_checkpoint, weights_content(self._best, self._best_epoch, self._description)
            )
            self._best_epoch = None

    def _save(self, state: TrainState) -> None:
        self._write_best()
        last = self._run.last_checkpoint
        if state.world.is_writer and last.exists():
            last.replace(self._run.previous_checkpoint)
        try:
            save_checkpoint(last, state, self._description, with_training=True)
        except BaseException:
            if state.world.is_writer and self._run.previous_checkpoint.exists() and not last.exists():
                self._run.previous_checkpoint.replace(last)
            raise
        self._saved_at, self._saved_s = (state.epoch, state.batch), self._clock()
