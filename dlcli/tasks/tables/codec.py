"""Rows of CSV files to arrays and outputs to answers, shared by runs and their exports. Torch-free.

A row is named by its file and line, `houses.csv:12`; `houses.csv` means all of its rows. Standard input is read as one
CSV: its first line names the columns, and its rows are `-:2`, `-:3`, ...
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.codec import Answer, Arrays, Batches, Encoded, Source, by_shape
from dlcli.data.inputs import expand_files
from dlcli.data.labels import label_records, read_labels
from dlcli.data.tables.form import SPLIT_COLUMN
from dlcli.data.tables.rows import TABLE_SUFFIXES, Sheet, parse_sheet, read_sheet
from dlcli.tasks.inference import ClassInference
from dlcli.tasks.tables.columns import TableColumns

_ROW = re.compile(r"(.+):(\d+)", re.DOTALL)
_STDIN = "-"
_MAX_NAMED = 5


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


@dataclass
class _Stdin:
    """The state of reading a CSV from standard input.

    Attributes:
        header: its first line; None until it has been read.
        pending: a row with an unclosed quotation mark.
        lines: number of lines read.
        is_noted: whether the unused columns have been reported.
    """

    header: str | None = None
    pending: str = ""
    lines: int = 0
    is_noted: bool = False


@dataclass
class RowReader:
    """Finds the rows that arguments and lines refer to, and encodes them by a run's columns.

    Attributes:
        columns: the run's columns.
    """

    columns: TableColumns
    _stdin: _Stdin = field(default_factory=_Stdin)

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield a source for each row that the arguments refer to: all rows of files and folders, or single rows."""
        newest: tuple[str, Sheet] | None = None  # consecutive rows of one file read it only once
        for text in expand_files(inputs, TABLE_SUFFIXES):
            name, line = _place(text)
            try:
                if newest is None or newest[0] != name:
                    newest = name, read_sheet(Path(name))
                rows = self._rows(newest[1], line)
            except DataError as error:
                yield Source(text, Row(fault=error.message.removeprefix(f"{name}: ")))
                continue
            for own, row in rows:
                yield Source(f"{name}:{own}", row)

    def read_lines(self, lines: Sequence[str]) -> list[Source]:
        """Return the rows completed by the next lines of standard input."""
        state, sources = self._stdin, []
        for line in map(_decoded, lines):
            state.lines += 1
            state.pending += line
            if state.pending.count('"') % 2:  # a line break inside quotation marks
                state.pending += "\n"
                continue
            text, state.pending = state.pending, ""
            if state.header is None:
                state.header = text
            else:
                sources.append(Source(f"{_STDIN}:{state.lines}", self._row_of_stdin(state.header, text)))
        return sources

    def _row_of_stdin(self, header: str, text: str) -> Row:
        where = "standard input"
        try:
            rows = [row for _, row in self._rows(parse_sheet(f"{header}\n{text}\n", where, header=True))]
        except DataError as error:
            return Row(fault=error.message.removeprefix(f"{where}: "))
        if len(rows) > 1:
            return Row(fault="a quotation mark inside an unquoted cell")
        [row] = rows
        note, self._stdin.is_noted = "" if self._stdin.is_noted else row.note, True
        return replace(row, note=note)

    def _rows(self, sheet: Sheet, line: int | None = None) -> Iterator[tuple[int, Row]]:
        """Return the line numbers and rows of a sheet in order, or only the row that begins on `line`.

        Raises:
            DataError: the sheet lacks one of the run's columns, or the row.
        """
        missing = [column for column in self.columns.names if column not in sheet.names]
        if missing:
            raise DataError(_lacking(missing, sheet))
        cells = dict(zip(sheet.lines, sheet.rows, strict=True))
        counts = dict(sheet.ragged)
        places = sorted((*cells, *counts))
        if line is not None and line not in cells and line not in counts:
            raise DataError(f"no row begins on line {line}")
        note = self._unused(sheet)

        def row_at(place: int) -> Row:
            if place in counts:
                return Row(fault=f"{counts[place]} cells, but {len(sheet.names)} columns")
            own = note if place == places[0] else ""
            return Row(dict(zip(sheet.names, cells[place], strict=True)), own)

        return ((place, row_at(place)) for place in (places if line is None else [line]))

    def _unused(self, sheet: Sheet) -> str:
        used = (*self.columns.names, self.columns.target, SPLIT_COLUMN)
        unused = [column for column in sheet.names if column not in used]
        more = ", ..." if len(unused) > _MAX_NAMED else ""
        return f"not used: {', '.join(unused[:_MAX_NAMED])}{more}" if unused else ""

    def encode(self, source: Source) -> Encoded:
        """Return one row as the network's inputs with any notes, or the reason why it cannot be read."""
        row: Row = source.value
        if row.fault:
            return Encoded(source, None, row.fault)
        try:
            arrays, notes = self.columns.encode(row.cells)
        except DataError as error:
            return Encoded(source, None, error.message)
        notes = [*filter(None, [row.note]), *notes]
        return Encoded(source, arrays, kept={"note": "; ".join(notes)} if notes else {})

    def draw(self, source: Source, answer: str) -> np.ndarray:
        """Return a picture of a row with its answer above it, (H, W, 3) uint8."""
        from dlcli.visualize.regression import draw_row

        row: Row = source.value
        return draw_row([(name, row.cells[name]) for name in self.columns.names], answer)


def _place(text: str) -> tuple[str, int | None]:
    """Return the file and line that an argument refers to; the line is None for a whole file."""
    match = _ROW.fullmatch(text)
    if match is not None and not Path(text).exists() and Path(match[1]).is_file():
        return match[1], int(match[2])
    return text, None


def _decoded(line: str) -> str:
    """Return a line of standard input as text, its bytes decoded as GB18030 if they are not UTF-8."""
    if not any("\udc80" <= character <= "\udcff" for character in line):
        return line
    return line.encode("utf-8", "surrogateescape").decode("gb18030", "replace")


def _lacking(missing: Sequence[str], sheet: Sheet) -> str:
    if not sheet.has_header:
        return f"has no header line naming the columns, such as {', '.join(missing[:_MAX_NAMED])}"
    word = "column" if len(missing) == 1 else "columns"
    more = ", ..." if len(missing) > _MAX_NAMED else ""
    return f"lacks the {word} {', '.join(missing[:_MAX_NAMED])}{more}"


class RegressionCodec:
    """See `dlcli.data.codec.Codec`. The value of a source is a `Row`."""

    listed = None

    def __init__(self, assets: Mapping[str, Any], inference: None = None) -> None:
        del inference
        self.columns = TableColumns.from_json(assets.get("columns"))
        self._reader = RowReader(self.columns)
        is_alone = assets.get("ensemble") == 1
        self.fields: tuple[str, ...] = ("prediction", "note") if is_alone else ("prediction", "spread", "note")

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield the rows of CSV files."""
        return self._reader.expand(inputs)

    def read_lines(self, lines: Sequence[str]) -> list[Source]:
        """Return the rows that lines of standard input hold; the first line names the columns."""
        return self._reader.read_lines(lines)

    def encode(self, source: Source) -> Encoded:
        """Read one row."""
        return self._reader.encode(source)

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Yield one batch: all rows have the run's columns."""
        return by_shape(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return each prediction in the target's units, and with an ensemble the spread over its members."""
        del items
        names = [name for name in ("prediction", "spread") if name in outputs]
        columns = [outputs[name].astype(np.float64).tolist() for name in names]
        starts = {"prediction": self.columns.offset, "spread": 0.0}
        return [
            Answer({name: starts[name] + float(f"{value:.7g}") for name, value in zip(names, values, strict=True)})
            for values in zip(*columns, strict=True)
        ]

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return a picture of the row with the prediction above it, (H, W, 3) uint8."""
        record = answer.record
        spread = f" ± {record['spread']:.4g}" if "spread" in record else ""
        digits = 15 if self.columns.offset else 6  # six would hide all but the offset
        return self._reader.draw(source, f"{self.columns.target}: {record['prediction']:.{digits}g}{spread}")


class TableClassificationCodec:
    """See `dlcli.data.codec.Codec`. The value of a source is a `Row`."""

    fields = ("label", "probability", "note")
    listed = "top"

    def __init__(self, assets: Mapping[str, Any], inference: ClassInference | None = None) -> None:
        self.columns = TableColumns.from_json(assets.get("columns"))
        self.labels = read_labels(assets.get("labels"))
        self.inference = inference or ClassInference()
        self._reader = RowReader(self.columns)

    def expand(self, inputs: Iterable[str]) -> Iterator[Source]:
        """Yield the rows of CSV files."""
        return self._reader.expand(inputs)

    def read_lines(self, lines: Sequence[str]) -> list[Source]:
        """Return the rows that lines of standard input hold; the first line names the columns."""
        return self._reader.read_lines(lines)

    def encode(self, source: Source) -> Encoded:
        """Read one row."""
        return self._reader.encode(source)

    def batches(self, items: Sequence[Encoded]) -> Batches:
        """Yield one batch: all rows have the run's columns."""
        return by_shape(items)

    def decode(self, outputs: Arrays, items: Sequence[Encoded]) -> list[Answer]:
        """Return label, probability and the top k of each row."""
        del items
        return [Answer(record) for record in label_records(self.labels, outputs["logits"], self.inference.top_k)]

    def draw(self, source: Source, answer: Answer) -> np.ndarray:
        """Return a picture of the row with its labels above it, (H, W, 3) uint8."""
        best = ", ".join(f"{entry['label']} {entry['probability']:.1%}" for entry in answer.record["top"][:3])
        return self._reader.draw(source, f"{self.columns.target}: {best}")
