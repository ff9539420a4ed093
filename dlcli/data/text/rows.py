"""Rows of labelled text from CSV, TSV and JSONL files: streamed, each broken row reported with its line, no guessing.

- CSV is read by `dlcli.data.reading.delimited`.
- TSV has one row per line and no quoting: quotation marks are text.
- JSONL has one object per line; `data.text` names a field of an object in it.

NUL bytes are dropped and counted. The first row of CSV and TSV is the header, unless columns are selected by number.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.errors import DataError, did_you_mean
from dlcli.data.reading.contents import refuse_json_array
from dlcli.data.reading.delimited import split_rows, swallowed_note
from dlcli.data.reading.encodings import Encoding, open_text, require_encoding
from dlcli.data.reading.lines import Lines
from dlcli.data.text.columns import CSV, JSONL, Reading, delimiter_of, field_names, field_of, known_column, label_of

_SAMPLE_ROWS = 100
"""JSON objects whose fields are looked at to find the columns."""
_MAX_NOTES = 3


@dataclass(frozen=True)
class TextRow:
    """A row's text and label, unchanged from the file.

    Attributes:
        line: the line where the row begins, from 1.
        name: the name of its file, where each text has its own.
    """

    line: int
    text: str
    label: str
    name: str = ""


@dataclass(frozen=True)
class BrokenRow:
    """A row that cannot be used, and the reason; `line` and `name` as in `TextRow`."""

    line: int
    reason: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name or f'line {self.line:,}'}: {self.reason}"


@dataclass(frozen=True)
class Columns:
    """The columns of text and label.

    Attributes:
        text, label: their names, for messages.
        places: their indices in a row (in JSONL, their keys).
        width: number of columns; None if rows are objects.
        header: the names of all columns; () if there is no header.
    """

    text: str
    label: str
    places: tuple[Any, Any]
    width: int | None
    header: tuple[str, ...] = ()


Record = Sequence[str] | Mapping[str, Any] | str
"""The cells of a row, a JSON object, or the reason why a row is broken."""


def records(lines: Iterable[str], kind: str, delimiter: str = ",") -> Iterator[tuple[int, Record, str]]:
    """Yield the line, the record, and a warning about it or "", of each row that is not empty.

    Args:
        lines: the lines, without their line breaks.
        kind: CSV, TSV or JSONL.
        delimiter: the character between the columns of a CSV or TSV.
    """
    if kind == JSONL:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, parse_object(line), ""
        return
    for row in split_rows(lines, delimiter, has_quotes=kind == CSV):
        if row.cells:
            yield row.line, row.fault or row.cells, swallowed_note(row)


def parse_object(line: str) -> Mapping[str, Any] | str:
    """Return the JSON object in a line, or the reason why there is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return value if isinstance(value, dict) else "not a JSON object"


class TextRows:
    """The rows of a file; iterate over it once.

    Args:
        path: the file.
        kind: CSV, TSV or JSONL.
        text_column, label_column: names, or numbers from 1 if there is no header; None finds the column by its usual
            names or, if there are two columns, takes the other one.
        encoding: the name of its encoding; "auto" detects it.

    Attributes:
        path: the file.
        encoding: its encoding.
        columns: the selected columns.
        notes: warnings about rows that were read but look odd, the first few.

    Raises:
        DataError: the file cannot be read, has no rows, or its columns cannot be found; the message lists them.
    """

    def __init__(
        self,
        path: Path,
        kind: str,
        *,
        text_column: str | None = None,
        label_column: str | None = None,
        encoding: str = "auto",
    ) -> None:
        self.path = path
        self.notes: list[str] = []
        self._kind = kind
        self._asked = {"text": text_column, "label": label_column}
        if kind == JSONL:
            refuse_json_array(path)
        self.encoding: Encoding = require_encoding(path, encoding)
        with open_text(path, encoding=self.encoding) as stream:
            self._delimiter = delimiter_of(next(filter(str.strip, Lines(stream, str(path))), ""), kind)
        with open_text(path, encoding=self.encoding) as stream:
            self.columns = self._choose(records(Lines(stream, str(path)), kind, self._delimiter))
        self._num_nul = 0

    @property
    def num_nul(self) -> int:
        """Number of NUL bytes dropped so far."""
        return self._num_nul

    @property
    def reading(self) -> Reading:
        """How the file is read."""
        return Reading(self._kind, self.columns.text, self.columns.header, self._delimiter, self.encoding.codec)

    def __iter__(self) -> Iterator[TextRow | BrokenRow]:
        with open_text(self.path, encoding=self.encoding) as stream:
            lines = Lines(stream, str(self.path))
            rows = records(lines, self._kind, self._delimiter)
            if self.columns.header:
                next(rows)
            for line, record, note in rows:
                if note and len(self.notes) < _MAX_NOTES:
                    self.notes.append(note)
                yield BrokenRow(line, record) if isinstance(record, str) else self._row(line, record)
            self._num_nul = lines.num_nul

    def _row(self, line: int, record: Sequence[str] | Mapping[str, Any]) -> TextRow | BrokenRow:
        text_place, label_place = self.columns.places
        if isinstance(record, Mapping):
            text, label = field_of(record, text_place), label_of(field_of(record, label_place))
            if not isinstance(text, str):
                return BrokenRow(line, f"{text_place!r} is {'missing' if text is None else 'not a text'}")
            if label is None:
                return BrokenRow(line, f"{label_place!r} is missing or not a label")
            return TextRow(line, text, label)
        if len(record) != self.columns.width:
            return BrokenRow(line, f"{len(record)} columns, not {self.columns.width}")
        return TextRow(line, record[text_place], record[label_place])

    def _choose(self, rows: Iterator[tuple[int, Record, str]]) -> Columns:
        """Return the columns, from the header or from the fields of the first objects."""
        found, faults = [], []
        for line, record, _ in itertools.islice(rows, _SAMPLE_ROWS if self._kind == JSONL else 1):
            if isinstance(record, str):
                faults.append(f"line {line}: {record}")
            else:
                found.append(record)
        if not found:
            raise self._no_rows(faults[0] if faults else "it is empty")
        if self._kind == JSONL:
            names = list(dict.fromkeys(name for record in found for name in field_names(record)))  # type: ignore[arg-type]
            text, label = self._pick(names)
            return Columns(text, label, (text, label), None)
        names = [name.strip() for name in found[0]]
        numbers = {role: _column_number(asked) for role, asked in self._asked.items()}
        are_names = all(asked in names for asked in self._asked.values())
        if None not in numbers.values() and not are_names:
            text_place, label_place = self._asked_places(numbers, len(names))
            return Columns(f"{text_place + 1}", f"{label_place + 1}", (text_place, label_place), len(names))
        text, label = self._pick(names)
        return Columns(text, label, (names.index(text), names.index(label)), len(names), tuple(names))

    def _no_rows(self, fault: str) -> DataError:
        wanted = {CSV: "comma-separated rows", JSONL: "one JSON object per line"}
        hint = f"text-{self._kind} takes {wanted.get(self._kind, 'tab-separated rows')}"
        return DataError(f"{self.path}: holds no rows: {fault}", hint=hint)

    def _asked_places(self, numbers: Mapping[str, int | None], width: int) -> tuple[int, int]:
        for role, number in numbers.items():
            if number is None or not 1 <= number <= width:
                raise DataError(f"{self.path}: no column {number} for --{role}-column: the rows have {width}")
        places = ((numbers["text"] or 0) - 1, (numbers["label"] or 0) - 1)
        if places[0] == places[1]:
            raise DataError(f"{self.path}: text and label cannot both be column {places[0] + 1}")
        return places

    def _pick(self, names: Sequence[str]) -> tuple[str, str]:
        """Return the names of the text and the label column."""
        chosen = {}
        for role, asked in self._asked.items():
            if asked is not None and asked not in names:
                raise DataError(f"{self.path}: no column {asked!r}", hint=did_you_mean(asked, names))
            if asked is not None and names.count(asked) > 1:
                raise DataError(
                    f"{self.path}: {names.count(asked)} columns are named {asked!r}", hint="rename all but one of them"
                )
            name = asked if asked is not None else known_column(names, role)
            if name is not None:
                chosen[role] = name
        if len(chosen) == 1 and len(set(names)) == 2 == len(names):
            [(role, name)] = chosen.items()
            [other] = [candidate for candidate in names if candidate != name]
            chosen["label" if role == "text" else "text"] = other
        for role in ("text", "label"):
            if role not in chosen:
                raise DataError(
                    f"{self.path}: which column holds the {role}s?",
                    details=[f"columns: {_listed(names)}"],
                    hint=f"set it with --{role}-column; for a file without a header, set both by number, from 1",
                )
        if chosen["text"] == chosen["label"]:
            raise DataError(
                f"{self.path}: text and label cannot both be {chosen['text']!r}",
                hint="set --text-column and --label-column",
            )
        return chosen["text"], chosen["label"]


def _column_number(asked: str | None) -> int | None:
    return int(asked[:9]) if asked is not None and asked.isascii() and asked.isdigit() else None


def _listed(names: Sequence[str]) -> str:
    shown = [name if len(name) <= 40 else f"{name[:39]}…" for name in names[:12]]
    return ", ".join(map(repr, shown)) + (", ..." if len(names) > 12 else "")
