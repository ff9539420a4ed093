"""Writing the form "table" from a sheet: selecting columns and their kinds, the split, the files, the card."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError, UsageError, did_you_mean
from dlcli.data.card import Card
from dlcli.data.parts import stratified_part
from dlcli.data.tables.form import (
    CATEGORICAL,
    CLASSIFICATION,
    FORM,
    NUMERIC,
    REGRESSION,
    SPLIT_COLUMN,
    SPLITS,
    TABLE_NAME,
    Column,
    count_items,
    count_rows,
    encode_sheet,
    write_packed,
)
from dlcli.data.tables.rows import Sheet, is_missing, to_number

_DATE = re.compile(
    r"(\d{4}[-/.年]\d{1,2}([-/.月]\d{1,2}日?)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}[ -][A-Za-z]{3,9}[ -]\d{2,4})"
    r"([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?"
)
_ID_NAME = re.compile(r"(.*_)?(id|index|uuid|guid|key|row|no|nr|编号|序号)|column_1", re.IGNORECASE)
_DISTINCT_TEXTS = 0.9  # a text column with a larger fraction of distinct values holds names or free text
_MIN_ROWS_TO_TELL = 20  # with fewer rows, all values may differ by chance
_FEW_NUMBERS = 10  # a target of at most this many distinct integers may be a class
_MIN_ROWS = 10
_MAX_NAMED = 10


@dataclass(frozen=True)
class TableRequest:
    """How to prepare a sheet.

    Attributes:
        target: the column to predict.
        task: "regression", "table-classification", or None to decide by the target's values.
        drop: columns to leave out: name -> reason, for the card.
        categorical: columns whose numbers are categories (postal codes).
        test_fraction, seed: the split, if the sheet has no column `split`.
    """

    target: str
    task: str | None = None
    drop: dict[str, str] | None = None
    categorical: tuple[str, ...] = ()
    test_fraction: float = 0.2
    seed: int = 0


def write_table(sheet: Sheet, request: TableRequest, folder: Path, name: str, where: str) -> Card:
    """Write a sheet as a prepared table and return its card.

    Args:
        sheet: the source.
        request: how to prepare it.
        folder: an existing folder.
        name: name of the dataset.
        where: the source, for messages.

    Raises:
        DataError: a column is missing or holds dates, or the target or the remaining columns are unusable.
    """
    _check_names(sheet, request, where)
    notes: list[str] = []
    sheet = _with_targets(sheet, request.target, notes)
    task, classes = _settle_target(sheet, request, notes, where)
    columns, dropped = _settle_columns(sheet, request, notes, where)
    is_test = _settle_split(sheet, request, classes, notes, where)
    rows = encode_sheet(sheet, columns, request.target, classes, is_test, where)
    used = [*(column.name for column in columns), request.target]
    _write_csv(folder / TABLE_NAME, sheet, [name for name in sheet.names if name in used], is_test)
    write_packed(folder, rows)
    notes += _repeats(sheet, used, is_test)
    details = {
        "task": task,
        "target": request.target,
        "columns": [_entry(column) for column in columns],
        "dropped": dropped,
    }
    counts, items = count_rows(rows, classes), count_items(rows, classes)
    return Card(FORM, name, classes, counts, details, warnings=tuple(notes), items=items)


def _entry(column: Column) -> dict[str, object]:
    entry: dict[str, object] = {"name": column.name, "kind": column.kind}
    return entry if column.kind == NUMERIC else {**entry, "values": list(column.values)}


def _check_names(sheet: Sheet, request: TableRequest, where: str) -> None:
    if request.target in (request.drop or ()):
        raise UsageError(
            f"--drop {request.target!r}: this is the column to predict",
            hint="leave out --drop, or name another --target",
        )
    for name in (request.target, *(request.drop or ()), *request.categorical):
        if name not in sheet.names:
            raise DataError(
                f"{where}: no column {name!r}",
                details=[] if sheet.has_header else ["no header, so columns are named column_1, column_2, ..."],
                hint=did_you_mean(name, sheet.names),
            )


def _with_targets(sheet: Sheet, target: str, notes: list[str]) -> Sheet:
    """Return the sheet without the rows whose target is missing."""
    kept = [index for index, cell in enumerate(sheet.column(target)) if not is_missing(cell)]
    num_lost = len(sheet.rows) - len(kept)
    if not num_lost:
        return sheet
    notes.append(f"{num_lost:,} rows have no {target!r}: skipped")
    return replace(sheet, rows=[sheet.rows[i] for i in kept], lines=[sheet.lines[i] for i in kept])


def _settle_target(sheet: Sheet, request: TableRequest, notes: list[str], where: str) -> tuple[str, tuple[str, ...]]:
    """Return the task, and the sorted class names, () for regression."""
    cells = sheet.column(request.target)
    if len(cells) < _MIN_ROWS:
        raise DataError(f"{where}: {len(cells)} rows with a {request.target!r}; training needs at least {_MIN_ROWS}")
    numbers = [to_number(cell) for cell in cells]
    distinct = sorted(set(cells), key=_by_value)
    odd = next((index for index, number in enumerate(numbers) if number is None), None)
    if odd is not None and _are_dates(cells):
        raise DataError(
            f"{where}: the target {request.target!r} holds dates",
            hint="convert it to a number (days since the first one) and prepare again",
        )
    task = request.task or (REGRESSION if odd is None else CLASSIFICATION)
    if task == REGRESSION and odd is not None:
        raise DataError(
            f"{where}: line {sheet.lines[odd]}: the target {request.target!r} is {cells[odd]!r}, not a number",
            hint="correct the cell, or prepare with --task classification",
        )
    if len(distinct) < 2:
        raise DataError(f"{where}: the target {request.target!r} is {distinct[0]!r} in every row")
    if task == REGRESSION:
        if len(distinct) <= _FEW_NUMBERS and all(number == int(number) for number in numbers if number is not None):
            notes.append(
                f"the target {request.target!r} has {len(distinct)} values: --task classification would predict classes"
            )
        return task, ()
    if len(distinct) > len(cells) / 2:
        raise DataError(
            f"{where}: the target {request.target!r} has {len(distinct):,} classes in {len(cells):,} rows",
            hint="choose another column with --target, or correct the cells that are not numbers",
        )
    return task, tuple(distinct)


def _by_value(cell: str) -> tuple[float, str]:
    """Return a sort key that orders numbers by value, before words."""
    number = to_number(cell)
    return (number if number is not None and not math.isnan(number) else math.inf, cell)


def _settle_columns(
    sheet: Sheet, request: TableRequest, notes: list[str], where: str
) -> tuple[list[Column], dict[str, str]]:
    """Return the columns to use, and the reason for each of the others."""
    dropped = dict(request.drop or {})
    columns = []
    for name in sheet.names:
        if name in (request.target, SPLIT_COLUMN) or name in dropped:
            continue
        cells = sheet.column(name)
        found = _settle_column(name, cells, is_categorical=name in request.categorical, where=where)
        if isinstance(found, str):
            dropped[name] = found
            continue
        columns.append(found)
        num_missing = sum(map(is_missing, cells))
        if num_missing:
            stands_in = "the training median" if found.kind == NUMERIC else "a separate category"
            notes.append(f"{name!r}: {num_missing:,} of {len(cells):,} values are missing, replaced by {stands_in}")
    notes += [f"{name!r} is left out: {why}" for name, why in dropped.items()]
    if not columns:
        raise DataError(f"{where}: no column is left to predict {request.target!r} from", details=notes[-2:])
    return columns, dropped


def _settle_column(name: str, cells: Sequence[str], *, is_categorical: bool, where: str) -> Column | str:
    """Return the column, or the reason why it is not usable."""
    known = [cell for cell in cells if not is_missing(cell)]
    distinct = set(known)
    if not known:
        return "it is empty"
    if len(distinct) == 1 and len(known) == len(cells):
        return f"it is {known[0]!r} in every row"
    numbers = [to_number(cell) for cell in known]
    if None not in numbers and not is_categorical:
        values = np.array(numbers, np.float64)
        if len(values) >= _MIN_ROWS_TO_TELL and _counts_rows(name, values):
            return "it numbers the rows"
        return Column(name, NUMERIC)
    if _are_dates(known):
        raise DataError(
            f"{where}: the column {name!r} holds dates, as {known[0]!r}",
            hint=f"convert it to numbers (year, month, days since the first one), or leave it out with --drop {name!r}",
        )
    if not is_categorical:
        _refuse_mixed(name, cells, where)
        if len(known) >= _MIN_ROWS_TO_TELL and len(distinct) > _DISTINCT_TEXTS * len(known):
            return f"{len(distinct):,} of its {len(known):,} texts are distinct, as names are"
    return Column(name, CATEGORICAL, tuple(sorted(distinct, key=_by_value)))


def _counts_rows(name: str, values: np.ndarray) -> bool:
    """Return whether a column numbers the rows: 1, 2, 3, ... or, if it is named like an id, all different."""
    if np.any(values != np.floor(values)) or len(np.unique(values)) < len(values):
        return False
    return bool(np.all(np.diff(values) == 1)) or _ID_NAME.fullmatch(name) is not None


def _are_dates(cells: Sequence[str]) -> bool:
    return all(_DATE.fullmatch(cell) for cell in cells if not is_missing(cell))


def _refuse_mixed(name: str, cells: Sequence[str], where: str) -> None:
    """Refuse a column of numbers with a few other words: as categories, its numbers would lose their order.

    Raises:
        DataError: the column is of this kind.
    """
    known = [cell for cell in cells if not is_missing(cell)]
    words = sorted({cell for cell in known if to_number(cell) is None})
    num_numbers = sum(to_number(cell) is not None for cell in known)
    if num_numbers > 0.5 * len(known) and len({c for c in known if c not in words}) > _FEW_NUMBERS:
        raise DataError(
            f"{where}: the column {name!r} holds numbers and {', '.join(map(repr, words[:3]))}",
            hint=f"correct the cells, treat it as categories with --categorical {name!r}, or use --drop {name!r}",
        )


def _settle_split(
    sheet: Sheet, request: TableRequest, classes: Sequence[str], notes: list[str], where: str
) -> np.ndarray:
    """Return which rows are for testing, by the sheet's column `split` if it has one, else a seeded part, (N,) bool."""
    if SPLIT_COLUMN in sheet.names and SPLIT_COLUMN not in (request.drop or {}):
        cells = [cell.casefold() for cell in sheet.column(SPLIT_COLUMN)]
        if set(cells) != set(SPLITS):
            raise DataError(
                f"{where}: the column {SPLIT_COLUMN!r} must be train or test in every row, each at least once",
                hint=f"rename it, or leave it out with --drop {SPLIT_COLUMN}",
            )
        notes.append(f"the rows are split by the column {SPLIT_COLUMN!r}")
        is_test = np.array(cells) == "test"
        places = _labels(sheet, request.target, classes)
        lost = sorted(set(places[is_test].tolist()) - set(places[~is_test].tolist())) if classes else []
        if lost:
            raise DataError(f"{where}: the class {classes[lost[0]]!r} has no row in train")
        return np.asarray(is_test)
    labels = _labels(sheet, request.target, classes)
    notes += [
        f"the class {classes[label]!r} has a single row: it is in train only"
        for label in np.flatnonzero(np.bincount(labels) == 1)[:_MAX_NAMED].tolist()
        if classes
    ]
    return np.asarray(stratified_part(labels, request.test_fraction, request.seed))


def _labels(sheet: Sheet, target: str, classes: Sequence[str]) -> np.ndarray:
    """Return (N,) int64 class indices; zeros if there are no classes."""
    places = {name: index for index, name in enumerate(classes)}
    return np.array([places[cell] if classes else 0 for cell in sheet.column(target)], np.int64)


def _write_csv(path: Path, sheet: Sheet, names: Sequence[str], is_test: np.ndarray) -> None:
    places = [sheet.names.index(name) for name in names]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*names, SPLIT_COLUMN])
        for row, test in zip(sheet.rows, is_test.tolist(), strict=True):
            writer.writerow([*(row[place] for place in places), SPLITS[test]])


def _repeats(sheet: Sheet, names: Sequence[str], is_test: np.ndarray) -> list[str]:
    """Return a note if rows of the test split are also in train, letter for letter."""
    places = [sheet.names.index(name) for name in names]
    rows = [tuple(row[place] for place in places) for row in sheet.rows]
    known = {row for row, test in zip(rows, is_test, strict=True) if not test}
    count = sum(row in known for row, test in zip(rows, is_test, strict=True) if test)
    return [f"{count:,} rows of test are in train too: metrics on test are too optimistic"] if count else []
