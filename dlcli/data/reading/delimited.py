"""Rows of delimited text, line by line: one reader for files and for standard input, for training and for predicting.

Rows follow RFC 4180: double quotes, doubled inside; delimiters and line breaks inside quotes; blanks behind a delimiter
are ignored. A row that does not is read with backslash escapes (as MySQL writes them) or without the blanks behind a
closing quotation mark, if one of these makes it a row. Otherwise the row is broken: it loses only its first line, and
reading resumes at the next. An empty line is an empty row, except behind the last row.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

MAX_CHARACTERS = 4 * 2**20
"""Characters of a row, at most: a longer one means that a quotation mark is unclosed, or that there are no lines."""

_MAX_REPAIRED = 50
"""Lines of a row in another dialect, at most."""
_UNCLOSED = "unexpected end of data"  # of the csv module
_BLANKS_BEHIND_QUOTE = r'"[ \t]+(?={}|$)'


class Row(NamedTuple):
    """A row.

    Attributes:
        line: the number of its first line, from 1.
        cells: its cells; () for an empty line; if there is a fault, its first line as a single cell.
        fault: why it is not a row; "" if it is.
        num_swallowed: number of lines inside its quotes that look like rows themselves: is a quotation mark unclosed?
    """

    line: int
    cells: Sequence[str]
    fault: str = ""
    num_swallowed: int = 0


class RowSplitter:
    """Cuts lines into rows as they arrive.

    Args:
        delimiter: the character between cells.
        has_quotes: whether double quotes enclose cells; otherwise each line is a row and quotation marks are text.
        line: number of lines before the first.
    """

    def __init__(self, delimiter: str, *, has_quotes: bool = True, line: int = 0) -> None:
        self._delimiter = delimiter
        self._has_quotes = has_quotes
        self._line = line  # the last line of the last row
        self._empty: list[Row] = []  # behind the last row
        self._waiting: list[str] = []
        self._num_characters = 0
        self._format: dict[str, Any] = {"delimiter": delimiter, "strict": True, "skipinitialspace": True}
        self._blanks = re.compile(_BLANKS_BEHIND_QUOTE.format(re.escape(delimiter)), re.MULTILINE)

    def feed(self, line: str) -> list[Row]:
        """Return the rows that a line completes.

        Args:
            line: the next line, without its line break.
        """
        if self._waiting:
            return self._several(line)
        if line and not line.isspace():
            return self._one(line)
        self._line += 1
        self._empty.append(Row(self._line, ()))
        return []

    def close(self) -> list[Row]:
        """Return the rows of the lines that wait for a closing quotation mark that never came."""
        rows: list[Row] = []
        while self._waiting:
            rows += self._resolve("a quotation mark is not closed")
        return rows

    def _one(self, line: str) -> list[Row]:
        """Return the row of a line that begins one; none if it goes on."""
        if len(line) > MAX_CHARACTERS:
            self._line += 1
            return self._behind_empty(Row(self._line, [line[:MAX_CHARACTERS]], _too_long(len(line))))
        if not self._has_quotes or '"' not in line:
            self._line += 1
            return self._behind_empty(Row(self._line, [cell.lstrip(" ") for cell in line.split(self._delimiter)]))
        csv.field_size_limit(MAX_CHARACTERS)  # of the process; 131,072 is no property of a file
        try:
            cells = next(csv.reader((line,), **self._format))
        except csv.Error:
            return self._several(line)
        self._line += 1
        return self._behind_empty(Row(self._line, cells))

    def _several(self, line: str) -> list[Row]:
        """Return the rows that a line completes that stands inside quotes, or is not a row by itself."""
        is_first = not self._waiting
        self._waiting.append(line)
        self._num_characters += len(line) + 1
        is_too_long = self._num_characters > MAX_CHARACTERS
        if '"' not in line and not is_too_long:
            return []
        try:
            # A line alone tells whether it ends the row; to parse all of them each time would take quadratic time.
            if not is_too_long:
                self._parse([line if is_first else f'"{line}'])
            cells = self._parse(self._waiting)
        except csv.Error as error:
            if is_too_long:
                return self._resolve("a quotation mark is not closed")
            return [] if str(error) == _UNCLOSED else self._resolve(f"not CSV: {error}")
        return self._behind_empty(self._take(len(self._waiting), cells))

    def _behind_empty(self, row: Row) -> list[Row]:
        """Return a row behind the empty ones before it."""
        if not self._empty:
            return [row]
        rows, self._empty = [*self._empty, row], []
        return rows

    def _parse(self, lines: Sequence[str], **dialect: Any) -> list[str]:
        """Return the cells of a row.

        Raises:
            csv.Error: the lines are not one row.
        """
        rows = csv.reader([f"{line}\n" for line in lines], **{**self._format, **dialect})
        cells = next(rows)
        if next(rows, None) is not None:
            raise csv.Error("several rows")
        return cells

    def _take(self, num_lines: int, cells: Sequence[str], fault: str = "") -> Row:
        """Return the row of the first lines that wait, which no longer wait."""
        inner = self._waiting[1 : num_lines - 1]
        num_like_rows = sum(line.count(self._delimiter) == len(cells) - 1 for line in inner) if len(cells) > 1 else 0
        row = Row(self._line + 1, cells, fault, num_like_rows if len(inner) > 1 and num_like_rows == len(inner) else 0)
        del self._waiting[:num_lines]
        self._line += num_lines
        self._num_characters = sum(map(len, self._waiting)) + len(self._waiting)
        return row

    def _resolve(self, fault: str) -> list[Row]:
        """Return the waiting lines as rows: the first in another dialect or broken, then whatever the others are."""
        row = self._repaired() or self._take(1, [self._waiting[0]], fault)
        again, self._waiting, self._num_characters = self._waiting, [], 0
        rows = self._behind_empty(row)
        for line in again:
            rows += self.feed(line)
        return rows

    def _repaired(self) -> Row | None:
        """Return the first of the waiting lines as a row in another dialect, or None."""
        for num_lines in range(1, min(len(self._waiting), _MAX_REPAIRED) + 1):
            lines = self._waiting[:num_lines]
            try:
                if any('\\"' in line for line in lines):
                    return self._take(num_lines, self._parse(lines, escapechar="\\", doublequote=False))
                text = "\n".join(lines)
                if self._blanks.search(text):
                    return self._take(num_lines, self._parse(self._blanks.sub('"', text).split("\n")))
            except csv.Error:
                continue
        return None


def split_rows(lines: Iterable[str], delimiter: str, *, has_quotes: bool = True) -> Iterator[Row]:
    """Yield the rows of lines without their line breaks; see `RowSplitter`."""
    splitter = RowSplitter(delimiter, has_quotes=has_quotes)
    for line in lines:
        yield from splitter.feed(line)
    yield from splitter.close()


def swallowed_note(row: Row) -> str:
    """Return the warning that a row's quotes enclose lines that look like rows; "" if they do not."""
    if not row.num_swallowed:
        return ""
    return f"line {row.line:,}: a cell encloses {row.num_swallowed:,} lines that look like rows: an unclosed quote?"


def _too_long(count: int) -> str:
    return f"a line of {count:,} characters, more than {MAX_CHARACTERS:,}"
