"""Where the rows of a prepared table come from: `source.csv`, beside `table.csv` and row by row as it.

Its first column is the number of the row in the user's file, from 0; the others are the columns that the network does
not read, since they may still say which rows belong together (`--group`). Tables prepared by version 0.1.0 have none.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.card import Card
from dlcli.data.index_files import Numbers
from dlcli.data.tables.rows import Sheet

SOURCE_NAME = "source.csv"
SOURCE_ROWS = "source_rows"
"""The key in a card's details: how many rows the user's file has, if some were left out."""

_FIRST = "row"


def number_rows(sheet: Sheet) -> dict[int, int]:
    """Return line -> number of each row of the file, from 0, those of a wrong length included."""
    lines = sorted([*sheet.lines, *(line for line, _ in sheet.broken)])
    return {line: number for number, line in enumerate(lines)}


def write_origin(folder: Path, sheet: Sheet, numbers: Sequence[int], used: Sequence[str]) -> None:
    """Write `source.csv`.

    Args:
        folder: the prepared table.
        sheet: its N rows, with all columns of the file.
        numbers: the N numbers of the rows in the file.
        used: the columns that are in `table.csv`.
    """
    others = [name for name in sheet.names if name not in used]
    places = [sheet.names.index(name) for name in others]
    with (folder / SOURCE_NAME).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([_FIRST, *others])
        for number, row in zip(numbers, sheet.rows, strict=True):
            writer.writerow([number, *(row[place] for place in places)])


def read_numbers(folder: Path, card: Card, num_rows: int) -> Numbers:
    """Return the numbers of a table's rows in the user's file, by which index files name them.

    Raises:
        DataError: `source.csv` is damaged or has another number of rows than the table.
    """
    rows = _read(folder, card, num_rows)
    if rows is None:
        return Numbers(np.arange(num_rows), num_rows)
    try:
        numbers = np.array([int(row[0]) for row in rows[1:]], np.int64)
        total = int(card.details.get(SOURCE_ROWS, num_rows))
        is_sound = len(np.unique(numbers)) == num_rows and numbers.min() >= 0 and numbers.max() < total
    except (ValueError, TypeError, IndexError, OverflowError):
        is_sound = False
    if not is_sound:
        raise _damaged(folder, card)
    return Numbers(numbers, total)


def left_out_columns(folder: Path, card: Card, num_rows: int) -> dict[str, list[str]]:
    """Return the cells of the columns that the network does not read, by name, in the order of the table's rows.

    Raises:
        DataError: as in `read_numbers`.
    """
    rows = _read(folder, card, num_rows)
    if rows is None:
        return {}
    header, *body = rows
    if any(len(row) != len(header) for row in body):
        raise _damaged(folder, card)
    return {name: [row[place] for row in body] for place, name in enumerate(header) if place}


def _read(folder: Path, card: Card, num_rows: int) -> list[list[str]] | None:
    """Return the header and the rows of `source.csv`, None if there is none."""
    path = folder / SOURCE_NAME
    if not path.exists():
        return None
    limit = csv.field_size_limit(2**31 - 1)  # a column that is left out may hold whole articles
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = [row for row in csv.reader(stream) if row]
    except (OSError, ValueError, csv.Error):
        raise _damaged(folder, card) from None
    finally:
        csv.field_size_limit(limit)
    if len(rows) != 1 + num_rows:
        raise _damaged(folder, card)
    return rows


def _damaged(folder: Path, card: Card) -> DataError:
    return DataError(
        f"{folder / SOURCE_NAME}: does not match table.csv row by row",
        hint=f"prepare the data again: {card.command or 'dl prepare table FILE --target COLUMN'}",
    )
