"""Writing CSV whose rows end with a line feed, as every other text of this package does."""

from __future__ import annotations

import csv
from typing import Any, TextIO

_END = "\r\n"


class _LineFeeds:
    """A stream whose rows end with a line feed in place of a carriage return and a line feed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, row: str) -> int:
        return self._stream.write(row.removesuffix(_END) + "\n")


def csv_writer(stream: TextIO) -> Any:
    """Return a writer as `csv.writer` does, one call of `write` for each row.

    On Python 3.11 `csv.writer` quotes a carriage return only where it is one of the characters that end a row: with the
    line feed alone, readers take a cell that holds one for two rows.
    """
    return csv.writer(_LineFeeds(stream), lineterminator=_END)
