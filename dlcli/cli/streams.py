"""Standard input as a stream of lines, each processed as it arrives."""

from __future__ import annotations

import codecs
import os
import select
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from dlcli.answering.answers import batches_of_sources

if TYPE_CHECKING:
    from dlcli.data.codec import Source

CHUNK = 1 << 16
MAX_LINE = 1 << 24
"""Maximum bytes of one line, so that input without line breaks cannot fill the memory."""

_FIRST_OF_MARKS = (b"\xef", b"\xff", b"\xfe", b"\0")


def batches_of_lines(size: int) -> Iterator[list[str]]:
    """Yield lines of standard input, empty ones too, at most `size` at a time, and fewer once no more are waiting.

    So someone typing gets an answer per line, and a long pipe is processed in full batches. A line ends with LF, CR or
    both. A byte order mark says how the bytes are decoded; without one, bytes that are not UTF-8 become surrogates, as
    in Python's file names.
    """
    descriptor = sys.stdin.fileno()
    decoder = _Decoder()
    pending, waiting = "", list[str]()
    is_after_cr = False
    while True:
        chunk = os.read(descriptor, CHUNK)
        text = decoder.decode(chunk)
        if is_after_cr and text:  # the LF of a CR LF that was cut in two ends no second line
            text, is_after_cr = text.removeprefix("\n"), False
        is_after_cr = is_after_cr or text.endswith("\r")
        *lines, pending = (pending + text.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
        if len(pending) > MAX_LINE or (not chunk and pending):
            lines, pending = [*lines, pending], ""
        waiting += lines
        is_idle = not chunk or not _has_more(descriptor)
        while len(waiting) >= size or (waiting and is_idle):
            yield waiting[:size]
            waiting = waiting[size:]
        if not chunk:
            return


class _Decoder:
    """Decodes a stream by its byte order mark, else as UTF-8 in which other bytes become surrogates."""

    def __init__(self) -> None:
        self._start: bytes | None = b""
        self._decoder: codecs.IncrementalDecoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def decode(self, chunk: bytes) -> str:
        """Return the text of the next bytes; no bytes mean the end."""
        if self._start is not None:
            self._start += chunk
            if chunk and len(self._start) < 4 and self._start[:1] in _FIRST_OF_MARKS:
                return ""  # the rest of a mark may follow
            from dlcli.data.reading.encodings import marked_encoding

            marked = marked_encoding(self._start)
            if marked is not None:
                self._decoder = codecs.getincrementaldecoder(marked.codec)("replace")
            chunk, self._start, is_end = self._start, None, not chunk
            return self._decoder.decode(chunk, is_end)
        return self._decoder.decode(chunk, not chunk)


def _has_more(descriptor: int) -> bool:
    if os.name == "nt":  # select supports only sockets there
        return False
    return bool(select.select([descriptor], [], [], 0)[0])


def source_batches(
    inputs: Sequence[str],
    size: int,
    expand: Callable[[Sequence[str]], Iterator[Source]],
    read_lines: Callable[[Sequence[str]], Iterable[Source]],
    finish_lines: Callable[[], Iterable[Source]],
) -> Iterator[list[Source]]:
    """Yield the sources of the arguments, at most `size` at a time; `-` is standard input.

    Args:
        inputs: the arguments; if there are none, `expand` is called with an empty list.
        size: maximum number of sources at a time.
        expand: turns arguments into sources.
        read_lines: turns the next lines of standard input into sources.
        finish_lines: returns the sources of lines that wait when standard input has ended.
    """
    if "-" not in inputs:
        yield from batches_of_sources(expand(inputs), size)
        return
    index = inputs.index("-")
    before, behind = inputs[:index], inputs[index + 1 :]
    if before:
        yield from batches_of_sources(expand(before), size)
    for lines in batches_of_lines(size):
        yield from batches_of_sources(read_lines(lines), size)
    yield from batches_of_sources(finish_lines(), size)
    if behind:
        yield from source_batches(behind, size, expand, read_lines, finish_lines)
