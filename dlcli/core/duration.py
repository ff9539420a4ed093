"""Durations as people write them: 90s, 5m, 1h30m."""

from __future__ import annotations

import re

_NUMBER = r"(\d+(?:\.\d+)?)"
_PATTERN = re.compile(rf"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?", re.IGNORECASE)

MAX_SECONDS = 10 * 365 * 86400


def parse_duration(text: str) -> float:
    """Return the seconds in a duration such as `90s`, `5m` or `1h30m`.

    Raises:
        ValueError: the text is not a duration, is zero, or over ten years.
    """
    match = _PATTERN.fullmatch(text.replace(" ", ""))
    parts = match.groups() if match else ()
    seconds = sum(float(part or 0) * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    if seconds > MAX_SECONDS:
        raise ValueError(f"{text!r} must be at most ten years")
    if seconds <= 0:
        raise ValueError(f"{text!r} is not a length of time: write it as 90s, 5m or 1h30m")
    return seconds
