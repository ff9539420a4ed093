"""Standard input as a stream of lines that are answered as they come."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator, Sequence

CHUNK = 1 << 16
MAX_LINE = 1 << 24
"""Bytes of one line, at most: an endless line without a newline must not fill the memory."""


def batches_of_lines(size: int) -> Iterator[list[str]]:
    """Yield lines of standard input, up to `size` at once, and fewer as soon as no more are waiting.

    So a person who types is answered line by line, and a long pipe is answered in full batches. Bytes that are no
    UTF-8 are kept as surrogates, as Python keeps odd file names.
    """
    descriptor = sys.stdin.fileno()
    pending, waiting = b"", []
    while True:
        chunk = os.read(descriptor, CHUNK)
        *lines, pending = (pending + chunk).split(b"\n")
        if len(pending) > MAX_LINE or (not chunk and pending):
            lines, pending = [*lines, pending], b""
        waiting += [line.rstrip(b"\r").decode("utf-8", "surrogateescape") for line in lines]
        waiting = [line for line in waiting if line.strip()]
        is_idle = not chunk or not _has_more(descriptor)
        while len(waiting) >= size or (waiting and is_idle):
            yield waiting[:size]
            waiting = waiting[size:]
        if not chunk:
            return


def _has_more(descriptor: int) -> bool:
    if os.name == "nt":  # select knows only sockets there
        return False
    return bool(select.select([descriptor], [], [], 0)[0])


def batches_of(items: Iterator[str], size: int) -> Iterator[list[str]]:
    """Yield the items in lists of `size`, the last one shorter."""
    batch: list[str] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def input_batches(
    inputs: Sequence[str], size: int, expand: object, read_lines: Callable[[Sequence[str]], list[str]] | None = None
) -> Iterator[list[str]]:
    """Yield the sources that the arguments mean in batches; `-` is standard input.

    A line of it is a source, but where `read_lines` makes sources of lines: of a CSV's rows, say.
    """
    for index, text in enumerate(inputs):
        if text == "-":
            yield from batches_of(expand(inputs[:index]), size)  # type: ignore[operator]
            lines = batches_of_lines(size)
            yield from lines if read_lines is None else filter(None, map(read_lines, lines))
            yield from input_batches(inputs[index + 1 :], size, expand, read_lines)
            return
    yield from batches_of(expand(inputs), size)  # type: ignore[operator]
