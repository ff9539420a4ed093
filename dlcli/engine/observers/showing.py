"""Show an epoch's samples in the terminal."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from dlcli.core.console import Console, has_colour
from dlcli.core.run_dir import RunDir
from dlcli.engine.callbacks import Callback

if TYPE_CHECKING:
    from dlcli.engine.state import TrainState

MAX_COLUMNS = 160
"""Wider pictures fill a window from top to bottom."""


class ShowSamples(Callback):
    """Prints the samples that `SampleFiles`, which must precede it, has found to be new.

    Lines are printed as they are. A picture is drawn with coloured characters; where stderr shows no colours, the path
    of its file is printed.

    Args:
        run: the run.
        console: where to print.
    """

    def __init__(self, run: RunDir, console: Console) -> None:
        self._run = run
        self._console = console

    def on_epoch_end(self, state: TrainState) -> None:
        """Print the samples."""
        if state.samples is None:
            return
        for line in state.samples.lines:
            self._console.say(f"  {line}")
        if state.samples.picture is None:
            return
        if not has_colour(sys.stderr):
            files = self._run.samples("png")
            self._console.say(f"samples: {files[-1][1]}")
            return
        from dlcli.visualize.blocks import as_blocks

        columns = min(shutil.get_terminal_size().columns, MAX_COLUMNS)
        self._console.show("\n".join(as_blocks(state.samples.picture, columns)))
