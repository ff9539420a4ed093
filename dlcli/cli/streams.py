"""Standard input as a stream of lines, each processed as it arrives."""

from __future__ import annotations

import codecs
import os
import select
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from dlcli.data.codec import Source

Item = TypeVar("Item")

CHUNK = 1 << 16
MAX_LINE = 1 << 24
"""Maximum bytes of one line, so that input without line breaks cannot fill the memory."""


def batches_of_lines(size: int) -> Iterator[list[str]]:
    """Yield lines of standard input, at most `size` at a time, and fewer once no more are waiting.

    So someone typing gets an answer per line, and a long pipe is processed in full batches. Bytes that are not UTF-8
    become surrogates, as in Python's file names. A byte order mark at the start, as editors on Windows write it, is
    skipped.
    """
    descriptor = sys.stdin.fileno()
    pending, waiting, is_start = b"", [], True
    while True:
        chunk = os.read(descriptor, CHUNK)
        *lines, pending = (pending + chunk).split(b"\n")
        if len(pending) > MAX_LINE or (not chunk and pending):
            lines, pending = [*lines, pending], b""
        if lines and is_start:
            lines[0], is_start = lines[0].removeprefix(codecs.BOM_UTF8), False
        waiting += [line.rstrip(b"\r").decode("utf-8", "surrogateescape") for line in lines]
        waiting = [line for line in waiting if line.strip()]
        is_idle = not chunk or not _has_more(descriptor)
        while len(waiting) >= size or (waiting and is_idle):
            yield waiting[:size]
            waiting = waiting[size:]
        if not chunk:
            return


def _has_more(descriptor: int) -> bool:
    if os.name == "nt":  # select supports only sockets there
        return False
    return bool(select.select([descriptor], [], [], 0)[0])


def batches_of(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of `size`; the last may be shorter."""
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def source_batches(
    inputs: Sequence[str],
    size: int,
    expand: Callable[[Sequence[str]], Iterator[Source]],
    read_lines: Callable[[Sequence[str]], Iterable[Source]],
) -> Iterator[list[Source]]:
    """Yield the sources of the arguments, at most `size` at a time; `-` is standard input.

    Args:
        inputs: the arguments; if there are none, `expand` is called with an empty list.
        size: maximum number of sources at a time.
        expand: turns arguments into sources.
        read_lines: turns the next lines of standard input into sources.
    """
    if "-" not in inputs:
        yield from batches_of(expand(inputs), size)
        return
    index = inputs.index("-")
    before, behind = inputs[:index], inputs[index + 1 :]
    if before:
        yield from batches_of(expand(before), size)
    for lines in batches_of_lines(size):
        yield from batches_of(read_lines(lines), size)
    if behind:
        yield from source_batches(behind, size, expand, read_lines)
