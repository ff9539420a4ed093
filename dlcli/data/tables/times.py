"""The order of a table's rows in time, for folds that test what follows their training part."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from dlcli.core.errors import DataError, UsageError, did_you_mean
from dlcli.data.tables.form import NUMERIC, TableForm
from dlcli.data.tables.origin import left_out_columns
from dlcli.data.tables.rows import is_missing, to_number


def row_times(form: TableForm, column: str) -> np.ndarray:
    """Return a number for each row that grows with time, (N,) float64; rows of one time have equal ones.

    Args:
        form: the table.
        column: a numeric column, or one that `dl prepare` left out, of numbers or of dates in ISO 8601; "" for the
            order of the rows.

    Raises:
        UsageError: it is the column to predict.
        DataError: there is no such column, or a cell is neither a number nor such a date.
    """
    if not column:
        return np.arange(form.num_rows, dtype=np.float64)
    if column == form.target:
        raise UsageError(f"--folds time: {column!r} is the column to predict", hint="name the column of the time")
    numeric = form.names(NUMERIC)
    if column in numeric:
        times = form.rows.numeric[:, numeric.index(column)]
        faults = np.flatnonzero(~np.isfinite(times))
        if len(faults):
            raise _fault(form, column, int(faults[0]), "")
        return times
    others = left_out_columns(form.root, form.card, form.num_rows)
    if column not in others:
        raise DataError(
            f"{form.root}: --folds time: no column of numbers or dates {column[:100]!r}",
            hint=did_you_mean(column, [*numeric, *others]),
        )
    return _read(form, column, others[column])


def _read(form: TableForm, column: str, cells: list[str]) -> np.ndarray:
    """Return the cells as numbers, or else as seconds since 1970."""
    missing = next((row for row, cell in enumerate(cells) if is_missing(cell)), None)
    if missing is not None:
        raise _fault(form, column, missing, cells[missing])
    if all(to_number(cell) is not None for cell in cells):
        return np.array([to_number(cell) for cell in cells], np.float64)
    times = np.empty(len(cells))
    for row, cell in enumerate(cells):
        try:
            moment = datetime.fromisoformat(cell)
            times[row] = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
        except (ValueError, OverflowError):
            raise _fault(form, column, row, cell) from None
    return times


def _fault(form: TableForm, column: str, row: int, cell: str) -> DataError:
    what = "is missing" if is_missing(cell) else f"{cell[:100]!r} is neither a number nor a date like 2024-01-31"
    return DataError(
        f"{form.root}: --folds time: row {row + 1:,} of the column {column!r} {what}", hint="mend it, or name another"
    )
