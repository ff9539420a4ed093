"""Reading tables as strings: CSV and similar formats, detecting encoding, delimiter and header; imports no torch."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from dlcli.core.errors import DataError
from dlcli.core.wording import brief
from dlcli.data.reading.delimited import Row, RowSplitter, swallowed_note
from dlcli.data.reading.encodings import UTF8, Encoding, detect_encoding, open_text
from dlcli.data.reading.lines import Lines

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".txt", ".data", ".xlsx", ".gz", ".zip"})

DELIMITERS: dict[str, str] = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|"}
"""Name -> character; if two split a file equally well, the first is preferred."""

SEMICOLON = "semicolon"
"""The delimiter of those who write 3,14."""

SPACES = "spaces"
"""Columns separated by any amount of whitespace, as in many old datasets."""

MISSING = frozenset({"", "?", "-", "na", "n/a", "#n/a", "<na>", "nan", "null", "none"})
"""Missing values, in lower case: those of pandas, and the question mark of the UCI repository."""

_SAMPLE_ROWS = 50
_MAX_NOTES = 3
_MAX_SHOWN = 80
_FEW_COLUMNS, _MOSTLY = 2, 0.6
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d*),\d+")
"""A number as spreadsheets in half of Europe write it, which then put semicolons between cells."""


@dataclass(frozen=True)
class Reading:
    """How a table was read; a run reads the tables that it is asked about alike.

    Attributes:
        delimiter: a key of `DELIMITERS`, or "spaces".
        has_header: whether the first row names the columns.
        codec: the encoding, by its name in Python.
    """

    delimiter: str
    has_header: bool
    codec: str = "utf-8"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that is stored in a card and a run."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Self | None:
        """Return the reading in a JSON value; None if there is none, as in runs of older versions, or it is damaged."""
        if not isinstance(value, Mapping):
            return None
        delimiter, has_header, codec = (value.get(name) for name in ("delimiter", "has_header", "codec"))
        is_whole = delimiter in (*DELIMITERS, SPACES) and isinstance(has_header, bool) and isinstance(codec, str)
        return cls(str(delimiter), bool(has_header), str(codec)) if is_whole else None


@dataclass(frozen=True)
class Sheet:
    """The raw content of a table file.

    Attributes:
        names: names of the columns; `column_1`, `column_2`, ... if the file has no header.
        rows: the cells as strings without surrounding whitespace; every row has one per column.
        lines: line where each row begins in the file, from 1.
        broken: rows that are skipped, in order: (line, reason).
        blank: lines between the rows that are empty.
        encoding: the file's.
        delimiter: a key of `DELIMITERS`, or "spaces".
        has_header: whether the file has a header.
        notes: warnings on how it was read.
    """

    names: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    broken: tuple[tuple[int, str], ...]
    blank: tuple[int, ...]
    encoding: Encoding
    delimiter: str
    has_header: bool
    notes: tuple[str, ...] = ()

    @property
    def reading(self) -> Reading:
        """How the table was read."""
        return Reading(self.delimiter, self.has_header, self.encoding.codec)

    @cached_property
    def decimal(self) -> str:
        """The decimal mark, "." or ",", of the numbers that could be read with either: 1.234 or 1,234.

        Semicolons stand between the cells where the comma is a decimal mark, and a file has one such mark: a comma,
        if any of its numbers has one.
        """
        if self.delimiter != SEMICOLON:
            return "."
        return "," if any(map(_DECIMAL_COMMA.fullmatch, itertools.chain.from_iterable(self.rows))) else "."

    def column(self, name: str) -> list[str]:
        """Return the cells of a column."""
        index = self.names.index(name)
        return [row[index] for row in self.rows]

    def renamed(self, names: Sequence[str]) -> Sheet:
        """Return the sheet with other column names."""
        return replace(self, names=tuple(names))


def with_point(cell: str) -> str:
    """Return a number with a decimal comma as Python writes it; any other cell as it is."""
    return cell.replace(".", "").replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def is_missing(cell: str) -> bool:
    """Return whether a cell marks a missing value."""
    return cell.casefold() in MISSING


def to_number(cell: str) -> float | None:
    """Return the finite number in a cell, NaN if the value is missing, None if it is anything else."""
    if is_missing(cell):
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        return None
    # Python parses 1_000 as a number, but no program writes numbers that way to a table.
    return value if math.isfinite(value) and "_" not in cell else None


def read_sheet(
    path: Path,
    *,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: Encoding | None = None,
) -> Sheet:
    """Return the table in a file.

    Args:
        path: a CSV file or similar, an Excel workbook, or one of them compressed (see `open_bytes`).
        delimiter: a key of `DELIMITERS` or "spaces"; None detects it.
        header: whether the first row names the columns; None detects it.
        encoding: the file's; None detects it.

    Raises:
        DataError: the file is missing, is not text, or has no rows.
    """
    encoding = encoding or detect_encoding(path)
    with open_text(path, encoding=encoding) as stream:
        lines = Lines(stream, str(path))
        sheet = sheet_of(list(lines), str(path), delimiter=delimiter, header=header, encoding=encoding)
    notes = [encoding.warning(path)]
    if lines.num_nul:
        notes.append(f"{lines.num_nul:,} NUL bytes were removed")
    return replace(sheet, notes=(*filter(None, notes), *sheet.notes))


def parse_sheet(text: str, where: str, *, delimiter: str | None = None, header: bool | None = None) -> Sheet:
    """Return the table in a string; see `read_sheet`."""
    return sheet_of(text.split("\n"), where, delimiter=delimiter, header=header)


def sheet_of(
    lines: Sequence[str],
    where: str,
    *,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: Encoding = UTF8,
) -> Sheet:
    """Return the table in lines without their line breaks; see `read_sheet`."""
    delimiter = delimiter or _find_delimiter(lines)
    every = list(cut_rows(lines, delimiter))
    found = [row for row in every if row.cells]
    good = [row for row in found if not row.fault]
    if not good:
        raise DataError(f"{where}: holds no rows", details=[f"line {row.line}: {row.fault}" for row in found[:2]])
    first = good[0]
    has_header = _starts_with_header([row.cells for row in good[: _SAMPLE_ROWS + 1]]) if header is None else header
    width = len(first.cells)
    names = names_in_header(first.cells, where) if has_header else tuple(f"column_{k + 1}" for k in range(width))
    body = [row for row in found if row is not first] if has_header else found
    if not body:
        raise DataError(f"{where}: holds a header but no rows")
    whole = [row for row in body if not fault_of(row, width)]
    broken = tuple((row.line, fault) for row in body if (fault := fault_of(row, width)))
    notes = [note for row in body if (note := swallowed_note(row))][:_MAX_NOTES]
    return Sheet(
        names,
        [row.cells for row in whole],
        [row.line for row in whole],
        broken,
        tuple(row.line for row in every if not row.cells and row.line > first.line),
        encoding,
        delimiter,
        has_header,
        tuple(notes),
    )


def fault_of(row: Row, width: int) -> str:
    """Return why a row is not one of a table of this many columns; "" if it is."""
    if row.fault or len(row.cells) == width:
        return row.fault
    return f"{len(row.cells)} cells, but {width} columns"


def cut_rows(lines: Iterable[str], delimiter: str) -> Iterator[Row]:
    """Yield the rows of lines; see `RowCutter`."""
    cutter = RowCutter(delimiter)
    for line in lines:
        yield from cutter.feed(line)
    yield from cutter.close()


class RowCutter:
    """Cuts lines into the rows of a table as they arrive: cells without blanks around them.

    Args:
        delimiter: a key of `DELIMITERS`, or "spaces".
        line: number of lines before the first.
    """

    def __init__(self, delimiter: str, *, line: int = 0) -> None:
        self._is_spaced = delimiter == SPACES
        self._splitter = RowSplitter(DELIMITERS.get(delimiter, " "), line=line)

    def feed(self, line: str) -> list[Row]:
        """Return the rows that a line completes."""
        line = " ".join(line.split()) if self._is_spaced else line
        return list(map(_tidied, self._splitter.feed(line)))

    def close(self) -> list[Row]:
        """Return the rows of lines that waited for a closing quotation mark."""
        return list(map(_tidied, self._splitter.close()))


def _tidied(row: Row) -> Row:
    return row if row.fault or not row.cells else row._replace(cells=[cell.strip() for cell in row.cells])


def _find_delimiter(lines: Sequence[str]) -> str:
    """Return the delimiter that splits the first rows into the most columns, nearly all into the same number.

    A delimiter that also splits the first row so, which may name the columns, comes first. A semicolon is preferred to
    a comma where all that commas would split are decimal numbers.
    """
    head = list(itertools.islice((line for line in lines if line.strip()), _SAMPLE_ROWS))
    best, most = "comma", (False, 1)
    for name in DELIMITERS:
        rows = [row.cells for row in cut_rows(head, name) if row.cells and not row.fault]
        widths = [len(cells) for cells in rows]
        common = max(set(widths), key=widths.count, default=0)
        if common > 1 and widths.count(common) >= 0.9 * len(widths) and len(rows) >= 0.5 * len(head):
            rank = (widths[0] == common, common)
            if name == SEMICOLON and best == "comma" and rank[0] and _only_decimal_commas(head):
                return name
            if rank > most:
                best, most = name, rank
    return SPACES if most[1] <= _FEW_COLUMNS and _are_spaced_numbers(head, most[1]) else best


def _are_spaced_numbers(head: Sequence[str], num_columns: int) -> bool:
    """Return whether blanks split all rows into the same number of cells, over twice as many, and mostly numbers."""
    rows = [row.cells for row in cut_rows(head, SPACES) if row.cells]
    cells = [cell for row in rows for cell in row]
    is_even = len({len(row) for row in rows}) == 1 and len(rows[0]) > 2 * num_columns
    return is_even and sum(map(_is_number, cells)) >= _MOSTLY * len(cells)


def _only_decimal_commas(head: Sequence[str]) -> bool:
    """Return whether every comma between semicolons is that of a decimal number."""
    cells = [cell.strip() for line in head for cell in line.split(";") if "," in cell]
    return bool(cells) and all(map(_DECIMAL_COMMA.fullmatch, cells))


def _starts_with_header(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row is a header: it has no numbers, and there are numbers below it.

    If no column has numbers, a cell that recurs below or beside is a value, not a name. A header may have an empty
    cell: pandas leaves the name of its index empty.
    """
    named = {index: cell for index, cell in enumerate(rows[0]) if cell}
    if any(map(_is_number_anywhere, named.values())):
        return False
    below = [[row[index] for row in rows[1:] if len(row) == len(rows[0])] for index in named]
    known = [[cell for cell in cells if not is_missing(cell)] for cells in below]
    if any(cells and all(map(_is_number_anywhere, cells)) for cells in known):
        return True
    has_copies = len(set(named.values())) < len(named)
    return not has_copies and not any(name in cells for name, cells in zip(named.values(), below, strict=True))


def _is_number(cell: str) -> bool:
    number = to_number(cell)
    return number is not None and not math.isnan(number)


def _is_number_anywhere(cell: str) -> bool:
    """Return whether a cell is a number with a decimal point or a decimal comma."""
    return _is_number(with_point(cell))


def names_in_header(cells: Sequence[str], where: str) -> tuple[str, ...]:
    """Return the names of the columns; `column_<number>` for empty ones.

    Raises:
        DataError: two columns have the same name.
    """
    names = tuple(cell or f"column_{index}" for index, cell in enumerate(cells, 1))
    known = set[str]()
    for name in names:
        if name in known:
            shown = brief(repr(name), _MAX_SHOWN)  # a server repeats it for each row
            raise DataError(f"{where}: two columns are named {shown}", hint="give each column a different name")
        known.add(name)
    return names
