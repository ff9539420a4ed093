"""Warnings about the data that a training uses: what has changed since it was prepared, and what could not be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.core.console import Console
from dlcli.data.card import UNREADABLE, Card, warnings_since_prepared
from dlcli.engine.callbacks import Callback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlcli.engine.state import TrainState

MAX_SHOWN = 4
"""Maximum warnings printed at a time; the rest are in the run's card."""


class DataNotes(Callback):
    """Prints, before training, warnings that are not on the data's card, and afterwards those found while reading.

    Args:
        console: where they are printed.
        data: the folder of the data.
        card_file: where all of them are stored, for the line about those not printed.
    """

    def __init__(self, console: Console, data: Path, card_file: Path) -> None:
        self._console = console
        self._data = data
        self._card_file = card_file
        self._printed: set[str] = set()

    def on_train_start(self, state: TrainState) -> None:
        """Print what was found when the data was opened."""
        self._print([note for note in self._new(state.task.card) if not note.startswith(UNREADABLE)])

    def on_train_end(self, state: TrainState) -> None:
        """Print what was found while the data was read."""
        self._print(self._new(state.task.card))

    def _new(self, card: Card | None) -> list[str]:
        return [note for note in warnings_since_prepared(card, self._data) if note not in self._printed]

    def _print(self, notes: Sequence[str]) -> None:
        self._printed.update(notes)
        print_notes(self._console, notes, self._card_file)


def print_notes(console: Console, notes: Sequence[str], where: Path | None = None) -> None:
    """Print the first few notes as warnings, and where the others are, if they are stored."""
    for note in notes[:MAX_SHOWN]:
        console.warn(note)
    if len(notes) > MAX_SHOWN:
        console.warn(f"{len(notes) - MAX_SHOWN:,} more of these{f': {where}' if where else ''}")
