"""Write `samples/epoch-0003.png` and `.txt`: training inputs or generated outputs, by epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from dlcli.core.files import atomic_file
from dlcli.core.run_dir import RunDir
from dlcli.engine.callbacks import Callback
from dlcli.engine.evaluate import draw_samples
from dlcli.engine.observers.averaging import averaged_weights
from dlcli.engine.task import Samples, network_of

if TYPE_CHECKING:
    from dlcli.engine.state import TrainState

INTERVAL_S = 2.0
"""Minimum time between two drawings: a grid of small images takes a tenth of a second."""

MAX_SHARE = 0.05
"""Of the time, that drawings may take: a grid of photos takes a second."""


class SampleFiles(Callback):
    """Draws the task's samples after an epoch, with the weights that are validated, and writes those that are new.

    Epochs that end within `interval_s` of the last drawn one are left out, and so are those before drawing would take
    more than `MAX_SHARE` of the time, except for the last of the training. New samples are found by comparison with the
    run's files. It must precede the callbacks that show `state.samples`.

    Args:
        run: the run.
        interval_s: seconds between two drawings; None for `INTERVAL_S`, 0 for every epoch.
        clock: returns seconds since an arbitrary moment.
    """

    def __init__(
        self, run: RunDir, interval_s: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._run = run
        self._interval_s = INTERVAL_S if interval_s is None else interval_s
        self._clock = clock
        self._next_s = -math.inf
        self._has_any = True  # until the task has drawn nothing

    def on_train_start(self, state: TrainState) -> None:
        """Delete files of epochs after the checkpoint."""
        for epoch, path in self._run.samples("*"):
            if epoch > state.epoch:
                path.unlink()

    def on_epoch_end(self, state: TrainState) -> None:
        """Draw the samples, write those that differ from the previous files, and set `state.samples` to them."""
        state.samples = None
        now, is_last = self._clock(), state.epoch >= state.num_epochs
        if not self._has_any or (now < self._next_s and not is_last):
            return
        with averaged_weights(network_of(state.task), state.averaged):
            drawn = draw_samples(state.task, state.device)
        self._has_any = drawn is not None
        state.samples = self._write(drawn, state.epoch) if drawn is not None else None
        self._next_s = now + max(self._interval_s, (self._clock() - now) / MAX_SHARE if self._interval_s else 0.0)

    def _write(self, drawn: Samples, epoch: int) -> Samples:
        """Return the samples that are new."""
        from dlcli.visualize.canvas import encode_png

        picture, lines = drawn.picture, drawn.lines
        if picture is not None and not self._write_new(encode_png(picture), epoch, "png"):
            picture = None
        if lines and not self._write_new("".join(line + "\n" for line in lines).encode(), epoch, "txt"):
            lines = ()
        return Samples(picture, lines)

    def _write_new(self, content: bytes, epoch: int, suffix: str) -> bool:
        """Write a file unless its content equals the newest with this suffix; return whether it was written."""
        earlier = self._run.samples(suffix)
        if earlier and earlier[-1][1].read_bytes() == content:
            return False
        with atomic_file(self._run.folder("samples") / f"epoch-{epoch:04}.{suffix}") as stream:
            stream.write(content)
        return True
