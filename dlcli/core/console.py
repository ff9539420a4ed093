"""All output of the tool: the answer on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TextIO

from dlcli.core.wording import brief, printable

MAX_WARNING = 500
"""Maximum characters of a warning, which may list several things."""

_SMALL, _LARGE = 1e-3, 1e15
"""Below the first, four decimals show at most one digit; above the second, they are noise of float64."""


def is_interactive(stream: IO[str]) -> bool:
    """Return whether someone reads the stream as it is written: it is a terminal, and not in CI."""
    is_ci = os.environ.get("CI") or os.environ.get("GITHUB_ACTIONS")
    return stream.isatty() and not is_ci and os.environ.get("TERM") != "dumb"


def has_colour(stream: IO[str]) -> bool:
    """Return whether escape codes, for colours and progress bars, may be written to the stream."""
    return is_interactive(stream) and not os.environ.get("NO_COLOR")


ERRORS = "DLCLI_ERRORS"
"""The variable that names a folder: there the processes of `--devices N` leave their errors, and the launcher prints
the first."""


class ReaderGoneError(Exception):
    """Whoever read the answer has closed the pipe, as in `dl runs | head -1`."""


def _connect_to_nothing(number: int) -> None:
    sink = os.open(os.devnull, os.O_RDWR)
    if sink != number:
        os.dup2(sink, number)
        os.close(sink)
    os.set_inheritable(number, True)


@dataclass
class Console:
    """Where a command writes.

    Only a lost answer ends a command: one whose stderr or log cannot be written any more goes on without it.

    Attributes:
        is_quiet: write only the answer, warnings and errors.
        is_verbose: write details as well.
        is_json: write the answer as one JSON document.
        is_mute: write neither the answer nor warnings; for all but one of several processes.
        log: a file to which every line is also appended, once a run exists.
    """

    is_quiet: bool = False
    is_verbose: bool = False
    is_json: bool = False
    is_mute: bool = False
    log: Path | None = None

    @contextmanager
    def logging_to(self, log: Path | None) -> Iterator[None]:
        """Also append every line written in the block to a file."""
        before, self.log = self.log, log
        try:
            yield
        finally:
            self.log = before

    def answer(self, text: str) -> None:
        """Write a line of the answer to stdout.

        Raises:
            ReaderGoneError: nobody reads it any more.
        """
        if self.is_mute:
            return
        try:
            sys.stdout.write(encodable(text, sys.stdout) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            raise ReaderGoneError from None

    def answer_json(self, kind: str, value: dict[str, Any]) -> None:
        """Write the answer as one JSON document with its schema `dl.KIND/1`."""
        self.answer(json_text({"schema": f"dl.{kind}/1", **value}, indent=2))

    def say(self, line: str) -> None:
        """Write a line to stderr unless quiet."""
        self._keep(line)
        if not self.is_quiet:
            self._error_line(line)

    def show(self, drawing: str) -> None:
        """Write a drawing of several lines to stderr unless quiet, and not to the log: it is made for a terminal."""
        if not self.is_quiet:
            self._error_line(drawing)

    def detail(self, line: str) -> None:
        """Write a line to stderr if verbose."""
        self._keep(line)
        if self.is_verbose:
            self._error_line(line)

    def warn(self, line: str) -> None:
        """Write a warning to stderr, quiet or not."""
        line = brief(line, MAX_WARNING)
        self._keep(f"warning: {line}")
        if self.is_mute:
            return
        prefix = "\033[33mwarning:\033[0m" if has_colour(sys.stderr) else "warning:"
        self._error_line(f"{prefix} {line}")

    def error(self, lines: Sequence[str]) -> None:
        """Write an error's lines to stderr, or, in one of several processes, to a file for the launcher."""
        for line in lines:
            self._keep(line)
        place = os.environ.get(ERRORS)
        if place is not None:
            (Path(place) / os.environ.get("RANK", "0")).write_text("\n".join(lines), encoding="utf-8")
            return
        first, *rest = lines
        if has_colour(sys.stderr):
            first = first.replace("error:", "\033[1;31merror:\033[0m", 1)
        self._error_line("\n".join([first, *rest]))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Write an aligned table to stdout; numbers are right-aligned, Chinese characters are two cells wide."""
        self.answer("\n".join(format_table(columns, rows, bold=has_colour(sys.stdout))))

    def _keep(self, line: str) -> None:
        if self.log is None:
            return
        try:
            with self.log.open("a", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(line + "\n")
        except OSError as error:
            log, self.log = self.log, None
            self.warn(f"{log}: {error.strerror or error}; the lines that follow are not logged")

    @staticmethod
    def _error_line(line: str) -> None:
        try:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        except OSError:  # its reader has gone (`2>&1 | head`), the terminal was closed, or the disk is full
            discard_stream(sys.stderr)


def discard_stream(stream: IO[str]) -> None:
    """Send all that is still written to a stream to the null device, also what C++ code writes."""
    with contextlib.suppress(OSError, ValueError):  # a stream of Python's without a file
        _connect_to_nothing(stream.fileno())


def encodable(text: str, stream: TextIO) -> str:
    """Return the text with what the stream cannot encode escaped: Chinese in ASCII, a name's bytes that are no text."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return JSON that stdout can encode: with characters as they are, or all escaped where one would be lost.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    if encodable(text, sys.stdout) == text:
        return text
    return json.dumps(value, ensure_ascii=True, allow_nan=False, indent=indent)


def display_width(text: str) -> int:
    """Return the width of the text in terminal cells."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def shorten(text: str, max_characters: int) -> str:
    """Return the text as one line, truncated with an ellipsis if it has more than `max_characters`."""
    line = " ".join(text.split())
    return line if len(line) <= max_characters else line[: max_characters - 1].rstrip() + "…"


def format_figure(value: float) -> str:
    """Return a figure with four decimals, or with two significant digits where those would show next to nothing.

    >>> format_figure(0.871), format_figure(0.0000012)
    ('0.8710', '1.2e-06')
    """
    is_small = 0 < abs(value) < _SMALL
    is_large = abs(value) >= _LARGE
    return f"{value:.2g}" if is_small else f"{value:.7g}" if is_large else f"{value:.4f}"


def format_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, bold: bool = False) -> list[str]:
    """Return the lines of an aligned table; a column whose values are all numbers is right-aligned."""
    texts = [[_cell(value) for value in row] for row in rows]
    widths = [
        max([display_width(name), *(display_width(row[index]) for row in texts)]) for index, name in enumerate(columns)
    ]
    to_right = [
        bool(rows) and all(isinstance(row[index], (int, float, type(None))) for row in rows)
        for index in range(len(columns))
    ]

    def line(cells: Sequence[str]) -> str:
        parts = []
        for cell, width, right in zip(cells, widths, to_right, strict=True):
            padding = " " * (width - display_width(cell))
            parts.append(padding + cell if right else cell + padding)
        return "  ".join(parts).rstrip()

    header = line(list(columns))
    return [f"\033[1m{header}\033[0m" if bold else header, *(line(row) for row in texts)]


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return format_figure(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else printable(str(value))
