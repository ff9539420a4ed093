"""Detecting the encoding of a text file: by its byte order mark, else strict UTF-8, else GB18030, else an error.

Chinese text is encoded as UTF-8 or GB18030, a superset of GBK and GB2312. Nothing is guessed by frequency.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from dlcli.core.errors import DataError

_BLOCK = 2**20
_MOST_NUL_SHARE = 0.25
"""A file with a larger fraction of NUL bytes is not text in an 8-bit encoding."""


@dataclass(frozen=True)
class Encoding:
    """An encoding.

    Attributes:
        name: its name for messages.
        codec: its name in Python.
    """

    name: str
    codec: str


_MARKS = (  # the little-endian mark of UTF-32 starts with that of UTF-16, so it comes first
    (codecs.BOM_UTF8, Encoding("UTF-8 with a byte order mark", "utf-8-sig")),
    (codecs.BOM_UTF32_LE, Encoding("UTF-32", "utf-32")),
    (codecs.BOM_UTF32_BE, Encoding("UTF-32", "utf-32")),
    (codecs.BOM_UTF16_LE, Encoding("UTF-16", "utf-16")),
    (codecs.BOM_UTF16_BE, Encoding("UTF-16", "utf-16")),
)
_UNMARKED = (Encoding("UTF-8", "utf-8"), Encoding("GB18030", "gb18030"))


def detect_encoding(path: Path) -> Encoding:
    """Return the encoding in which the whole file can be decoded; the file is streamed.

    Raises:
        DataError: the file cannot be opened, or has none of these encodings; the message names byte and line.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(2**16)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", hint="check the file's name") from None
    marked = [encoding for mark, encoding in _MARKS if start.startswith(mark)]
    if not marked and start.count(0) > _MOST_NUL_SHARE * len(start):
        raise DataError(
            f"{path}: {start.count(0) / len(start):.0%} of its first bytes are NUL: not text, or unmarked UTF-16",
            hint="save it as UTF-8",
        )
    faults = []
    for encoding in marked[:1] or _UNMARKED:
        fault = _first_fault(path, encoding)
        if fault is None:
            return encoding
        faults.append(fault)
    raise DataError(f"{path}: cannot be read as text", details=faults, hint="save it as UTF-8")


def _first_fault(path: Path, encoding: Encoding) -> str | None:
    """Return where and why the file cannot be decoded in this encoding, or None if it can."""
    decoder = codecs.getincrementaldecoder(encoding.codec)("strict")
    position = num_lines = 0
    with path.open("rb") as stream:
        while True:
            block = stream.read(_BLOCK)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                held_back = len(error.object) - len(block)  # bytes of an incomplete character from the previous block
                offset = position - held_back + error.start
                line = num_lines + block[: max(0, error.start - held_back)].count(b"\n") + 1
                return f"not {encoding.name}: byte {error.object[error.start]:#04x} at offset {offset:,}, line {line:,}"
            if not block:
                return None
            position += len(block)
            num_lines += block.count(b"\n")


def open_text(path: Path, *, newline: str | None = None, encoding: Encoding | None = None) -> TextIO:
    """Return the file opened for reading in its encoding.

    Args:
        path: the file.
        newline: as in `open`.
        encoding: its encoding; None detects it.

    Raises:
        DataError: as in `detect_encoding`.
    """
    encoding = encoding or detect_encoding(path)
    try:
        return path.open(encoding=encoding.codec, newline=newline)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
