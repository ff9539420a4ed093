"""What the columns of a sheet are: numbers and their notation, categories, or of no use; and what the target is."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcli.core.console import shorten
from dlcli.core.errors import DataError
from dlcli.data.labels import label_text
from dlcli.data.tables.categories import are_names, known_order, settle_order
from dlcli.data.tables.dates import are_compact_dates, hold_dates
from dlcli.data.tables.form import CATEGORICAL, CLASSIFICATION, NUMERIC, REGRESSION, Column
from dlcli.data.tables.numbers import PLAIN, FoundNotation, Notation, find_notation
from dlcli.data.tables.precision import refuse_extremes
from dlcli.data.tables.rows import Sheet, is_missing, to_number

_ID_NAME = re.compile(r"(.*_)?(id|index|uuid|guid|key|row|no|nr|编号|序号)|column_1|unnamed: \d+", re.IGNORECASE)
_UNNAMED = re.compile(r"column_1|unnamed: \d+", re.IGNORECASE)
_MIN_ROWS_TO_TELL = 20  # with fewer rows, all values may differ by chance
_FEW_NUMBERS = 10  # a target of at most this many distinct integers may be a class
_NEARLY_ALL = 0.9  # a column with a larger fraction of numbers is one of numbers, and the other cells are mistakes
_MOST_UNITS = 5  # letters behind numbers that differ more are parts of codes, such as 12A, 12B, 14C, ...
_MIN_ROWS = 10
_LENGTH_SHOWN = 60
_LEADING_ZERO = re.compile(r"0\d+")

MAY_BE_NAMES = frozenset({"-", "na", "n/a", "none", "null"})
"""Marks of a missing value that may also name a class, in lower case."""

FREQUENT = 0.05
"""From this fraction of the rows on, such a mark in a target of names is a class: `none` beside `mild` and `severe`."""


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Attributes:
        task: the name of the task.
        classes: the sorted class names, () for regression.
        notation: how the numbers of a regression are written.
    """

    task: str
    classes: tuple[str, ...]
    notation: Notation = PLAIN


def quoted(cell: str) -> str:
    """Return a cell for a message: in quotes, on one line, and cut off if it is long."""
    return repr(shorten(cell, _LENGTH_SHOWN))


def find_gaps(cells: Sequence[str], target: str, notes: list[str], *, are_numbers: bool) -> list[bool]:
    """Return which cells of a target are missing, and note the marks that are taken for classes.

    A mark in `MAY_BE_NAMES` is a class if most other cells are names too, and it stands in at least 5 % of the rows; a
    minus sign is one also beside a plus sign.

    Args:
        cells: the target's cells.
        target: its name.
        notes: gets a line for each such class.
        are_numbers: whether a regression was requested, so that nothing is a name.
    """
    gaps = [is_missing(cell) for cell in cells]
    known = [cell for cell, is_gap in zip(cells, gaps, strict=True) if not is_gap]
    if are_numbers or sum(to_number(cell) is None for cell in known) <= len(known) / 2:
        return gaps
    marks = Counter(cell for cell, is_gap in zip(cells, gaps, strict=True) if is_gap)
    for mark, count in marks.items():
        is_sign = mark == "-" and "+" in known
        if is_sign or (mark.casefold() in MAY_BE_NAMES and count >= FREQUENT * len(cells)):
            notes.append(
                f"{mark!r} in {target!r} is a class, not a gap ({count:,} of {len(cells):,} rows); "
                "leave cells empty where the class is unknown"
            )
            gaps = [is_gap and cell != mark for cell, is_gap in zip(cells, gaps, strict=True)]
    return gaps


def settle_target(sheet: Sheet, target: str, task: str | None, notes: list[str], where: str) -> Target:
    """Return what is predicted, decided by the values of the target and by the requested task, if any.

    Raises:
        DataError: the target is unusable: dates, a single value, too few rows, too many classes, mixed with words.
    """
    cells = sheet.column(target)
    if len(cells) < _MIN_ROWS:
        raise DataError(
            f"{where}: {len(cells)} rows with a {target!r}; training needs at least {_MIN_ROWS}",
            hint="add rows, or choose another column with --target",
        )
    if hold_dates(cells) and task != CLASSIFICATION:
        raise DataError(
            f"{where}: the target {target!r} holds dates",
            hint="convert it to a number (days since the first one) and prepare again",
        )
    reading = find_notation(cells, sheet.decimal)
    odd = next((i for i, cell in enumerate(cells) if reading.notation.number(cell) is None), None)
    if odd is not None and task is None:
        _refuse_mixed_target(sheet, target, reading, odd, where)
    if odd is None and task != CLASSIFICATION:
        return _regression(cells, target, reading, sheet.decimal, notes, where)
    if task == REGRESSION:
        assert odd is not None
        raise DataError(
            f"{where}: line {sheet.lines[odd]}: the target {target!r} is {quoted(cells[odd])}, not a number",
            hint="correct the cell, or prepare with --task classification",
        )
    return _classification(cells, target, where)


def _regression(
    cells: Sequence[str], target: str, reading: FoundNotation, decimal: str, notes: list[str], where: str
) -> Target:
    numbers = [reading.notation.number(cell) for cell in cells]
    values = np.array(numbers, np.float64)
    distinct = np.unique(values)
    if len(distinct) < 2:
        raise DataError(
            f"{where}: the target {target!r} is {quoted(cells[0])} in every row",
            hint="choose another column with --target",
        )
    refuse_extremes(values, target, where)
    notes += _note_notation(target, cells, reading, decimal)
    if len(distinct) <= _FEW_NUMBERS and bool(np.all(distinct == np.floor(distinct))):
        notes.append(f"the target {target!r} has {len(distinct)} values: --task classification would predict classes")
    return Target(REGRESSION, (), reading.notation)


def _classification(cells: Sequence[str], target: str, where: str) -> Target:
    classes = tuple(sorted(set(map(label_text, cells)), key=by_value))
    if len(classes) < 2:
        raise DataError(
            f"{where}: the target {target!r} is {quoted(cells[0])} in every row",
            hint="choose another column with --target",
        )
    if len(classes) > len(cells) / 2:
        raise DataError(
            f"{where}: the target {target!r} has {len(classes):,} classes in {len(cells):,} rows",
            hint="choose another column with --target, or correct the cells that are not numbers",
        )
    return Target(CLASSIFICATION, classes)


def _refuse_mixed_target(sheet: Sheet, target: str, reading: FoundNotation, odd: int, where: str) -> None:
    """Refuse a target of numbers with a few other cells, rather than predict a class for each number."""
    cells = sheet.column(target)
    if _is_mistaken(cells, reading):
        raise DataError(
            f"{where}: line {sheet.lines[odd]}: the target {target!r} is {quoted(cells[odd])}, others are numbers",
            hint="correct the cell, or prepare with --task classification",
        )


def by_value(cell: str) -> tuple[float, str]:
    """Return a sort key that orders numbers by value, before words."""
    number = to_number(cell)
    return (number if number is not None and not math.isnan(number) else math.inf, cell)


def settle_column(
    name: str,
    sheet: Sheet,
    notes: list[str],
    where: str,
    *,
    is_categorical: bool = False,
    is_kept: bool = False,
    order: Sequence[str] = (),
) -> Column | str:
    """Return the column, or the reason why it is of no use.

    Args:
        name: its name.
        sheet: the rows.
        notes: gets a line on how numbers are read, if that is not plain to see.
        where: the source, for messages.
        is_categorical: whether its numbers are names.
        is_kept: whether it is of use also if it numbers the rows or holds their names.
        order: its values in order, in lower case, if the user states it.

    Raises:
        DataError: the column holds dates, numbers with some other cells, or a value outside its order.
    """
    cells = [cell for cell in sheet.column(name) if not is_missing(cell)]
    distinct = set(cells)
    if not cells:
        return "it is empty"
    if len(distinct) == 1 and len(cells) == len(sheet.rows):
        return f"it is {quoted(cells[0])} in every row"
    if order:
        return settle_order(name, sheet, order, where)
    if not is_categorical:
        reading = find_notation(cells, sheet.decimal)
        if reading.count == len(cells):
            return _settle_numbers(name, sheet, cells, reading, notes, where, is_kept=is_kept)
        _refuse_dates(name, cells, where)
        _refuse_mixed(name, sheet, reading, where)
        if not is_kept and are_names(cells):
            return f"{len(distinct):,} of its {len(cells):,} texts are distinct, as names are; --keep {name!r} keeps it"
        words = known_order(distinct)
        if words:
            notes.append(f"{name!r} is read in the order {' < '.join(words)}; --categorical {name!r} ignores it")
            return Column(name, NUMERIC, notation=Notation(words=words))
    return Column(name, CATEGORICAL, tuple(sorted(distinct, key=by_value)))


def _settle_numbers(
    name: str,
    sheet: Sheet,
    cells: Sequence[str],
    reading: FoundNotation,
    notes: list[str],
    where: str,
    *,
    is_kept: bool,
) -> Column | str:
    values = np.array([reading.notation.number(cell) for cell in cells], np.float64)
    if len(np.unique(values)) == 1 and len(cells) == len(sheet.rows):
        return f"it is {quoted(cells[0])} in every row"
    if len(values) >= _MIN_ROWS_TO_TELL and not is_kept and counts_rows(name, values):
        return f"it numbers the rows; --keep {name!r} keeps it"
    refuse_extremes(values, name, where)
    notes += _note_notation(name, cells, reading, sheet.decimal)
    notes += _note_codes(name, cells, values)
    return Column(name, NUMERIC, notation=reading.notation)


def counts_rows(name: str, values: np.ndarray) -> bool:
    """Return whether a column numbers the rows: 1, 2, 3, ... or, if it is named like an id, all different.

    An index without a name, as pandas writes it, may recur where tables were joined.
    """
    if np.any(values != np.floor(values)):
        return False
    num_distinct = len(np.unique(values))
    if num_distinct < len(values):
        return _UNNAMED.fullmatch(name) is not None and num_distinct > len(values) / 2
    return bool(np.all(np.diff(values) == 1)) or _ID_NAME.fullmatch(name) is not None


def _note_notation(name: str, cells: Sequence[str], reading: FoundNotation, decimal: str) -> list[str]:
    """Return a line on how the numbers are read, unless they are plain, or have only the table's own decimal mark."""
    notation = reading.notation
    if notation == PLAIN or (notation == Notation(decimal) and reading.other is None):
        return []
    cell = max(cells, key=len)
    line = f"{name!r} is read as numbers: {quoted(cell)} is {notation.number(cell):.10g}"
    if reading.other is not None:
        example = next(c for c in cells if reading.other.number(c) != notation.number(c))
        line += f"; {quoted(example)} could also be {reading.other.number(example):.10g}, which no cell decides"
    return [line]


def _note_codes(name: str, cells: Sequence[str], values: np.ndarray) -> list[str]:
    """Return a line on numbers that look like something else: codes with leading zeros, dates, numbers of rows."""
    zeros = [cell for cell in cells if _LEADING_ZERO.fullmatch(cell)]
    if zeros:
        return [
            f"{name!r} is read as numbers, though {len(zeros):,} begin with 0, as {quoted(zeros[0])}: if they are "
            f"names, such as postal codes, use --categorical {name!r}"
        ]
    if are_compact_dates(cells):
        return [
            f"{name!r} looks like dates ({cells[0]}), which are no even steps as numbers; --drop {name!r} leaves it out"
        ]
    is_permutation = len(values) >= _MIN_ROWS_TO_TELL and bool(np.all(np.diff(np.sort(values)) == 1))
    if is_permutation and values.min() in (0, 1):
        return [
            f"{name!r} is each of {values.min():.0f} to {values.max():.0f} once, as numbers of rows are: "
            f"if it is one, leave it out with --drop {name!r}"
        ]
    return []


def _refuse_dates(name: str, cells: Sequence[str], where: str) -> None:
    if hold_dates(cells):
        raise DataError(
            f"{where}: the column {name!r} holds dates, as {quoted(cells[0])}",
            hint=f"convert it to numbers (year, month, days since the first one), or leave it out with --drop {name!r}",
        )


def _refuse_mixed(name: str, sheet: Sheet, reading: FoundNotation, where: str) -> None:
    """Refuse a column of numbers with some other cells: as categories, its numbers would lose their order.

    Raises:
        DataError: the column is of this kind.
    """
    cells = sheet.column(name)
    known = [cell for cell in cells if not is_missing(cell)]
    hint = f"correct the cells, treat it as categories with --categorical {name!r}, or use --drop {name!r}"
    is_nearly_alike = reading.count > _NEARLY_ALL * len(known)
    has_units = any(reading.affixes) and 1 < len(reading.affixes) <= _MOST_UNITS and len(set(known)) > _FEW_NUMBERS
    if has_units and not is_nearly_alike and reading.num_shaped > _NEARLY_ALL * len(known):
        found = ", ".join(quoted(affix) if affix else "none" for affix in reading.affixes)
        raise DataError(f"{where}: the column {name!r} holds numbers with different units: {found}", hint=hint)
    if _is_mistaken(known, reading):
        odd = [i for i, cell in enumerate(cells) if reading.notation.number(cell) is None]
        words = sorted({cells[i] for i in odd})
        raise DataError(
            f"{where}: the column {name!r} holds numbers and {', '.join(map(quoted, words[:3]))}",
            details=[f"{len(odd):,} cells, the first on line {sheet.lines[odd[0]]}"],
            hint=hint,
        )


def _is_mistaken(cells: Sequence[str], reading: FoundNotation) -> bool:
    """Return whether a column is one of numbers, so that its other cells are mistakes.

    More than half of the cells are numbers and many of them differ, or nearly all cells are and they are not just yes
    and no.
    """
    if reading.count == len(cells):
        return False
    distinct = {number for cell in cells if (number := reading.notation.number(cell)) is not None}
    share = reading.count / max(1, len(cells))
    return (share > 0.5 and len(distinct) > _FEW_NUMBERS) or (share > _NEARLY_ALL and len(distinct) > 2)
