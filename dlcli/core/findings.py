"""What a check of the machine, of data or of a run has found."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARNING, FAULT = "ok", "warning", "fault"


@dataclass(frozen=True)
class Finding:
    """One line of `dl doctor`.

    Attributes:
        what: what was looked at.
        state: "ok", "warning", or "fault", which makes the command fail.
        found: what was found, in words.
    """

    what: str
    state: str
    found: str
