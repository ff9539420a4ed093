"""Findings of a check of the machine, of data or of a run."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARNING, FAULT = "ok", "warning", "fault"


@dataclass(frozen=True)
class Finding:
    """One line of `dl doctor`.

    Attributes:
        what: what was checked.
        state: "ok", "warning", or "fault"; a fault makes the command fail.
        found: the result in words.
        fix: how to mend it; "" where nothing is to be mended.
    """

    what: str
    state: str
    found: str
    fix: str = ""
