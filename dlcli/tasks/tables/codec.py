"""Rows of CSV files to arrays and outputs to answers, without torch: shared by a run and by what is exported from it.

A row is named by its file and line, `houses.csv:12`; `houses.csv` means all of its rows. Standard input is a CSV of its
own: its first line names the columns, and its rows are `-:2`, `-:3`, ...
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.codec import Arrays, Encoded, Record
from dlcli.data.inputs import expand_files
from dlcli.data.labels import label_records, read_labels
from dlcli.data.tables.form import SPLIT_COLUMN
from dlcli.data.tables.rows import TABLE_SUFFIXES, Sheet, parse_sheet, read_sheet
from dlcli.tasks.tables.columns import TableColumns

_ROW = re.compile(r"(.+):(\d+)", re.DOTALL)
_STDIN = "-"
_MAX_NAMED = 5


@dataclass
class _Stdin:
    """What has come of a CSV on standard input.

    Attributes:
        header: its first line; None until it is there.
        pending: a row whose quotation marks are still open.
        lines: how many lines there were.
        answered: the sources of the rows before those that come next.
    """

    header: str | None = None
    pending: str = ""
    lines: int = 0
    answered: list[str] = field(default_factory=list)


@dataclass
class RowReader:
    """Finds the rows that sources mean, and encodes them by the columns of a run.

    Attributes:
        columns: the run's.
    """

    columns: TableColumns
    _rows: dict[str, tuple[Sequence[str], Sequence[str]]] = field(default_factory=dict)  # source -> names, cells
    _notes: dict[str, str] = field(default_factory=dict)
    _faults: dict[str, str] = field(default_factory=dict)
    _noted: set[str] = field(default_factory=set)  # inputs of which it was said what is not used
    _stdin: _Stdin = field(default_factory=_Stdin)

    def expand(self, inputs: Iterable[str]) -> Iterator[str]:
        """Yield a source for each row that the arguments mean: of files, of folders of them, single rows."""
        for text in expand_files(inputs, TABLE_SUFFIXES):
            match = _ROW.fullmatch(text)
            if match is not None and not Path(text).exists() and Path(match[1]).is_file():
                yield text
                continue
            try:
                sources = self._announce(text, read_sheet(Path(text)))
            except DataError as error:
                self._faults[text] = error.message.removeprefix(f"{text}: ")
                sources = [text]
            yield from sources

    def read_lines(self, lines: Sequence[str]) -> list[str]:
        """Return the sources of the rows that some more lines of standard input hold; rows before them are dropped."""
        for source in self._stdin.answered:
            self._rows.pop(source, None)
            self._faults.pop(source, None)
        sources = []
        for line in map(_decoded, lines):
            self._stdin.lines += 1
            self._stdin.pending += line
            if self._stdin.pending.count('"') % 2:  # a line break inside quotation marks
                self._stdin.pending += "\n"
                continue
            row, self._stdin.pending = self._stdin.pending, ""
            if self._stdin.header is None:
                self._stdin.header = row
            else:
                sources.append(self._row_of_stdin(self._stdin.header, row))
        self._stdin.answered = sources
        return sources

    def _row_of_stdin(self, header: str, row: str) -> str:
        number = self._stdin.lines
        source, where = f"{_STDIN}:{number}", "standard input"
        try:
            self._announce(_STDIN, parse_sheet(f"{header}\n{row}\n", where, header=True), line=number)
        except DataError as error:
            self._faults[source] = error.message.removeprefix(f"{where}: ")
        return source

    def _announce(self, name: str, sheet: Sheet, line: int | None = None) -> list[str]:
        """Keep the rows of a sheet and return their sources in order; `line` is that of its only row, where told.

        Raises:
            DataError: the sheet has not the run's columns.
        """
        missing = [column for column in self.columns.names if column not in sheet.names]
        if missing:
            raise DataError(_lacking(missing, sheet))
        places = []
        for own, row in zip(sheet.lines, sheet.rows, strict=True):
            places.append(line or own)
            self._rows[f"{name}:{places[-1]}"] = (sheet.names, row)
        for own, count in sheet.ragged:
            places.append(line or own)
            self._faults[f"{name}:{places[-1]}"] = f"{count} cells under {len(sheet.names)} names of columns"
        sources = [f"{name}:{place}" for place in sorted(places)]
        unused = [
            column for column in sheet.names if column not in (*self.columns.names, self.columns.target, SPLIT_COLUMN)
        ]
        if unused and name not in self._noted:
            more = ", ..." if len(unused) > _MAX_NAMED else ""
            self._notes[sources[0]] = f"not used: {', '.join(unused[:_MAX_NAMED])}{more}"
            self._noted.add(name)
        return sources

    def cells(self, source: str) -> dict[str, str]:
        """Return the cells of a row by column.

        Raises:
            DataError: there is no such row, or its file cannot be read.
        """
        if source in self._faults:
            raise DataError(self._faults[source])
        if source not in self._rows:
            match = _ROW.fullmatch(source)
            if match is None:
                raise DataError("names no row; as in houses.csv:2")
            self._announce(match[1], read_sheet(Path(match[1])))
            if source not in self._rows:
                raise DataError(self._faults.get(source, f"no row begins in line {match[2]}"))
        names, row = self._rows[source]
        return dict(zip(names, row, strict=True))

    def encode(self, source: str) -> Encoded:
        """Return one row as the network takes it, with what is to be said of it."""
        try:
            cells = self.cells(source)
            arrays, notes = self.columns.encode(cells)
        except DataError as error:
            return Encoded(source, None, error.message)
        notes = [*filter(None, [self._notes.get(source)]), *notes]
        return Encoded(source, arrays, kept={"note": "; ".join(notes)} if notes else {})


def _decoded(line: str) -> str:
    """Return a line of standard input whose bytes are GB18030 as text; one of UTF-8 is text already."""
    if not any("\udc80" <= character <= "\udcff" for character in line):
        return line
    return line.encode("utf-8", "surrogateescape").decode("gb18030", "replace")


def _lacking(missing: Sequence[str], sheet: Sheet) -> str:
    if not sheet.has_header:
        return f"has no header line that names the columns, as {', '.join(missing[:_MAX_NAMED])}"
    word = "column" if len(missing) == 1 else "columns"
    more = ", ..." if len(missing) > _MAX_NAMED else ""
    return f"lacks the {word} {', '.join(missing[:_MAX_NAMED])}{more}"


def _draw(reader: RowReader, source: str, answer: str) -> np.ndarray:
    from dlcli.visualize.regression import draw_row

    cells = reader.cells(source)
    return draw_row([(name, cells[name]) for name in reader.columns.names], answer)


class RegressionCodec:
    """See `dlcli.data.codec.Codec`."""

    def __init__(self, assets: Mapping[str, Any]) -> None:
        self.columns = TableColumns.from_json(assets.get("columns"))
        self._reader = RowReader(self.columns)
        is_alone = assets.get("ensemble") == 1
        self.fields: tuple[str, ...] = ("prediction", "note") if is_alone else ("prediction", "spread", "note")

    def expand(self, inputs: Iterable[str]) -> Iterator[str]:
        """Yield the rows of CSV files."""
        return self._reader.expand(inputs)

    def read_lines(self, lines: Sequence[str]) -> list[str]:
        """Return the rows that lines of standard input hold; the first line names the columns."""
        return self._reader.read_lines(lines)

    def encode(self, source: str) -> Encoded:
        """Read one row."""
        return self._reader.encode(source)

    def decode(self, outputs: Arrays, top_k: int) -> list[Record]:
        """Return the prediction in the target's own units, and the spread over an ensemble's members."""
        del top_k
        names = [name for name in ("prediction", "spread") if name in outputs]
        columns = [outputs[name].astype(np.float64).tolist() for name in names]
        return [
            {name: float(f"{value:.7g}") for name, value in zip(names, values, strict=True)}
            for values in zip(*columns, strict=True)
        ]

    def draw(self, source: str, record: Record) -> np.ndarray:
        """Return the row as a picture, the prediction above it."""
        spread = f" ± {record['spread']:.4g}" if "spread" in record else ""
        return _draw(self._reader, source, f"{self.columns.target}: {record['prediction']:.6g}{spread}")


class TableClassificationCodec:
    """See `dlcli.data.codec.Codec`."""

    fields = ("label", "probability", "note")

    def __init__(self, assets: Mapping[str, Any]) -> None:
        self.columns = TableColumns.from_json(assets.get("columns"))
        self.labels = read_labels(assets.get("labels"))
        self._reader = RowReader(self.columns)

    def expand(self, inputs: Iterable[str]) -> Iterator[str]:
        """Yield the rows of CSV files."""
        return self._reader.expand(inputs)

    def read_lines(self, lines: Sequence[str]) -> list[str]:
        """Return the rows that lines of standard input hold; the first line names the columns."""
        return self._reader.read_lines(lines)

    def encode(self, source: str) -> Encoded:
        """Read one row."""
        return self._reader.encode(source)

    def decode(self, outputs: Arrays, top_k: int) -> list[Record]:
        """Return label and probability, and the `top_k` best of both."""
        return label_records(self.labels, outputs["logits"], top_k)

    def draw(self, source: str, record: Record) -> np.ndarray:
        """Return the row as a picture, its labels above it."""
        answer = ", ".join(f"{entry['label']} {entry['probability']:.1%}" for entry in record["top"][:3])
        return _draw(self._reader, source, f"{self.columns.target}: {answer}")
