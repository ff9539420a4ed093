"""Rows of labelled text from CSV, TSV and JSONL files: streamed, each broken row told with its line, nothing guessed.

- CSV as RFC 4180 has it: commas, double quotes, line ends inside quotes. A row that is none (a quote that is never
  closed) costs that one line: reading goes on at the next.
- TSV has one row a line and no quoting: quotation marks are text.
- JSONL has one object a line.

NUL bytes are left out and counted. The first row of CSV and TSV is the header, unless columns are asked for by number.
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
"""Characters of a line; a longer one means that the file has no line ends."""

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
    """A row's text and label, as they stand in the file; `line` is where the row begins, counted from 1."""

    line: int
    text: str
    label: str


@dataclass(frozen=True)
class BrokenRow:
    """A row that cannot be used."""

    line: int
    reason: str


@dataclass(frozen=True)
class Columns:
    """Where text and label stand: a name for people, and the place in a row (its key, in JSONL).

    Attributes:
        width: columns of the header; None where rows are objects.
    """

    text: str
    label: str
    places: tuple[Any, Any]
    width: int | None


class Lines:
    """The lines of an open file without NUL, with their line ends; can go back to where a row began."""

    def __init__(self, stream: TextIO, where: str) -> None:
        self.number = 0  # of the last line given
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
                hint="one row a line; is this another format?",
            )
        if "\0" in line:
            self.num_nul += line.count("\0")
            line = line.replace("\0", "")
        return line

    def begin_row(self) -> int:
        """Return the number of the line that comes next, which `keep_first` counts as the first of a row."""
        self._row.clear()
        return self.number + 1

    def keep_first(self) -> None:
        """Go back to the second line of the row."""
        self._again.extend(reversed(self._row[1:]))
        self.number -= len(self._row[1:])


class TextRows:
    """The rows of a file. Iterate once.

    Args:
        path: the file.
        kind: CSV, TSV or JSONL.
        text_column, label_column: names, or numbers from 1 where there is no header; None for the one that is meant
            by its name, or, of two columns, the other one.

    Attributes:
        path: the file.
        encoding: the file's.
        columns: which columns were chosen.

    Raises:
        DataError: the file cannot be read, has no rows, or no columns that are meant; says what there is.
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
        """NUL bytes left out so far."""
        return self._num_nul

    def _open(self) -> TextIO:
        newline = "" if self._kind == CSV else None  # the csv module takes care of line ends, which quotes may hold
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
                return BrokenRow(line, f"{text_place!r} is {'missing' if text is None else 'no text'}")
            if label is None:
                return BrokenRow(line, f"{label_place!r} is missing or no label")
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
        wanted = {CSV: "rows of comma-separated values", TSV: "rows with tabs between", JSONL: "one JSON object a line"}
        return DataError(f"{self.path}: no rows in it: {fault}", hint=f"text-{self._kind} takes {wanted[self._kind]}")

    def _asked_places(self, numbers: Mapping[str, int | None], width: int) -> tuple[int, int]:
        for role, number in numbers.items():
            if number is None or not 1 <= number <= width:
                raise DataError(f"{self.path}: no column {number} for --{role}-column: the rows have {width}")
        places = ((numbers["text"] or 0) - 1, (numbers["label"] or 0) - 1)
        if places[0] == places[1]:
            raise DataError(f"{self.path}: text and label cannot both be column {places[0] + 1}")
        return places

    def _pick(self, names: Sequence[str]) -> tuple[str, str]:
        """Return the names of the columns of texts and of labels."""
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
                    details=[f"the columns: {_listed(names)}"],
                    hint=f"name it with --{role}-column; in a file without a header, give both by number, from 1",
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
            yield line, f"no CSV: {error}"
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
            yield number, f"no JSON: {error}"
            continue
        yield number, value if isinstance(value, dict) else "no JSON object"


def _label(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (str, int, float)) else None


def _column_number(asked: str | None) -> int | None:
    return int(asked[:9]) if asked is not None and asked.isascii() and asked.isdigit() else None


def _listed(names: Sequence[str]) -> str:
    shown = [name if len(name) <= 40 else f"{name[:39]}…" for name in names[:12]]
    return ", ".join(map(repr, shown)) + (", ..." if len(names) > 12 else "")
