"""Errors: every user-facing fault is a `DlError` with an exit code and a hint on how to fix it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from enum import IntEnum

from dlcli.core.wording import brief


class ExitCode(IntEnum):
    """The exit codes that scripts may rely on."""

    DONE = 0
    FAULT = 1  # a fault of the tool itself
    USAGE = 2  # a wrong option, argument or configuration
    DATA = 3  # data missing or invalid
    RUN = 4  # a run, checkpoint or model file missing or incompatible
    EXPORT = 5  # an export failed
    PARITY = 6  # an exported file differs from its model, or a rerun from the original run
    THRESHOLD = 7  # --fail-under was not met
    PARTIAL = 8  # some inputs failed, the others succeeded
    DIVERGED = 9  # a loss or gradient became non-finite in training
    DEVICE = 10  # a device is missing or out of memory
    INTERRUPTED = 130  # Ctrl-C
    TERMINATED = 143  # SIGTERM


class DlError(Exception):
    """A fault that the user can fix.

    Args:
        message: what is wrong and where, one line.
        hint: how to fix it, one line.
        details: up to four lines between the two (what was expected, what was found).
    """

    exit_code = ExitCode.FAULT

    def __init__(self, message: str, *, hint: str | None = None, details: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = tuple(details)
        for note in [*self.details, *([f"fix: {hint}"] if hint else [])]:
            self.add_note(note)  # which Python prints below the message, where no command prints `lines`

    def lines(self) -> list[str]:
        """Return the message as at most 6 lines of at most 300 characters, ready to print."""
        body = [f"error: {self.message}", *(f"  {detail}" for detail in self.details[:4])]
        if self.hint:
            body.append(f"  fix: {self.hint}")
        return [brief(line) for line in body]


class UsageError(DlError):
    """A wrong option, argument or configuration value."""

    exit_code = ExitCode.USAGE


class DataError(DlError):
    """Data is missing or violates its format."""

    exit_code = ExitCode.DATA


class RunError(DlError):
    """A run, checkpoint or model file is missing, damaged or does not fit."""

    exit_code = ExitCode.RUN


class ExportError(DlError):
    """A model could not be exported to the requested format."""

    exit_code = ExitCode.EXPORT


class ParityError(DlError):
    """An exported file's outputs differ from its model's, or a rerun's results from the original run's."""

    exit_code = ExitCode.PARITY


class ThresholdError(DlError):
    """A metric missed the threshold that the user set."""

    exit_code = ExitCode.THRESHOLD


class PartialError(DlError):
    """Some inputs failed; the others succeeded."""

    exit_code = ExitCode.PARTIAL


class DivergedError(DlError):
    """A loss or gradient became non-finite in training."""

    exit_code = ExitCode.DIVERGED


class DeviceError(DlError):
    """A device is missing or out of memory."""

    exit_code = ExitCode.DEVICE


class StoppedError(DlError):
    """A signal stopped the training; the checkpoint is saved."""

    def __init__(self, message: str, *, exit_code: ExitCode, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


def first_line(error: BaseException, limit: int = 160) -> str:
    """Return the first line of an exception's message without escape codes, truncated to `limit` characters."""
    lines = [line.strip() for line in re.sub(r"\x1b\[[\d;]*m", "", str(error)).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= limit else text[: limit - 3] + "..."


def why_refused(error: BaseException) -> str:
    """Return why torch refuses to unpickle a file: the object in it, from torch's message.

    The message itself is a page of advice to load the file all the same, with escape codes for bold type.
    """
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    what = f"a pickled {found[1]}" if found else "pickled objects"
    return f"refused: holds {what}, the code of another program, which loading would run"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name closest to `name` in spelling, or None if none is close."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint with the closest known name, or else with the first twelve; empty if none is known."""
    known = list(known)
    near = nearest(name, known)
    if not known:
        return ""
    if near:
        return f"did you mean {near!r}?"
    return f"known: {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}"
