"""The rows that arguments and lines of standard input refer to, read as the table that a run was trained from.

A row is named by its file and line, `houses.csv:12`; `houses.csv` means all of its rows. Standard input is read as one
CSV, whose rows are `-:2`, `-:3`, ... Every row has a source, in order; one that cannot be read says why.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.data.codec import Source
from dlcli.data.inputs import expand_files
from dlcli.data.reading.delimited import Row as CutRow
from dlcli.data.reading.encodings import detect_encoding
from dlcli.data.reading.lines import decode_line, lines_of_document, read_at_most
from dlcli.data.tables.form import SPLIT_COLUMN
from dlcli.data.tables.rows import (
    DELIMITERS,
    SEMICOLON,
    TABLE_SUFFIXES,
    Reading,
    RowCutter,
    Sheet,
    fault_of,
    names_in_header,
    read_sheet,
    with_point,
)

_PLACE = re.compile(r"(.+):(\d+)", re.DOTALL)
_STDIN = "-"
_MAX_NAMED = 5
_EMPTY = "an empty line"


@dataclass(frozen=True)
class Row:
    """One row to predict from; the value of a source.

    Attributes:
        cells: its cells by column; empty if there is a fault.
        note: a note on the table, in its first row only; "" for none.
        fault: why there are no cells; "" if there are.
    """

    cells: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    fault: str = ""


class RowReader:
    """Finds the rows that arguments and lines refer to.

    Args:
        names: the columns that the run reads.
        target: the column that it predicts.
        reading: how the run's table was read; None if that is not known.
        plain: the columns whose numbers the run's table writes with a point; where semicolons part the cells, they are
            read with a comma too.
    """

    def __init__(self, names: Sequence[str], target: str, reading: Reading | None, plain: Collection[str] = ()) -> None:
        self._names = tuple(names)
        self._target = target
        self._reading = reading
        self._plain = frozenset(plain)
        self._stdin = _Stdin(_STDIN)

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield a source for each row that the arguments refer to: all rows of files and folders, or single rows."""
        newest: tuple[str, Sheet] | None = None  # consecutive rows of one file read it only once
        for text in expand_files(inputs, TABLE_SUFFIXES):
            name, line = _place(text)
            try:
                if newest is None or newest[0] != name:
                    newest = name, self._read(Path(name))
                rows = self._rows(newest[1], line)
            except DataError as error:
                reasons = [error.message.removeprefix(f"{name}: "), *error.details[:1]]
                yield Source(text, Row(fault=": ".join(reasons)))
                continue
            for own, row in rows:
                yield Source(f"{name}:{own}", row)

    def _read(self, path: Path) -> Sheet:
        """Return a table, read as the run's was if it then has the run's columns.

        Raises:
            DataError: it cannot be read, or its encoding is not certain.
        """
        own = self._reading
        encoding = detect_encoding(path, [own.codec] if own is not None else [])
        if encoding.sample:
            raise DataError(f"{path}: not UTF-8, and not certain to be {encoding.name}: {encoding.sample!r}")
        if own is not None:
            try:
                sheet = read_sheet(path, delimiter=own.delimiter, header=own.has_header, encoding=encoding)
            except DataError:  # read in another way, it may be a table
                sheet = None
            if sheet is not None and not self._missing(sheet.names):
                return sheet
        return read_sheet(path, encoding=encoding)

    def _missing(self, names: Sequence[str]) -> list[str]:
        return [column for column in self._names if column not in names]

    def _rows(self, sheet: Sheet, line: int | None = None) -> Iterator[tuple[int, Row]]:
        """Return the line numbers and rows of a sheet in order, or only the row that begins on `line`.

        Raises:
            DataError: the sheet lacks one of the run's columns, or the row.
        """
        missing = self._missing(sheet.names)
        if missing:
            raise DataError(_lacking(missing, has_header=sheet.has_header))
        cells = dict(zip(sheet.lines, sheet.rows, strict=True))
        faults = {**dict.fromkeys(sheet.blank, _EMPTY), **dict(sheet.broken)}
        places = sorted((*cells, *faults))
        if line is not None and line not in cells and line not in faults:
            raise DataError(f"no row begins on line {line}")
        note = self._unused(sheet.names)

        def row_at(place: int) -> Row:
            if place in faults:
                return Row(fault=faults[place])
            own = note if place == next(iter(cells)) else ""
            return Row(self._by_column(sheet.names, cells[place], sheet.delimiter), own)

        return ((place, row_at(place)) for place in (places if line is None else [line]))

    def _by_column(self, names: Sequence[str], cells: Sequence[str], delimiter: str) -> dict[str, str]:
        """Return the cells of the columns that are read, by their names; a request may have millions of others."""
        row = dict(zip(names, cells, strict=True))
        row = {name: row[name] for name in self._names}
        return row | {name: with_point(row[name]) for name in self._plain} if delimiter == SEMICOLON else row

    def _unused(self, names: Sequence[str]) -> str:
        used = (*self._names, self._target, SPLIT_COLUMN)
        unused = [column for column in names if column not in used]
        more = ", ..." if len(unused) > _MAX_NAMED else ""
        return f"not used: {', '.join(unused[:_MAX_NAMED])}{more}" if unused else ""

    def read_lines(self, lines: Sequence[str]) -> list[Source]:
        """Return the rows that the next lines of standard input complete; the first line names the columns."""
        state, sources = self._stdin, []
        codecs = [*([self._reading.codec] if self._reading is not None else []), "gb18030"]
        for line in lines:
            state.num_lines += 1
            decoded = decode_line(line, codecs)
            fault = "" if decoded is not None else "neither UTF-8 nor GB18030"
            text = line.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if decoded is None else decoded
            text = text.replace("\0", "")
            if state.cutter is None:
                if not text.strip():
                    continue
                self._begin(text)
            assert state.cutter is not None
            for row in state.cutter.feed(text):
                sources += self._of_stdin(row._replace(fault=row.fault or fault) if row.cells else row)
        return sources

    def finish_lines(self) -> list[Source]:
        """Return the rows of lines that waited for a closing quotation mark; standard input has ended."""
        cutter = self._stdin.cutter
        return [source for row in (cutter.close() if cutter is not None else []) for source in self._of_stdin(row)]

    def rows_of_document(self, name: str, data: bytes, most: int | None = None) -> list[Source]:
        """Return the rows in the content of a table's file, read as standard input is and named by their lines.

        Raises:
            DataError: there are many lines without a row; see `read_at_most`.
        """
        reader = RowReader(self._names, self._target, self._reading, self._plain)
        reader._stdin = _Stdin(name)
        rows = read_at_most(lines_of_document(data), lambda line: reader.read_lines([line]), most)
        return [*rows, *reader.finish_lines()]

    def row_of_cells(self, cells: Mapping[str, str]) -> Row:
        """Return a row from its cells by column; one that lacks a column is a fault."""
        missing = self._missing(tuple(cells))
        if missing:
            return Row(fault=_lacking(missing, has_header=True))
        return Row(cells, self._unused(tuple(cells)))

    def _begin(self, line: str) -> None:
        """Settle how standard input is read, by its first line."""
        state, own = self._stdin, self._reading
        if own is not None and not own.has_header:
            [width] = [len(row.cells) for row in RowCutter(own.delimiter).feed(line)] or [0]
            state.names = tuple(f"column_{index + 1}" for index in range(width))
        preferred = own.delimiter if own is not None else "comma"
        fitting = [name for name in (preferred, *DELIMITERS) if not self._missing(_names_in(line, name))]
        state.delimiter = (fitting or [preferred])[0]
        state.cutter = RowCutter(state.delimiter, line=state.num_lines - 1)

    def _of_stdin(self, row: CutRow) -> list[Source]:
        """Return the source of a row of standard input; none for the header."""
        state = self._stdin
        if state.names is None:
            try:
                state.names = names_in_header(row.cells, state.name)
                missing = self._missing(state.names)
                state.fault = _lacking(missing, has_header=True) if missing else ""
            except DataError as error:
                state.names, state.fault = tuple(row.cells), error.message.removeprefix(f"{state.name}: ")
            return []
        fault = (fault_of(row, len(state.names)) if row.cells else _EMPTY) or state.fault
        if fault:
            return [Source(f"{state.name}:{row.line}", Row(fault=fault))]
        note = "" if state.is_noted else self._unused(state.names)
        state.is_noted = True
        return [Source(f"{state.name}:{row.line}", Row(self._by_column(state.names, row.cells, state.delimiter), note))]


@dataclass
class _Stdin:
    """The state of reading a table from standard input, or from the content of a file.

    Attributes:
        name: the name of the table, `-` for standard input.
        cutter: cuts the lines; None until the first line that is not empty.
        delimiter: what it cuts them at, a key of `DELIMITERS` or "spaces".
        names: the columns; None until the header has been read.
        num_lines: number of lines read.
        is_noted: whether the unused columns have been reported.
        fault: why no row can be read; "" if they can.
    """

    name: str
    cutter: RowCutter | None = None
    delimiter: str = "comma"
    names: tuple[str, ...] | None = None
    num_lines: int = 0
    is_noted: bool = False
    fault: str = ""


def _names_in(line: str, delimiter: str) -> tuple[str, ...]:
    return tuple(cell for row in RowCutter(delimiter).feed(line) for cell in row.cells)


def _place(text: str) -> tuple[str, int | None]:
    """Return the file and line that an argument refers to; the line is None for a whole file."""
    match = _PLACE.fullmatch(text)
    if match is not None and not Path(text).exists() and Path(match[1]).is_file():
        return match[1], int(match[2])
    return text, None


def _lacking(missing: Sequence[str], *, has_header: bool) -> str:
    if not has_header:
        return f"has no header line naming the columns, such as {', '.join(missing[:_MAX_NAMED])}"
    word = "column" if len(missing) == 1 else "columns"
    more = ", ..." if len(missing) > _MAX_NAMED else ""
    return f"lacks the {word} {', '.join(missing[:_MAX_NAMED])}{more}"
