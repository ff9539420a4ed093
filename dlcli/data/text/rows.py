"""Rows of labelled text from CSV, TSV and JSONL files: streamed, each broken row reported with its line, no guessing.

- CSV follows RFC 4180: commas, double quotes, line breaks inside quotes. A malformed row (a quote that is never closed)
  loses only that line: reading resumes at the next one.
- TSV has one row per line and no quoting: quotation marks are text.
- JSONL has one object per line.

NUL bytes are dropped and counted. The first row of CSV and TSV is the header, unless columns are selected by number.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from dlcli.core.errors import DataError, did_you_mean
from dlcli.data.encodings import Encoding, detect_encoding, open_text

CSV, TSV, JSONL = "csv", "tsv", "jsonl"

MAX_LINE = 4 * 2**20
"""Maximum characters of a line; a longer one means that the file has no line breaks."""

_TEXT_NAMES = """
    text texts review reviews content sentence comment comments body tweet post message
    评论 评论内容 内容 文本 正文 句子 微博 微博内容 微博中文内容
"""
_LABEL_NAMES = """
    label labels label_name sentiment class category target polarity
    标签 类别 分类 情感 情感倾向 情感标签
"""
_KNOWN_NAMES = {"text": frozenset(_TEXT_NAMES.split()), "label": frozenset(_LABEL_NAMES.split())}


@dataclass(frozen=True)
class TextRow:
    """A row's text and label, unchanged from the file; `line` is the line where the row begins, from 1."""

    line: int
    text: str
    label: str


@dataclass(frozen=True)
class BrokenRow:
    """A row that cannot be used, with its line, from 1, and the reason."""

    line: int
    reason: str


@dataclass(frozen=True)
class Columns:
    """The columns of text and label.

    Attributes:
        text, label: their names, for messages.
        places: their indices in a row (in JSONL, their keys).
        width: number of columns; None if rows are objects.
    """

    text: str
    label: str
    places: tuple[Any, Any]
    width: int | None


class Lines:
    """The lines of an open file, without NUL and with their line breaks; can go back to the start of a row."""

    def __init__(self, stream: TextIO, where: str) -> None:
        self.number = 0  # of the last line returned
        self.num_nul = 0
        self._stream = stream
        self._where = where
        self._row: list[str] = []
        self._again: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else self._read()
        self.number += 1
        self._row.append(line)
        return line

    def _read(self) -> str:
        line = self._stream.readline(MAX_LINE + 1)
        if not line:
            raise StopIteration
        if len(line) > MAX_LINE:
            raise DataError(
                f"{self._where}: a line longer than {MAX_LINE:,} characters, near line {self.number + 1:,}",
                hint="there should be one row per line; is this another format?",
            )
        if "\0" in line:
            self.num_nul += line.count("\0")
            line = line.replace("\0", "")
        return line

    def begin_row(self) -> int:
        """Return the number of the next line, which begins a row for `keep_first`."""
        self._row.clear()
        return self.number + 1

    def keep_first(self) -> None:
        """Go back to the second line of the current row."""
        self._again.extend(reversed(self._row[1:]))
        self.number -= len(self._row[1:])


class TextRows:
    """The rows of a file; iterate over it once.

    Args:
        path: the file.
        kind: CSV, TSV or JSONL.
        text_column, label_column: names, or numbers from 1 if there is no header; None finds the column by its usual
            names or, if there are two columns, takes the other one.

    Attributes:
        path: the file.
        encoding: its encoding.
        columns: the selected columns.

    Raises:
        DataError: the file cannot be read, has no rows, or its columns cannot be found; the message lists them.
    """

    def __init__(
        self, path: Path, kind: str, *, text_column: str | None = None, label_column: str | None = None
    ) -> None:
        self.encoding: Encoding = detect_encoding(path)
        self.path = path
        self._kind = kind
        self._asked = {"text": text_column, "label": label_column}
        with self._open() as stream:
            self.columns, self._has_header = self._choose(Lines(stream, str(path)))
        self._num_nul = 0

    @property
    def num_nul(self) -> int:
        """Number of NUL bytes dropped so far."""
        return self._num_nul

    def _open(self) -> TextIO:
        newline = "" if self._kind == CSV else None  # the csv module handles line breaks, which may be inside quotes
        return open_text(self.path, newline=newline, encoding=self.encoding)

    def __iter__(self) -> Iterator[TextRow | BrokenRow]:
        with self._open() as stream:
            lines = Lines(stream, str(self.path))
            records = self._records(lines)
            if self._has_header:
                next(records)
            for line, record in records:
                yield BrokenRow(line, record) if isinstance(record, str) else self._row(line, record)
            self._num_nul = lines.num_nul

    def _records(self, lines: Lines) -> Iterator[tuple[int, Sequence[str] | Mapping[str, Any] | str]]:
        return {CSV: _csv_records, TSV: _tsv_records, JSONL: _json_records}[self._kind](lines)

    def _row(self, line: int, record: Sequence[str] | Mapping[str, Any]) -> TextRow | BrokenRow:
        text_place, label_place = self.columns.places
        if isinstance(record, Mapping):
            text, label = record.get(text_place), _label(record.get(label_place))
            if not isinstance(text, str):
                return BrokenRow(line, f"{text_place!r} is {'missing' if text is None else 'not a text'}")
            if label is None:
                return BrokenRow(line, f"{label_place!r} is missing or not a label")
            return TextRow(line, text, label)
        if len(record) != self.columns.width:
            return BrokenRow(line, f"{len(record)} columns, not {self.columns.width}")
        return TextRow(line, record[text_place], record[label_place])

    def _choose(self, lines: Lines) -> tuple[Columns, bool]:
        """Return the columns, and whether the first row is a header."""
        faults = []
        for line, record in self._records(lines):
            if not isinstance(record, str):
                break
            faults.append(f"line {line}: {record}")
            if self._kind != JSONL or len(faults) == 100:
                raise self._no_rows(faults[0])
        else:
            raise self._no_rows(faults[0] if faults else "it is empty")
        if isinstance(record, Mapping):
            text, label = self._pick(list(record))
            return Columns(text, label, (text, label), None), False
        names = [name.strip() for name in record]
        numbers = {role: _column_number(asked) for role, asked in self._asked.items()}
        are_names = all(asked in names for asked in self._asked.values())
        if None not in numbers.values() and not are_names:
            text_place, label_place = self._asked_places(numbers, len(names))
            return Columns(f"{text_place + 1}", f"{label_place + 1}", (text_place, label_place), len(names)), False
        text, label = self._pick(names)
        return Columns(text, label, (names.index(text), names.index(label)), len(names)), True

    def _no_rows(self, fault: str) -> DataError:
        wanted = {CSV: "comma-separated rows", TSV: "tab-separated rows", JSONL: "one JSON object per line"}
        return DataError(f"{self.path}: holds no rows: {fault}", hint=f"text-{self._kind} takes {wanted[self._kind]}")

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
        for role, known in _KNOWN_NAMES.items():
            asked = self._asked[role]
            if asked is not None and asked not in names:
                raise DataError(f"{self.path}: no column {asked!r}", hint=did_you_mean(asked, names))
            if asked is not None and names.count(asked) > 1:
                raise DataError(f"{self.path}: {names.count(asked)} columns are named {asked!r}")
            meant = [asked] if asked is not None else [name for name in names if name.casefold() in known]
            if len(meant) == 1:
                chosen[role] = meant[0]
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
            raise DataError(f"{self.path}: text and label cannot both be {chosen['text']!r}")
        return chosen["text"], chosen["label"]


def _csv_records(lines: Lines) -> Iterator[tuple[int, list[str] | str]]:
    while True:
        reader = csv.reader(lines, strict=True)
        line = lines.begin_row()
        try:
            for record in reader:
                if record:
                    yield line, record
                line = lines.begin_row()
        except csv.Error as error:
            lines.keep_first()
            yield line, f"not CSV: {error}"
        else:
            return


def _tsv_records(lines: Lines) -> Iterator[tuple[int, list[str] | str]]:
    for line in lines:
        number = lines.number
        lines.begin_row()
        if line.strip():
            yield number, line.rstrip("\n").split("\t")


def _json_records(lines: Lines) -> Iterator[tuple[int, dict[str, Any] | str]]:
    for line in lines:
        number = lines.number
        lines.begin_row()
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, f"not JSON: {error}"
            continue
        yield number, value if isinstance(value, dict) else "not a JSON object"


def _label(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (str, int, float)) else None


def _column_number(asked: str | None) -> int | None:
    return int(asked[:9]) if asked is not None and asked.isascii() and asked.isdigit() else None


def _listed(names: Sequence[str]) -> str:
    shown = [name if len(name) <= 40 else f"{name[:39]}…" for name in names[:12]]
    return ", ".join(map(repr, shown)) + (", ..." if len(names) > 12 else "")
