"""Show an epoch's samples, and at the end the curves, in the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dlcli.core.console import Console
from dlcli.core.errors import DlError
from dlcli.core.records import read_metrics
from dlcli.core.run_dir import RunDir
from dlcli.engine.callbacks import Callback

if TYPE_CHECKING:
    from dlcli.engine.state import TrainState


class ShowSamples(Callback):
    """Prints the samples that `SampleFiles`, which must precede it, has found to be new, and at the end the curves.

    Lines are printed as they are. A picture is drawn by what the terminal can show; where stderr shows no colours, the
    path of its file is printed.

    Args:
        run: the run.
        console: where to print.
    """

    def __init__(self, run: RunDir, console: Console) -> None:
        self._run = run
        self._console = console

    def on_epoch_end(self, state: TrainState) -> None:
        """Print the samples."""
        from dlcli.visualize.terminal import drawing, screen_of

        if state.samples is None:
            return
        for line in state.samples.lines:
            self._console.say(f"  {line}")
        if state.samples.picture is None:
            return
        screen = screen_of(sys.stderr)
        if screen is None:
            files = self._run.samples("png")
            self._console.say(f"samples: {files[-1][1]}")
            return
        self._console.show(drawing(state.samples.picture, screen))

    def on_train_end(self, state: TrainState) -> None:
        """Print the curves of the whole training."""
        from dlcli.visualize.terminal import screen_of
        from dlcli.visualize.terminal_curves import curve_lines

        del state
        screen = screen_of(sys.stderr)
        if screen is None:
            return
        try:
            records = read_metrics(self._run.metrics_file)
        except DlError:  # no epoch is finished
            return
        lines = curve_lines(records, screen.columns, has_true_colour=screen.has_true_colour)
        self._console.show("\n".join(lines))
