"""Reading tables as strings: CSV and similar formats, detecting encoding, delimiter and header; imports no torch."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.data.encodings import detect_encoding

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".data"})

DELIMITERS: dict[str, str] = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|"}
"""Name -> character; if two split a file equally well, the first is preferred."""

SPACES = "spaces"
"""Columns separated by any amount of whitespace, as in many old datasets; used only on request."""

MISSING = frozenset({"", "?", "-", "na", "n/a", "#n/a", "<na>", "nan", "null", "none"})
"""Missing values, in lower case: those of pandas, and the question mark of the UCI repository."""

_SAMPLE_ROWS = 50
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")


@dataclass(frozen=True)
class Sheet:
    """The raw content of a table file.

    Attributes:
        names: names of the columns; `column_1`, `column_2`, ... if the file has no header.
        rows: the cells as strings without surrounding whitespace; every row has one per column.
        lines: line where each row begins in the file, from 1.
        ragged: rows that were skipped because they have a different number of cells: (line, number of cells).
        encoding: its name, for messages; "" if the text was already decoded.
        delimiter: a key of `DELIMITERS`, or "spaces".
        has_header: whether the file has a header.
    """

    names: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    ragged: tuple[tuple[int, int], ...]
    encoding: str
    delimiter: str
    has_header: bool

    def column(self, name: str) -> list[str]:
        """Return the cells of a column."""
        index = self.names.index(name)
        return [row[index] for row in self.rows]

    def renamed(self, names: Sequence[str]) -> Sheet:
        """Return the sheet with other column names."""
        return replace(self, names=tuple(names))


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


def read_sheet(path: Path, *, delimiter: str | None = None, header: bool | None = None) -> Sheet:
    """Return the table in a file.

    Args:
        path: a CSV file or similar.
        delimiter: a key of `DELIMITERS` or "spaces"; None detects it.
        header: whether the first row names the columns; None detects it.

    Raises:
        DataError: the file is missing, is not text, has no rows, or has an unclosed quotation mark.
    """
    encoding = detect_encoding(path)
    text = path.read_bytes().decode(encoding.codec)
    return parse_sheet(text, str(path), delimiter=delimiter, header=header, encoding=encoding.name)


def parse_sheet(
    text: str, where: str, *, delimiter: str | None = None, header: bool | None = None, encoding: str = ""
) -> Sheet:
    """Return the table in a string; see `read_sheet`."""
    if "\0" in text:
        raise DataError(f"{where}: holds NUL bytes, so it is not a table", hint="save it as CSV")
    delimiter = delimiter or _find_delimiter(text)
    numbered = list(_cut(text, delimiter, where))
    if not numbered:
        raise DataError(f"{where}: holds no rows")
    has_header = _starts_with_header([cells for _, cells in numbered[: _SAMPLE_ROWS + 1]]) if header is None else header
    width = len(numbered[0][1])
    names = _names(numbered[0][1], where) if has_header else tuple(f"column_{k + 1}" for k in range(width))
    body = numbered[1:] if has_header else numbered
    if not body:
        raise DataError(f"{where}: holds a header but no rows")
    good = [(line, cells) for line, cells in body if len(cells) == width]
    ragged = tuple((line, len(cells)) for line, cells in body if len(cells) != width)
    return Sheet(names, [c for _, c in good], [line for line, _ in good], ragged, encoding, delimiter, has_header)


def _cut(text: str, delimiter: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line where each row begins, and its cells, skipping empty rows."""
    if delimiter == SPACES:
        for number, spaced in enumerate(text.splitlines(), 1):
            if spaced.strip():
                yield number, spaced.split()
        return
    # With semicolons as delimiters, 3,14 is a number: spreadsheets in half of Europe write it so.
    has_decimal_comma = delimiter == "semicolon"
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS[delimiter], skipinitialspace=True)
    before = 0
    try:
        for raw in reader:
            line, before = before + 1, reader.line_num
            cells = [cell.strip() for cell in raw]
            if has_decimal_comma:
                cells = [c.replace(",", ".") if _DECIMAL_COMMA.fullmatch(c) else c for c in cells]
            if any(cells):
                yield line, cells
    except csv.Error as error:
        raise DataError(
            f"{where}: line {before + 1}: {error}", hint="a quotation mark may be unclosed; correct the file"
        ) from None


def _find_delimiter(text: str) -> str:
    """Return the delimiter that splits the first rows into the most columns, nearly all into the same number."""
    head = "".join(text.splitlines(keepends=True)[:_SAMPLE_ROWS])
    best, most = "comma", 1
    for name, character in DELIMITERS.items():
        try:
            rows = [row for row in csv.reader(io.StringIO(head, newline=""), delimiter=character) if any(row)]
        except csv.Error:
            continue
        widths = [len(row) for row in rows[:-1] or rows]  # the last one may be truncated inside quotation marks
        common = max(set(widths), key=widths.count, default=0)
        if common > most and widths.count(common) >= 0.9 * len(widths):
            best, most = name, common
    return best


def _starts_with_header(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row is a header: it has no numbers and no duplicates, and there are numbers below it.

    If no column has numbers, a cell that recurs below is a value, not a name. A header may have an empty cell: pandas
    leaves the name of its index empty.
    """
    named = {index: cell for index, cell in enumerate(rows[0]) if cell}
    if any(map(_is_number, named.values())) or len(set(named.values())) < len(named):
        return False
    below = [[row[index] for row in rows[1:] if len(row) == len(rows[0])] for index in named]
    known = [[cell for cell in cells if not is_missing(cell)] for cells in below]
    if any(cells and all(map(_is_number, cells)) for cells in known):
        return True
    return not any(name in cells for name, cells in zip(named.values(), below, strict=True))


def _is_number(cell: str) -> bool:
    number = to_number(cell)
    return number is not None and not math.isnan(number)


def _names(cells: Sequence[str], where: str) -> tuple[str, ...]:
    """Return the names of the columns; `column_<number>` for empty ones.

    Raises:
        DataError: two columns have the same name.
    """
    names = [cell or f"column_{index}" for index, cell in enumerate(cells, 1)]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise DataError(f"{where}: two columns are named {name!r}", hint="give each column a different name")
    return tuple(names)
