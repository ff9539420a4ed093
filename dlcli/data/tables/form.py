"""Reading the form "table": one row per item, in the order of the source, each in train or test.

`table.csv` is for people: the columns in use, the target, and `split`. `packed/table.npz` holds the same as numbers; it
is rebuilt if `table.csv` was changed or the packed copy is missing. The card lists the columns, their kinds and
categories. Nothing here is standardised or imputed: that is fitted on the training rows at training time.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlcli.core.errors import DataError
from dlcli.core.files import atomic_file, file_sha256
from dlcli.data.card import CARD_NAME, Card, card_of, require_form
from dlcli.data.npy import load_npz
from dlcli.data.tables.numbers import PLAIN, Notation
from dlcli.data.tables.rows import Sheet, is_missing, read_sheet

FORM = "table"
TABLE_NAME, PACKED_NAME = "table.csv", "packed/table.npz"
SPLIT_COLUMN = "split"
SPLITS = ("train", "test")
NUMERIC, CATEGORICAL = "numeric", "categorical"
REGRESSION, CLASSIFICATION = "regression", "table-classification"
"""The tasks that a table can be prepared for, by their names in the registry."""


@dataclass(frozen=True)
class Column:
    """An input column.

    Attributes:
        name: its name in the header.
        kind: "numeric" or "categorical".
        values: the categories of the whole table, in order; () for numeric columns.
        notation: how a numeric column writes its numbers.
    """

    name: str
    kind: str
    values: tuple[str, ...] = ()
    notation: Notation = PLAIN


@dataclass(frozen=True)
class TableRows:
    """A table as numbers; N rows, F numeric and G categorical columns.

    Attributes:
        numeric: (N, F) float64, NaN for missing values.
        categories: (N, G) int64 indices into the column's `values`, -1 for missing values.
        targets: (N,) float64 numbers, or int64 indices into the card's classes.
        is_test: (N,) bool.
    """

    numeric: np.ndarray
    categories: np.ndarray
    targets: np.ndarray
    is_test: np.ndarray


@dataclass(frozen=True)
class TableForm:
    """A prepared table.

    Attributes:
        root: the folder.
        card: its card, with the actual counts.
        columns: the input columns, in the order of the source.
        target: name of the column to predict.
        task: the task it was prepared for.
        rows: all rows as numbers.
    """

    root: Path
    card: Card
    columns: tuple[Column, ...]
    target: str
    task: str
    rows: TableRows

    @property
    def num_rows(self) -> int:
        """Number of rows of all splits."""
        return len(self.rows.targets)

    def names(self, kind: str) -> list[str]:
        """Return the names of the columns of a kind, in the order of `rows`."""
        return [column.name for column in self.columns if column.kind == kind]

    def splits(self) -> tuple[str, ...]:
        """Return the splits that have rows, among "train" and "test", in this order."""
        return tuple(split for split in SPLITS if len(self.split_rows(split)))

    def split_rows(self, split: str) -> np.ndarray:
        """Return the row indices of a split, in the order of the source, (n,) int64.

        Raises:
            DataError: a table has no such split.
        """
        if split not in SPLITS:
            raise DataError(f"{self.root}: no split {split!r}", hint=f"it has: {', '.join(self.splits())}")
        return np.flatnonzero(self.rows.is_test == (split == "test"))


def open_table(folder: Path) -> TableForm:
    """Return the reader of a prepared table.

    Raises:
        DataError: the folder is missing, holds another form, or does not match its card.
    """
    card = card_of(folder, "table")
    if card is None:
        raise DataError(f"{folder}: no prepared table", hint="`dl prepare table FILE --target COLUMN` makes one")
    again = f"prepare the data again: {card.command or 'dl prepare table FILE --target COLUMN'}"
    require_form(card, folder, FORM, "a table")
    try:
        columns, target, task = _schema(card)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{folder / CARD_NAME}: its columns are damaged: {error}", hint=again) from None
    rows = _read_packed(folder, columns, card)
    if rows is None:
        rows = _pack_again(folder, columns, target, card, again)
    counted = dataclasses.replace(card, counts=count_rows(rows, card.classes), items=count_items(rows, card.classes))
    if counted != card:
        before, now = (sum(map(each.num_items, each.splits)) for each in (card, counted))
        warning = f"{now:,} rows found, {before:,} were prepared; those found are used"
        card = dataclasses.replace(counted, warnings=(*card.warnings, warning))
    if not card.num_items("train"):
        raise DataError(f"{folder}: the training split is empty", hint=again)
    return TableForm(folder, card, columns, target, task, rows)


def _schema(card: Card) -> tuple[tuple[Column, ...], str, str]:
    """Return columns, target and task from the card.

    Raises:
        KeyError, TypeError, ValueError: something is missing or invalid.
    """
    details = card.details
    columns = tuple(
        Column(
            str(entry["name"]),
            str(entry["kind"]),
            tuple(map(str, entry.get("values", ()))),
            Notation.from_json(entry.get("notation")),
        )
        for entry in details["columns"]
    )
    target, task = str(details["target"]), str(details["task"])
    target_notation(card)
    names = [*(column.name for column in columns), target, SPLIT_COLUMN]
    if not columns or len(set(names)) < len(names):
        raise ValueError("no column, or two of the same name")
    if any(column.kind not in (NUMERIC, CATEGORICAL) for column in columns):
        raise ValueError("a kind is unknown")
    if any(len(set(column.values)) < len(column.values) for column in columns):
        raise ValueError("a category is duplicated")
    if (
        task not in (REGRESSION, CLASSIFICATION)
        or len(card.classes) == 1
        or bool(card.classes) != (task == CLASSIFICATION)
    ):
        raise ValueError(f"the task {task!r} with {len(card.classes)} classes")
    return columns, target, task


def target_notation(card: Card) -> Notation:
    """Return how the target of a table writes its numbers.

    Raises:
        ValueError: the card says something else there.
    """
    return Notation.from_json(card.details.get("target_notation"))


def count_rows(rows: TableRows, classes: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return split -> class -> number of rows, as a card's `counts`; {} for a table without classes."""
    counts = {}
    for split, is_in in (("train", ~rows.is_test), ("test", rows.is_test)):
        if classes and is_in.any():
            numbers = np.bincount(rows.targets[is_in], minlength=len(classes)).tolist()
            counts[split] = dict(zip(classes, numbers, strict=True))
    return counts


def count_items(rows: TableRows, classes: Sequence[str]) -> dict[str, int]:
    """Return split -> number of rows, as a card's `items`; {} if it is the sum over the classes."""
    num_test = int(rows.is_test.sum())
    counts = {"train": len(rows.is_test) - num_test, "test": num_test}
    return {} if classes else {split: count for split, count in counts.items() if count}


def encode_sheet(
    sheet: Sheet,
    columns: Sequence[Column],
    target: str,
    classes: Sequence[str],
    is_test: np.ndarray,
    where: str,
    notation: Notation = PLAIN,
) -> TableRows:
    """Return the rows of a sheet as numbers.

    Args:
        sheet: N rows.
        columns: the input columns.
        target: name of the column to predict.
        classes: the class names; () for regression.
        is_test: (N,) bool.
        where: the file, for messages.
        notation: how the target writes its numbers.

    Raises:
        DataError: a cell of a numeric column is not a number, or a category or class is unknown.
    """
    numeric = [_numbers(sheet, column.name, column.notation, where) for column in columns if column.kind == NUMERIC]
    places = [
        _places(sheet, column.name, column.values, where, gaps=True) for column in columns if column.kind == CATEGORICAL
    ]
    if classes:
        targets = _places(sheet, target, classes, where, gaps=False)
    else:
        targets = _numbers(sheet, target, notation, where)
    if not classes and np.isnan(targets).any():
        line = sheet.lines[int(np.flatnonzero(np.isnan(targets))[0])]
        raise DataError(f"{where}: line {line}: the target {target!r} is missing")
    count = len(sheet.rows)
    return TableRows(
        np.stack(numeric, 1) if numeric else np.empty((count, 0)),
        np.stack(places, 1) if places else np.empty((count, 0), np.int64),
        targets,
        is_test,
    )


def _numbers(sheet: Sheet, name: str, notation: Notation, where: str) -> np.ndarray:
    values = [notation.number(cell) for cell in sheet.column(name)]
    if None in values:
        index = values.index(None)
        raise DataError(
            f"{where}: line {sheet.lines[index]}: {name} is {sheet.column(name)[index]!r}, not a number",
            hint="correct the cell, or prepare the changed table again",
        )
    return np.array(values, np.float64)


def _places(sheet: Sheet, name: str, values: Sequence[str], where: str, *, gaps: bool) -> np.ndarray:
    known = {value: index for index, value in enumerate(values)}
    places = np.empty(len(sheet.rows), np.int64)
    for index, cell in enumerate(sheet.column(name)):
        place = -1 if gaps and is_missing(cell) else known.get(cell)
        if place is None:
            raise DataError(
                f"{where}: line {sheet.lines[index]}: {name} is {cell!r}, which is not on the card",
                hint="prepare the changed table again",
            )
        places[index] = place
    return places


def write_packed(folder: Path, rows: TableRows, columns: Sequence[Column], card: Card) -> None:
    """Write the packed copy of the table in the folder."""
    with atomic_file(folder / PACKED_NAME) as stream:
        np.savez(
            stream,
            numeric=rows.numeric,
            categories=rows.categories,
            targets=rows.targets,
            is_test=rows.is_test,
            of=_fingerprint(folder, columns, card),
        )


def _fingerprint(folder: Path, columns: Sequence[Column], card: Card) -> np.ndarray:
    """Return the SHA-256 of table.csv and that of its columns on the card, (64,) uint8.

    A packed copy with another one is stale; version 0.1.0 wrote the first alone.
    """
    schema = repr([list(columns), list(card.classes), card.details.get("target"), card.details.get("target_notation")])
    digest = hashlib.sha256(schema.encode("utf-8", "surrogatepass")).digest()
    return np.frombuffer(bytes.fromhex(file_sha256(folder / TABLE_NAME)) + digest, np.uint8)


def _read_packed(folder: Path, columns: Sequence[Column], card: Card) -> TableRows | None:
    """Return the packed copy, or None if it is missing, stale or damaged."""
    arrays = load_npz(folder / PACKED_NAME)
    if arrays is None or not arrays.keys() >= {"numeric", "categories", "targets", "is_test", "of"}:
        return None
    rows = TableRows(arrays["numeric"], arrays["categories"], arrays["targets"], arrays["is_test"])
    try:
        is_fresh = np.array_equal(arrays["of"], _fingerprint(folder, columns, card))
    except OSError:  # the table itself is missing, which reading it reports
        return None
    return rows if is_fresh and _fits(rows, columns, card) else None


def _fits(rows: TableRows, columns: Sequence[Column], card: Card) -> bool:
    """Return whether the arrays have the shapes, dtypes and ranges that follow from the card."""
    sizes = [len(column.values) for column in columns if column.kind == CATEGORICAL]
    count = rows.targets.size
    shapes = (rows.numeric.shape, rows.categories.shape, rows.targets.shape, rows.is_test.shape)
    if shapes != ((count, len(columns) - len(sizes)), (count, len(sizes)), (count,), (count,)):
        return False
    kinds = (np.dtype(np.float64), np.dtype(np.int64), np.dtype(np.int64 if card.classes else np.float64))
    if (rows.numeric.dtype, rows.categories.dtype, rows.targets.dtype) != kinds or rows.is_test.dtype != np.bool_:
        return False
    if np.isinf(rows.numeric).any() or (rows.categories < -1).any() or (rows.categories >= np.array(sizes, int)).any():
        return False
    if card.classes:
        return bool(((rows.targets >= 0) & (rows.targets < len(card.classes))).all())
    return bool(np.isfinite(rows.targets).all())


def _pack_again(folder: Path, columns: Sequence[Column], target: str, card: Card, again: str) -> TableRows:
    """Return the rows of table.csv, and store their packed copy if the folder is writable."""
    path = folder / TABLE_NAME
    try:
        sheet = read_sheet(path, delimiter="comma", header=True)
    except DataError as error:
        raise DataError(error.message, details=error.details, hint=again) from None
    expected = {*(column.name for column in columns), target, SPLIT_COLUMN}
    if set(sheet.names) != expected or sheet.broken:
        lost = sorted(expected.symmetric_difference(sheet.names))
        what = f"the column {lost[0]!r}" if lost else f"line {sheet.broken[0][0]}"
        raise DataError(f"{path}: {what} does not match the card", hint=again)
    splits = sheet.column(SPLIT_COLUMN)
    wrong = [index for index, split in enumerate(splits) if split not in SPLITS]
    if wrong:
        raise DataError(f"{path}: line {sheet.lines[wrong[0]]}: the split is {splits[wrong[0]]!r}, not train or test")
    is_test = np.array(splits) == "test"
    rows = encode_sheet(sheet, columns, target, card.classes, is_test, str(path), target_notation(card))
    try:
        write_packed(folder, rows, columns, card)
    except OSError:  # the folder is not writable: the copy is only for speed
        return rows
    return rows
