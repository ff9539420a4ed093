"""Read `metrics.jsonl`, one JSON record per epoch, and know a number in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, TypeGuard

from dlcli.core.errors import RunError
from dlcli.core.files import parse_json


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the records of a `metrics.jsonl`, one per epoch; a last line truncated by a crash is skipped.

    Raises:
        RunError: the file is missing, empty, or damaged before its last line.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}", hint="the run has not finished an epoch yet") from None
    records = []
    for number, line in enumerate(lines, start=1):
        record = parse_record(line)
        if record is not None:
            records.append(record)
        elif number < len(lines):
            raise RunError(
                f"{path}: line {number} is not the record of an epoch", hint="the file was edited or damaged"
            )
    if not records:
        raise RunError(f"{path}: contains no epoch", hint="the run has not finished an epoch yet")
    return records


def parse_record(line: str) -> dict[str, Any] | None:
    """Return the record in a line, or None if it is not one (a crash may have truncated it)."""
    try:
        value = parse_json(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and _is_epoch(value.get("epoch")) else None


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value of JSON is a number that a float can hold: NaN and infinities are, a bool is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) <= sys.float_info.max  # JSON bounds no whole number
    return isinstance(value, float)


def _is_epoch(value: Any) -> bool:
    return isinstance(value, int) and is_number(value)
