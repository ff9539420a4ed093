"""Silencing the exporters, which print, log and warn freely, since stdout is for the answer of the command."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Discard everything written to stdout and stderr inside the block, also by C++ code, and all logs and warnings.

    This silences the whole process, including its other threads.
    """
    logging_was_disabled_at = logging.root.manager.disable
    with contextlib.ExitStack() as stack:
        stack.callback(logging.disable, logging_was_disabled_at)
        logging.disable(logging.CRITICAL)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        sink = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
            stack.enter_context(_descriptor_to(sink, descriptor, stream))
        stack.enter_context(contextlib.redirect_stdout(sink))
        stack.enter_context(contextlib.redirect_stderr(sink))
        yield


@contextlib.contextmanager
def _descriptor_to(sink: IO[str], descriptor: int, stream: IO[str] | None) -> Iterator[None]:
    try:
        kept = os.dup(descriptor)
    except OSError:  # the process was started without this stream
        yield
        return
    try:
        _flush(stream)
        os.dup2(sink.fileno(), descriptor)
        yield
    finally:
        _flush(stream)  # to discard what was written through a stored reference to the stream
        os.dup2(kept, descriptor)
        os.close(kept)


def _flush(stream: IO[str] | None) -> None:
    if stream is not None:
        with contextlib.suppress(OSError, ValueError):  # a closed pipe or stream; reported when the answer is printed
            stream.flush()
