"""Log the metrics of every epoch as a JSON line."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.core.files import finite, write_text
from dlcli.core.records import parse_record
from dlcli.engine.callbacks import Callback

if TYPE_CHECKING:
    from dlcli.engine.state import TrainState


class MetricsLog(Callback):
    """Writes one JSON line per epoch to `metrics.jsonl`; a resumed run first removes lines after its checkpoint."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_start(self, state: TrainState) -> None:
        """Keep only the lines of finished epochs."""
        if not self._path.exists():
            return
        lines = self._path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if (parse_record(line) or {"epoch": math.inf})["epoch"] <= state.epoch]
        write_text(self._path, "".join(line + "\n" for line in kept))

    def on_epoch_end(self, state: TrainState) -> None:
        """Append the epoch's record; non-finite values are written as null."""
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(finite(state.record), allow_nan=False) + "\n")
