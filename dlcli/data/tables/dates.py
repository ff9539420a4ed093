"""Cells that hold dates or times: they are no names, and as numbers they need the user's decision which part counts."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MONTHS = (
    "jan(?:uary|uar|v(?:ier)?)?|feb(?:ruary|ruar)?|f[ée]v(?:rier|r)?|mar(?:ch|s)?|märz?|apr(?:il)?|avr(?:il)?|ma[yi]|"
    "june?|juni|juin|july?|juli|juil(?:let)?|aug(?:ust)?|août|sept?(?:ember|embre)?|o[ck]t(?:ober|obre)?|"
    "nov(?:ember|embre)?|de[cz](?:ember)?|déc(?:embre)?"
)
_MONTH = rf"(?:{_MONTHS})\.?"
_DAY_NAME = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,? )?"
_YEAR = r"(?:\d{4}|'?\d{2})"
_DAY = r"\d{1,2}(?:st|nd|rd|th|\.)?"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[ap]\.?m\.?)?"
_ZONE = r"(?: ?(?:z|[a-z]{3,4}|(?:utc|gmt)?[+-]\d{1,2}(?::?\d{2})?))?"
_FORMS = (
    r"\d{4}[-/.年] ?\d{1,2}(?:[-/.月] ?\d{1,2}日?\.?|月)?",  # 2024-01-05, 2024/1, 2024年1月5日
    r"\d{1,2}[-/.] ?\d{1,2}[-/.] ?\d{2,4}",  # 5/13/2024, 05.01.24
    r"\d{4}-?W\d{2}(?:-?\d)?",  # the weeks of ISO 8601
    r"\d{4}[- ]?Q[1-4]|Q[1-4][- /]?\d{4}",
    rf"{_DAY}[-/ ]{_MONTH}(?:[-/ ,]+{_YEAR})?",  # 5 Jan 2024
    rf"{_MONTH}[-/ ]{_DAY}(?:(?:, ?|[-/ ]){_YEAR})?",  # Jan 05 2024, January 5th, 2024
    rf"{_MONTH}[-/ ]?{_YEAR}",  # Jan 2024
    rf"\d{{4}}[-/ ]{_MONTH}(?:[-/ ]{_DAY})?",  # 2024-Jan-05
    rf"{_MONTH} {_DAY} {_CLOCK}{_ZONE} \d{{4}}",  # as `date` prints it
)
_DATE = re.compile(
    rf"{_DAY_NAME}(?:{'|'.join(_FORMS)})(?:(?: |T|, ){_CLOCK}{_ZONE})?|{_CLOCK}{_ZONE}",
    re.IGNORECASE,
)
_COMPACT = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_NEARLY_ALL = 0.9


def hold_dates(cells: Sequence[str]) -> bool:
    """Return whether nearly all known cells of a column are dates or times."""
    return bool(cells) and sum(map(is_date, cells)) > _NEARLY_ALL * len(cells)


def is_date(cell: str) -> bool:
    """Return whether a cell is a date or a time, in any usual order and with any separators."""
    return len(cell) <= 60 and _DATE.fullmatch(cell) is not None


def are_compact_dates(cells: Sequence[str]) -> bool:
    """Return whether all known cells are dates as one number: 20240105."""
    return bool(cells) and all(map(_COMPACT.fullmatch, cells))
