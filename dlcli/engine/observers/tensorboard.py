"""TensorBoard events: scalars and samples per epoch (a picture every step costs 1.2 to 6 times the training)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from dlcli.engine.callbacks import Callback
from dlcli.engine.state import TrainState


class TensorBoard(Callback):
    """Writes each epoch's metrics, learning rate and new samples."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def on_train_start(self, state: TrainState) -> None:
        """Open the event file; a resumed run purges events after its checkpoint."""
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(self._folder), purge_step=state.epoch + 1 if state.epoch else None)

    def on_epoch_end(self, state: TrainState) -> None:
        """Write the record and the new samples."""
        epoch = state.record["epoch"]
        for name, value in state.record.items():
            if name not in ("epoch", "step") and value is not None and math.isfinite(value):
                self._writer.add_scalar(name, value, epoch)
        samples = state.samples
        if samples is not None and samples.picture is not None:
            self._writer.add_image("samples", samples.picture, epoch, dataformats="HWC")
        if samples is not None and samples.lines:
            self._writer.add_text("samples", "\n".join(f"    {line}" for line in samples.lines), epoch)

    def on_train_end(self, state: TrainState) -> None:
        """Close the event file."""
        del state
        self._writer.close()
