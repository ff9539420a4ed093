"""Writing the form "table" from a sheet: selecting columns and their kinds, the split, the files, the card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from dlcli.core.csv_writer import csv_writer
from dlcli.core.errors import DataError, UsageError, did_you_mean
from dlcli.data.card import Card
from dlcli.data.labels import label_text
from dlcli.data.parts import stratified_part
from dlcli.data.tables.deciding import find_gaps, settle_column, settle_target
from dlcli.data.tables.form import (
    CATEGORICAL,
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
from dlcli.data.tables.leaks import leak_warnings
from dlcli.data.tables.numbers import PLAIN
from dlcli.data.tables.origin import SOURCE_ROWS, number_rows, write_origin
from dlcli.data.tables.rows import Sheet, is_missing

_MAX_NAMED = 10


@dataclass(frozen=True)
class TableRequest:
    """How to prepare a sheet.

    Attributes:
        target: the column to predict.
        task: "regression", "table-classification", or None to decide by the target's values.
        drop: columns to leave out: name -> reason, for the card.
        categorical: columns whose numbers are categories (postal codes).
        keep: columns to use although they number the rows or hold their names.
        ordered: columns of ordered categories: name -> values in order, in lower case.
        test_fraction, seed: the split, if the sheet has no column `split`.
    """

    target: str
    task: str | None = None
    drop: dict[str, str] | None = None
    categorical: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    test_fraction: float = 0.2
    seed: int = 0
    ordered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def write_table(sheet: Sheet, request: TableRequest, folder: Path, name: str, where: str) -> Card:
    """Write a sheet as a prepared table and return its card.

    Args:
        sheet: the source.
        request: how to prepare it.
        folder: an existing folder.
        name: name of the dataset.
        where: the source, for messages.

    Raises:
        UsageError: the options contradict each other.
        DataError: a column is missing or holds dates, or the target or the remaining columns are unusable.
    """
    _check_names(sheet, request, where)
    notes: list[str] = []
    numbers = number_rows(sheet)
    sheet = _with_targets(sheet, request, notes)
    target = settle_target(sheet, request.target, request.task, notes, where)
    classes = target.classes
    if classes:
        sheet = _with_labels(sheet, request.target)
    columns, dropped = _settle_columns(sheet, request, notes, where)
    is_test = _settle_split(sheet, request, classes, notes, where)
    rows = encode_sheet(sheet, columns, request.target, classes, is_test, where, target.notation)
    used = [*(column.name for column in columns), request.target]
    _write_csv(folder / TABLE_NAME, sheet, [name for name in sheet.names if name in used], is_test)
    write_origin(folder, sheet, [numbers[line] for line in sheet.lines], used)
    notes += _repeats(sheet, used, is_test)
    notes += leak_warnings(columns, rows, request.target, len(classes))
    details: dict[str, object] = {
        "task": target.task,
        "target": request.target,
        "columns": [_entry(column) for column in columns],
        "dropped": dropped,
    }
    if target.notation != PLAIN:
        details["target_notation"] = target.notation.to_json()
    if len(numbers) > len(sheet.rows):
        details[SOURCE_ROWS] = len(numbers)
    counts, items = count_rows(rows, classes), count_items(rows, classes)
    card = Card(FORM, name, classes, counts, details, warnings=tuple(notes), items=items)
    write_packed(folder, rows, columns, card)
    return card


def _entry(column: Column) -> dict[str, object]:
    entry: dict[str, object] = {"name": column.name, "kind": column.kind}
    if column.kind == CATEGORICAL:
        return {**entry, "values": list(column.values)}
    return entry if column.notation == PLAIN else {**entry, "notation": column.notation.to_json()}


def _check_names(sheet: Sheet, request: TableRequest, where: str) -> None:
    """Check that the columns exist and that the options do not contradict each other.

    Raises:
        UsageError: a column is both used and left out.
        DataError: a column is missing.
    """
    uses = {
        "--target": (request.target,),
        "--categorical": request.categorical,
        "--keep": request.keep,
        "--ordered": tuple(request.ordered),
    }
    for flag, names in uses.items():
        for name in (request.drop or {}).keys() & set(names):
            hint = f"leave out --drop, or name another {flag}"
            raise UsageError(f"--drop {name!r} contradicts {flag} {name!r}", hint=hint)
    if request.target in request.keep:
        raise UsageError(f"--keep {request.target!r}: this is the column to predict", hint="leave out --keep")
    for name in sorted({request.target, *request.categorical} & set(request.ordered)):
        hint = "leave out one of the two"
        raise UsageError(f"--ordered {name!r}: this is the column to predict, or one of --categorical", hint=hint)
    for name in (request.target, *(request.drop or ()), *request.categorical, *request.keep, *request.ordered):
        if name not in sheet.names:
            raise DataError(
                f"{where}: no column {name!r}",
                details=[] if sheet.has_header else ["no header, so columns are named column_1, column_2, ..."],
                hint=did_you_mean(name, sheet.names),
            )


def _with_targets(sheet: Sheet, request: TableRequest, notes: list[str]) -> Sheet:
    """Return the sheet without the rows whose target is missing."""
    cells = sheet.column(request.target)
    gaps = find_gaps(cells, request.target, notes, are_numbers=request.task == REGRESSION)
    kept = [index for index, is_gap in enumerate(gaps) if not is_gap]
    num_lost = len(sheet.rows) - len(kept)
    if not num_lost:
        return sheet
    notes.append(f"{num_lost:,} rows have no {request.target!r}: skipped")
    return replace(sheet, rows=[sheet.rows[i] for i in kept], lines=[sheet.lines[i] for i in kept])


def _with_labels(sheet: Sheet, name: str) -> Sheet:
    """Return the sheet with each class written in one way: 1 and 1.0 are one class."""
    place = sheet.names.index(name)
    rows = [[*row[:place], label_text(row[place]), *row[place + 1 :]] for row in sheet.rows]
    return replace(sheet, rows=rows)


def _settle_columns(
    sheet: Sheet, request: TableRequest, notes: list[str], where: str
) -> tuple[list[Column], dict[str, str]]:
    """Return the columns to use, and the reason for each of the others."""
    dropped = dict(request.drop or {})
    columns = []
    usable = [name for name in sheet.names if name not in (request.target, SPLIT_COLUMN, *dropped)]
    for name in usable:
        found = settle_column(
            name,
            sheet,
            notes,
            where,
            is_categorical=name in request.categorical,
            is_kept=name in request.keep or len(usable) == 1,
            order=request.ordered.get(name, ()),
        )
        if isinstance(found, str):
            dropped[name] = found
            continue
        columns.append(found)
        cells = sheet.column(name)
        num_missing = sum(map(is_missing, cells))
        if num_missing:
            stands_in = "the training median" if found.kind == NUMERIC else "a separate category"
            notes.append(f"{name!r}: {num_missing:,} of {len(cells):,} values are missing, replaced by {stands_in}")
    notes += [f"{name!r} is left out: {why}" for name, why in dropped.items()]
    if not columns:
        raise DataError(
            f"{where}: no column is left to predict {request.target!r} from",
            details=notes[-2:],
            hint="--keep COLUMN keeps one that numbers or names the rows",
        )
    return columns, dropped


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
        writer = csv_writer(stream)
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
