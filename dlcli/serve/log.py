"""The access log: a line of JSON for each request, with nothing of a client's: no address, no path of its making, no
input and no answer."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from dlcli.core.errors import UsageError

STDERR = "-"

_STDERR_FILE = 2


@contextlib.contextmanager
def own_stderr() -> Iterator[None]:
    """Let sys.stderr write to a file descriptor of its own in the block.

    While one thread decodes an image, file descriptor 2 leads nowhere (data/images/muffling.py), and what the others
    say would be lost: lines of the access log, and warnings.
    """
    before = sys.stderr
    try:
        is_file = before.fileno() == _STDERR_FILE
        descriptor = os.dup(_STDERR_FILE) if is_file else -1
    except (OSError, ValueError):  # a stream of Python's without a file, or no descriptor is left
        is_file = False
    if not is_file:
        yield
        return
    stream = os.fdopen(descriptor, "w", buffering=1, encoding=before.encoding, errors=before.errors)
    sys.stderr = stream
    try:
        yield
    finally:
        sys.stderr = before
        with contextlib.suppress(OSError):  # its reader has gone, or the disk is full
            stream.close()


class AccessLog:
    """Appends lines to a file; rotate it by renaming it and `reopen`.

    Args:
        place: a file, `-` for stderr, None for no log.

    Raises:
        UsageError: the file cannot be opened.
    """

    def __init__(self, place: str | None) -> None:
        self._place = place
        self._stream: TextIO | None = None
        self.reopen()

    def reopen(self) -> None:
        """Open the file again, which may have been renamed.

        Raises:
            UsageError: it cannot be opened.
        """
        if self._place is None:
            return
        if self._place == STDERR:
            self._stream = sys.stderr
            return
        try:
            stream = Path(self._place).open("a", encoding="utf-8")  # noqa: SIM115 - open while the server runs
        except OSError as error:
            raise UsageError(
                f"--access-log {self._place}: {error.strerror}", hint="name a file that can be written"
            ) from None
        self.close()
        self._stream = stream

    def write(self, line: Mapping[str, Any]) -> None:
        """Append a line; a full disk loses it, and not the answer."""
        if self._stream is None:
            return
        try:
            self._stream.write(json.dumps(line) + "\n")
            self._stream.flush()
        except OSError:
            pass

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None and self._stream is not sys.stderr:
            self._stream.close()
        self._stream = None
