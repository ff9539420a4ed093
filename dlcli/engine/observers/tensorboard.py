"""TensorBoard events: scalars and samples per epoch (a picture every step costs 1.2 to 6 times the training).

tensorboardX makes the events; they are written here. Its own writer has a thread and a queue between processes: the
queue needs semaphores, which a container without /dev/shm lacks, and when the thread fails to write, closing waits for
it for ever.
"""

from __future__ import annotations

import math
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from dlcli.engine.callbacks import Callback
from dlcli.engine.observers.step_log import StepLog
from dlcli.engine.state import TrainState

INTERVAL_S = 0.1
"""Minimum time between two epochs that are written: an event takes half a millisecond, a small epoch one."""


class TensorBoard(Callback):
    """Writes each epoch's metrics, learning rate and new samples, and with a log of steps those against steps.

    Epochs that follow each other within `INTERVAL_S` are left out, except for the last: the run's metrics have them.

    Args:
        folder: the folder of the event file.
        steps: the log of steps, whose lines of an epoch are written as `step/...`; None for none.
        clock: returns seconds since an arbitrary moment.
    """

    def __init__(self, folder: Path, steps: StepLog | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._steps = steps
        self._clock = clock
        self._written_s = -math.inf
        self._file: IO[bytes] | None = None

    def on_train_start(self, state: TrainState) -> None:
        """Open the event file; a resumed run purges events after its checkpoint."""
        from tensorboardX.proto.event_pb2 import SessionLog

        self._folder.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"
        self._file = (self._folder / name).open("ab")
        self._write(file_version="brain.Event:2")
        if state.epoch:
            self._write(step=state.epoch + 1, session_log=SessionLog(status=SessionLog.START))
        self._file.flush()

    def on_epoch_end(self, state: TrainState) -> None:
        """Write the record and the new samples."""
        from tensorboardX import summary

        now = self._clock()
        is_last = state.epoch >= state.num_epochs
        if self._file is None or (now - self._written_s < INTERVAL_S and state.samples is None and not is_last):
            return
        self._written_s = now
        epoch = state.record["epoch"]
        for name, value in state.record.items():
            if name not in ("epoch", "step") and value is not None and math.isfinite(value):
                self._write(step=epoch, summary=summary.scalar(name, value))
        samples = state.samples
        if samples is not None and samples.picture is not None:
            self._write(step=epoch, summary=_picture("samples", samples.picture))
        if samples is not None and samples.lines:
            text = "\n".join(f"    {line}" for line in samples.lines)
            self._write(step=epoch, summary=summary.text("samples", text))
        for record in self._steps.records if self._steps is not None else ():
            for name, value in record.items():
                if name not in ("epoch", "step") and math.isfinite(value):
                    self._write(step=record["step"], summary=summary.scalar(f"step/{name}", value))
        self._file.flush()

    def on_train_end(self, state: TrainState) -> None:
        """Close the event file."""
        del state
        if self._file is not None:
            self._file.close()

    def _write(self, **content: Any) -> None:
        """Append an event as a TFRecord: its length, the checksum of the length, the bytes, and their checksum."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.record_writer import masked_crc32c

        assert self._file is not None
        data = Event(wall_time=time.time(), **content).SerializeToString()
        length = struct.pack("<Q", len(data))
        checksums = [struct.pack("<I", masked_crc32c(part)) for part in (length, data)]
        self._file.write(length + checksums[0] + data + checksums[1])


def _picture(tag: str, picture: np.ndarray) -> Any:
    """Return the summary of a picture, (H, W, 3) uint8 RGB; Pillow's PNG of a grid of photos takes a second."""
    from tensorboardX.proto.summary_pb2 import Summary

    from dlcli.visualize.canvas import encode_png

    height, width = picture.shape[:2]
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=encode_png(picture))
    return Summary(value=[Summary.Value(tag=tag, image=image)])
