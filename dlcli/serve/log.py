"""The access log: a line of JSON for each request, with nothing of a client's: no address, no path of its making, no
input and no answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from dlcli.core.errors import UsageError

STDERR = "-"


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
