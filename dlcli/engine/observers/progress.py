"""The progress bar on a terminal."""

from __future__ import annotations

import time

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

MIN_SECONDS = 0.1
"""Time between redraws: redrawing every step would cost more than a step of a small network."""


class StepBar:
    """A progress bar over the steps of an epoch, drawn on stderr and erased when closed."""

    def __init__(self, total: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=RichConsole(stderr=True), transient=True, auto_refresh=False)
        self._bar = self._progress.add_task("", total=total)
        self._drawn = 0.0
        self._progress.start()

    def show(self, description: str, done: int) -> None:
        """Update the bar, at most ten times per second."""
        now = time.monotonic()
        if now - self._drawn >= MIN_SECONDS:
            self._drawn = now
            self._progress.update(self._bar, description=description, completed=done, visible=True, refresh=True)

    def clear(self) -> None:
        """Erase the bar, so that a line can be written; the next `show` redraws it."""
        self._progress.stop()
        self._progress.reset(self._bar, visible=False)  # else `start` draws it at 0, under the old description
        self._progress.start()

    def close(self) -> None:
        """Erase the bar permanently."""
        self._progress.stop()
