"""Texts to answer, from the lines of a file or of standard input: plain, CSV, TSV or JSON.

A file is read by its suffix, and as the file that a run was trained from was read; if those were a text each, so is a
plain file. Every line gets a `Text`, in order:
one that holds none says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dlcli.core.errors import DataError
from dlcli.data.reading.contents import refuse_json_array, suffix_of_text
from dlcli.data.reading.delimited import Row, RowSplitter
from dlcli.data.reading.encodings import Encoding, detect_encoding, open_text
from dlcli.data.reading.lines import Lines, decode_line, lines_of_document, read_at_most
from dlcli.data.text.cleaning import clean_text
from dlcli.data.text.columns import CSV, FILE, JSONL, TSV, Reading, delimiter_of, field_names, field_of, known_column
from dlcli.data.text.rows import parse_object

_KINDS = {".csv": CSV, ".tsv": TSV, ".tab": TSV, ".jsonl": JSONL, ".ndjson": JSONL, ".json": JSONL}
TEXT_SUFFIXES = frozenset({".txt", ".xlsx", *_KINDS})
MAX_CHARACTERS = 1_000_000
"""Limit on one text: a longer one is a book, or a file without line breaks."""

_PLAIN = "plain"
_MAX_NAMED = 5


@dataclass(frozen=True)
class Text:
    """One text to answer.

    Attributes:
        text: the text; if there is a fault, the line.
        kept: the other fields of the row or JSON object that held it; its record repeats them.
        fault: why the line holds no text, with the line's number; "" if it does.
    """

    text: str
    kept: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""


class TextReader:
    """Finds the texts in lines as they arrive.

    Args:
        reading: how the file that a run was trained from was read; None if that is not known.
        path: the file that the lines are from; None for standard input.

    Raises:
        DataError: by `feed`: the header of a CSV or TSV does not say which column holds the texts.
    """

    def __init__(self, reading: Reading | None, path: Path | None = None) -> None:
        self._reading = reading
        self._where = "standard input" if path is None else str(path)
        self._kind = _KINDS.get(suffix_of_text(path), "") if path is not None else ""
        self._splitter: RowSplitter | None = None
        self._header: Sequence[str] | None = None
        self._place = 0
        self._number = 0
        self._has_begun = False

    def feed(self, line: str) -> list[Text]:
        """Return the texts that a line completes; none for a header, or while a quotation mark is open."""
        self._number += 1
        if not self._has_begun and line.strip():
            self._begin(line)
        if self._splitter is not None:
            return [text for row in self._splitter.feed(line) for text in self._texts(row)]
        if self._kind in (CSV, TSV):  # an empty line before the header
            return []
        may_be_object = line.startswith("{") and line.rstrip().endswith("}")
        return [self._of_json(line) if self._kind == JSONL or may_be_object else self._whole(line)]

    def feed_bytes(self, line: str) -> list[Text]:
        """Return the texts that a line of standard input completes, its bytes decoded; see `decode_line`."""
        own = [self._reading.codec] if self._reading is not None else []
        decoded = decode_line(line, [*own, "gb18030"])
        if decoded is not None:
            return self.feed(decoded.replace("\0", ""))
        texts = self.feed(line.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        return [replace(text, fault=f"line {self._number:,}: neither UTF-8 nor GB18030") for text in texts]

    def close(self) -> list[Text]:
        """Return the texts of what waits for a closing quotation mark."""
        rows = self._splitter.close() if self._splitter is not None else []
        return [text for row in rows for text in self._texts(row)]

    def _begin(self, line: str) -> None:
        """Settle how the lines are read, by the file's suffix or by the first line."""
        self._has_begun = True
        if not self._kind:
            self._kind = self._kind_of_header(line)
        if self._kind not in (CSV, TSV):
            return
        own = self._reading if self._reading is not None and self._reading.kind == self._kind else None
        is_own = own is not None and own.delimiter in line
        delimiter = own.delimiter if own is not None and is_own else delimiter_of(line, self._kind)
        self._splitter = RowSplitter(delimiter, has_quotes=self._kind == CSV, line=self._number - 1)

    def _kind_of_header(self, line: str) -> str:
        """Return CSV or TSV if the line is the header of the file that the run was trained from; else plain."""
        reading = self._reading
        if reading is None or len(reading.header) < 2:
            return _PLAIN
        rows = RowSplitter(reading.delimiter, has_quotes=reading.kind == CSV).feed(line)
        names = [name.strip() for row in rows for name in row.cells]
        is_header = len(names) > 1 and reading.text in names and set(names) <= set(reading.header)
        return reading.kind if is_header else _PLAIN

    def _texts(self, row: Row) -> list[Text]:
        """Return the text of a row of a CSV or TSV.

        Raises:
            DataError: this is the first row, and no column of texts is found.
        """
        if self._header is None and row.cells:
            names = [cell.strip() for cell in row.cells]
            reading = self._reading
            number = int(reading.text) if reading is not None and not reading.header and reading.text.isdigit() else 0
            if reading is not None and reading.kind == self._kind and 1 <= number <= len(names):
                self._header, self._place = [""] * len(names), number - 1
            else:
                self._header, self._place = names, self._column(names)
                return []
        header = self._header or ()
        if not row.cells or row.fault or len(row.cells) != len(header):
            fault = row.fault or (f"{len(row.cells)} columns, not {len(header)}" if row.cells else "an empty line")
            line = row.cells[0] if row.fault else ", ".join(row.cells)
            return [Text(line, fault=f"line {row.line:,}: {fault}")]
        kept = {name: cell for name, cell in zip(header, row.cells, strict=True) if name}
        text = row.cells[self._place]
        kept.pop(header[self._place], None)
        return [Text(text, kept)]

    def _column(self, names: Sequence[str]) -> int:
        """Return the index of the column of texts.

        Raises:
            DataError: it cannot be found.
        """
        own = self._reading.text if self._reading is not None else None
        name = own if own in names else known_column(names, "text")
        if name is None or names.count(name) > 1:
            shown = ", ".join(map(repr, names[:_MAX_NAMED]))[:200] + (", ..." if len(names) > _MAX_NAMED else "")
            raise DataError(
                f"{self._where}: which column holds the texts?",
                details=[f"columns: {shown}"],
                hint=f"name it {own or 'text'!r} in the first line, or give a .txt file with one text per line",
            )
        return names.index(name)

    def _of_json(self, line: str) -> Text:
        """Return the text of a line of JSON."""
        if not line.strip():
            return self._whole(line)
        record = parse_object(line)
        if isinstance(record, str):
            if self._kind != JSONL:
                return self._whole(line)
            return Text(line, fault=f"line {self._number:,}: {record}")
        own = self._reading.text if self._reading is not None and self._reading.kind == JSONL else "text"
        names = field_names(record)
        name = next((name for name in (own, "text") if field_of(record, name) is not None), known_column(names, "text"))
        text = field_of(record, name) if name is not None else None
        if name is None or not isinstance(text, str):
            what = f"{name!r} is not a text" if name is not None else f"no field {own!r}"
            return Text(line, fault=f"line {self._number:,}: {what}")
        return Text(text, {key: value for key, value in record.items() if key != name})

    def _whole(self, line: str) -> Text:
        if clean_text(line):
            return Text(line)
        return Text(line, fault=f"line {self._number:,}: an empty text")


def is_one_text(path: Path, reading: Reading | None) -> bool:
    """Return whether a file is one text, as those were that the run was trained on, rather than one for each line.

    Raises:
        DataError: the file cannot be read, or is a damaged archive.
    """
    return reading is not None and reading.kind == FILE and suffix_of_text(path) not in _KINDS


def text_of_file(path: Path, reading: Reading) -> Text:
    """Return the whole text of a file.

    Raises:
        DataError: the file cannot be read, or its encoding is not certain.
    """
    with open_text(path, encoding=_certain_encoding(path, reading)) as stream:
        return _whole_text(stream.read(MAX_CHARACTERS + 1), reading)


def texts_of_file(path: Path, reading: Reading | None) -> Iterator[Text]:
    """Yield the texts in a file.

    Args:
        path: the file, possibly compressed.
        reading: how the file that the run was trained from was read; None if that is not known.

    Raises:
        DataError: the file cannot be read, its encoding is not certain, or no column of texts is found.
    """
    if _KINDS.get(suffix_of_text(path)) == JSONL:
        refuse_json_array(path)
    reader = TextReader(reading, path)
    with open_text(path, encoding=_certain_encoding(path, reading)) as stream:
        for line in Lines(stream, str(path)):
            yield from reader.feed(line)
    yield from reader.close()


def texts_of_document(data: bytes, reading: Reading | None, most: int | None = None) -> list[Text]:
    """Return the texts in the content of a file: its whole text if the run's were a file each, else those of its lines.

    Args:
        data: the content.
        reading: how the file that the run was trained from was read; None if that is not known.
        most: how many texts are wanted, None for all; see `read_at_most`.

    Raises:
        DataError: a CSV or TSV does not say which column holds the texts, or there are many lines without one.
    """
    lines = lines_of_document(data)
    if reading is not None and reading.kind == FILE:
        return [_whole_text("\n".join(lines).encode("utf-8", "surrogateescape").decode("utf-8", "replace"), reading)]
    reader = TextReader(reading)
    return [*read_at_most(lines, reader.feed_bytes, most), *reader.close()]


def _whole_text(text: str, reading: Reading) -> Text:
    """Return the text of a file, cut off as the texts were that the run was trained on."""
    text = text[: reading.max_chars]
    return Text(text, fault="" if clean_text(text) else "an empty text")


def _certain_encoding(path: Path, reading: Reading | None) -> Encoding:
    """Return the encoding of a file: UTF-8, that of the run's data, or another that is no guess.

    Raises:
        DataError: there is none.
    """
    encoding = detect_encoding(path, [reading.codec] if reading is not None else [])
    if encoding.sample:
        raise DataError(
            f"{path}: not UTF-8, and not certain to be {encoding.name}: {encoding.sample!r}", hint="save it as UTF-8"
        )
    return encoding


def text_of_argument(argument: str) -> Text:
    """Return the text in an argument: itself, or the `text` of a JSON object."""
    [text] = TextReader(None).feed_bytes(argument)
    return Text(text.text, text.kept, text.fault.removeprefix("line 1: "))
