"""The lines of an open text, without their line breaks and NUL bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO, TypeVar

from dlcli.core.errors import DataError
from dlcli.data.reading.encodings import marked_encoding

ItemT = TypeVar("ItemT")

MAX_LINE = 4 * 2**20
"""Characters of a line, at most; a longer one means that the file has no line breaks."""

MAX_WITHOUT_ROW = 100_000
"""Lines that may follow each other without completing a row where rows are limited: no cell has so many, and a reader
holds all of them in memory."""


class Lines:
    """The lines of a text that was opened with universal line breaks; iterate over it once.

    Attributes:
        number: number of the last line returned, from 1.
        num_nul: NUL bytes removed so far.
    """

    def __init__(self, stream: TextIO, where: str) -> None:
        self.number = 0
        self.num_nul = 0
        self._stream = stream
        self._where = where

    def __iter__(self) -> Iterator[str]:
        """Yield the lines.

        Raises:
            DataError: a line is longer than `MAX_LINE`.
        """
        while line := self._stream.readline(MAX_LINE + 1):
            self.number += 1
            line = line.removesuffix("\n")
            if len(line) > MAX_LINE:
                raise DataError(
                    f"{self._where}: a line longer than {MAX_LINE:,} characters, near line {self.number:,}",
                    hint="there should be one row per line; is this another format?",
                )
            if "\0" in line:
                self.num_nul += line.count("\0")
                line = line.replace("\0", "")
            yield line


def lines_of_document(data: bytes) -> Iterator[str]:
    """Yield the lines of a file's content, as standard input gives them: see `decode_line` for what is not UTF-8.

    A byte order mark says how the bytes are decoded; a line ends with LF, CR or both.
    """
    marked = marked_encoding(data[:4])
    text = data.decode(marked.codec, "replace") if marked is not None else data.decode("utf-8", "surrogateescape")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    begin = 0
    while begin < len(text):
        end = text.find("\n", begin)
        end = len(text) if end < 0 else end
        yield text[begin:end]
        begin = end + 1


def read_at_most(lines: Iterable[str], read: Callable[[str], list[ItemT]], most: int | None) -> list[ItemT]:
    """Return the rows that lines hold; where they are limited, reading stops soon after one too many.

    Args:
        lines: lines of a document.
        read: returns the rows that a line completes.
        most: how many rows are wanted; None for all.

    Raises:
        DataError: rows are limited, and a great many lines complete none.
    """
    found, num_idle = list[ItemT](), 0
    for line in lines:
        rows = read(line)
        found += rows
        if most is None:
            continue
        if len(found) > most:
            break
        num_idle = 0 if rows else num_idle + 1
        if num_idle > max(most, MAX_WITHOUT_ROW):
            raise DataError(f"{num_idle:,} lines without a row", hint="is a quotation mark not closed?")
    return found


_UNDECODED = re.compile("[\udc80-\udcff]")


def decode_line(line: str, codecs: Iterable[str]) -> str | None:
    """Return a line of standard input as text, or None if it is in none of the encodings.

    Args:
        line: the line, with a surrogate for each byte that is not UTF-8 (Python's `surrogateescape`).
        codecs: the encodings to try if there are such bytes.
    """
    if line.isascii() or not _UNDECODED.search(line):
        return line
    data = line.encode("utf-8", "surrogateescape")
    for codec in codecs:
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            continue
    return None
