"""Log the metrics of every epoch as a JSON line."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.core.console import Console
from dlcli.core.files import finite, write_text
from dlcli.core.records import parse_record
from dlcli.engine.callbacks import Callback

if TYPE_CHECKING:
    from dlcli.engine.state import TrainState


class MetricsLog(Callback):
    """Writes a JSON line per recorded epoch to `metrics.jsonl`; a resumed run first removes those after its checkpoint.

    Args:
        path: the file.
        console: where lost lines are reported.
        every: epochs per line.
    """

    def __init__(self, path: Path, console: Console, every: int = 1) -> None:
        self._path = path
        self._console = console
        self._every = every

    def on_train_start(self, state: TrainState) -> None:
        """Keep only the lines of finished epochs; a damaged line is removed, and reported if its epoch is finished."""
        if not self._path.exists() and not state.epoch:
            return
        text = self._path.read_text(encoding="utf-8", errors="replace") if self._path.exists() else ""
        kept = {}
        for line in text.split("\n"):
            epoch = (parse_record(line) or {"epoch": math.inf})["epoch"]
            if epoch <= state.epoch:
                kept[epoch] = line
        write_text(self._path, "".join(line + "\n" for line in kept.values()))
        num_lost = state.epoch // self._every - len(kept)
        if num_lost > 0:
            self._console.warn(f"{self._path} was damaged: the metrics of {num_lost} finished epochs are lost")

    def on_epoch_end(self, state: TrainState) -> None:
        """Append the epoch's record; non-finite values are written as null."""
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(finite(state.record), allow_nan=False) + "\n")
