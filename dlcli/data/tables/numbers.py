"""Numbers as people write them: percentages, thousands, currencies, units, decimal commas; imports no torch.

How a column writes its numbers is decided once, by all of its cells, and stored as its `Notation`. Preparing, training
and predicting read a cell by the same `Notation.number`, so what `dl predict` reads is what was learned from.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

from dlcli.core.console import shorten
from dlcli.data.tables.rows import is_missing, to_number

_SYMBOLS = "$€£¥₹₩₽₺₴₫฿₱₪₦¢"
_CODES = "USD|EUR|GBP|CHF|JPY|CNY|RMB|INR|KRW|AUD|CAD|HKD|NZD|SEK|NOK|DKK|PLN|CZK|BRL|ZAR|Rs|Fr|kr"
_CURRENCY = re.compile(rf"[A-Z]{{0,3}}[{_SYMBOLS}]|{_CODES}|zł|元|円|원", re.IGNORECASE)
_SHAPE = re.compile(
    rf"""(?P<open>\()?\ ?(?P<sign>[+-])?\ ?
    (?P<prefix>[A-Z]{{0,3}}[{_SYMBOLS}]|(?:{_CODES})(?=[.\ \d+-]))?\.?\ ?(?P<inner>[+-])?
    (?P<body>\d[\d.,'\ ]*|[.,]\d+)
    (?:(?:[eE]|\ ?[x×*]\ ?10\^)(?P<exponent>[+-]?\d{{1,3}}))?\ ?
    (?P<suffix>(?:[%‰°"µμ{_SYMBOLS}]|[^\W\d_])[^\d,()_;+-]{{0,19}}(?:(?<=m)[23])?)?
    (?P<close>\))?(?P<behind>-)?""",
    re.VERBOSE,
)
_STYLES = ((".", ""), (".", ","), (",", ""), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"))
"""(decimal mark, thousands mark), those preferred where several read a column equally well first."""

_MARKS = ("decimal", "thousands", "prefix", "suffix")

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("\u2212\u2013\ufe63\uff0d", "-"),
        **dict.fromkeys("\u2019\u02bc\uff07", "'"),
        **dict(zip("．，％＋＄￥￡￠（）", ".,%+$¥£¢()", strict=True)),
    }
)


@dataclass(frozen=True)
class Notation:
    """How a column writes its numbers.

    Attributes:
        decimal: the decimal mark, "." or ",".
        thousands: what may stand between groups of three digits, "" for nothing.
        prefix, suffix: what stands before and behind every number: a currency, a percent sign, a unit; "" for nothing.
        words: of ordered categories, in lower case, the words that stand for 0, 1, 2, ...; () for numbers.
    """

    decimal: str = "."
    thousands: str = ""
    prefix: str = ""
    suffix: str = ""
    words: tuple[str, ...] = ()

    def number(self, cell: str) -> float | None:
        """Return the finite number in a cell, NaN if the value is missing, None if it is written in another way.

        A percentage is read as the number before its sign: 12% is 12.
        """
        if is_missing(cell):
            return math.nan
        if self.words:
            word = cell.casefold()
            return float(self.words.index(word)) if word in self.words else None
        if not (self.prefix or self.suffix or self.thousands == "."):
            plain = to_number(cell)
            if plain is not None:
                return plain
        parts = _parts(cell)
        if parts is None or (parts.prefix, parts.suffix) != (self.prefix, self.suffix):
            return None
        return parts.value(self.decimal, self.thousands)

    def written(self, number: float) -> str:
        """Return the cell that holds a number; `number` reads it."""
        if self.words:
            return str(number)
        sign, digits = ("-", str(-number)) if number < 0 else ("", str(number))
        return f"{sign}{self.prefix}{digits.replace('.', self.decimal)}{self.suffix}"

    @property
    def described(self) -> str:
        """What a cell should hold, for messages: "a number", with an example unless that is plain."""
        if self == PLAIN:
            return "a number"
        if self.words:
            return f"one of {shorten(', '.join(self.words), 100)}"
        example = f"1{self.thousands}234{self.decimal}5" if self.thousands else f"12{self.decimal}5"
        return f"a number written as {self.prefix}{example}{self.suffix and ' '}{self.suffix}"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value stored in cards and runs."""
        marks = {name: vars(self)[name] for name in _MARKS}
        return {**marks, "words": list(self.words)} if self.words else marks

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self:
        """Return the notation from its JSON value; a plain one from None.

        Raises:
            ValueError: the value is not a notation.
        """
        try:
            given = dict(value or {})
            words = given.pop("words", [])
            if not isinstance(words, list) or len(set(map(str, words))) < len(words):
                raise TypeError
            notation = cls(**{str(name): str(mark) for name, mark in given.items()}, words=tuple(map(str, words)))
        except (AttributeError, TypeError, ValueError):
            raise ValueError(f"{value!r} says not how numbers are written") from None
        if (notation.decimal, notation.thousands) not in _STYLES:
            raise ValueError(f"numbers cannot be written with {notation.decimal!r} and {notation.thousands!r}")
        return notation


PLAIN = Notation()
"""Numbers as Python reads them: 1234.5, -1e-3."""


@dataclass(frozen=True)
class FoundNotation:
    """How the cells of a column can be read as numbers.

    Attributes:
        notation: the one that reads the most cells.
        count: how many cells of the column it reads.
        other: another one that reads as many, but as other numbers; None if the cells leave no doubt.
        affixes: the currencies and units in the column, the most frequent first; "" for none.
        num_shaped: how many cells are numbers in any notation, with any unit.
    """

    notation: Notation
    count: int
    other: Notation | None
    affixes: tuple[str, ...]
    num_shaped: int


def find_notation(cells: Sequence[str], decimal: str = ".") -> FoundNotation:
    """Return how the known cells of a column can be read as numbers, decided by all of them.

    Args:
        cells: the cells that are not missing.
        decimal: the decimal mark of the table's numbers, which decides where the cells leave a doubt.
    """
    num_plain = sum(to_number(cell) is not None for cell in cells)
    if num_plain == len(cells) and (decimal == "." or not any("." in cell for cell in cells)):
        return FoundNotation(PLAIN, num_plain, None, ("",), num_plain)
    shaped = [parts for parts in map(_parts, cells) if parts is not None]
    counts = Counter((parts.prefix, parts.suffix) for parts in shaped)
    if not counts:
        return FoundNotation(PLAIN, num_plain, None, (), num_plain)
    [((prefix, suffix), _)] = counts.most_common(1)
    alike = [parts for parts in shaped if (parts.prefix, parts.suffix) == (prefix, suffix)]
    notations = [Notation(decimal, thousands, prefix, suffix) for decimal, thousands in _STYLES]
    values = {n: [parts.value(n.decimal, n.thousands) for parts in alike] for n in notations}
    fits = {n: sum(value is not None for value in found) for n, found in values.items()}
    is_money = bool(_CURRENCY.fullmatch(prefix or suffix))
    # No currency has thousandths: 1.234 € is a thousand.
    order = sorted(
        notations,
        key=lambda n: (-fits[n], _num_thousandths(alike, n.decimal) if is_money else 0, n.decimal != decimal),
    )
    best = order[0]
    rivals = [n for n in order[1:] if None not in values[n] and values[n] != values[best]]
    affixes = tuple(" ".join(filter(None, affix)) for affix, _ in counts.most_common())
    if fits[best] < num_plain:
        return FoundNotation(PLAIN, num_plain, None, affixes, max(len(shaped), num_plain))
    count = sum(best.number(cell) is not None for cell in cells)  # also plain numbers among those with another mark
    return FoundNotation(best, count, rivals[0] if rivals and not is_money else None, affixes, len(shaped))


def _num_thousandths(cells: Sequence[_Parts], decimal: str) -> int:
    return sum(bool(re.search(rf"\{decimal}\d{{3}}$", parts.body)) for parts in cells)


@dataclass(frozen=True)
class _Parts:
    """A cell taken apart: its sign, its digits with the marks between them, and what stands around them."""

    is_negative: bool
    prefix: str
    body: str
    exponent: str
    suffix: str

    def value(self, decimal: str, thousands: str) -> float | None:
        """Return the number, None if its marks stand where those do not belong."""
        if not _style(decimal, thousands).fullmatch(self.body):
            return None
        digits = self.body.replace(thousands, "") if thousands else self.body
        value = float(digits.replace(decimal, ".") + (f"e{self.exponent}" if self.exponent else ""))
        return (-value if self.is_negative else value) if math.isfinite(value) else None


@lru_cache
def _style(decimal: str, thousands: str) -> re.Pattern[str]:
    mark, between = re.escape(decimal), re.escape(thousands)
    grouped = ""
    if thousands:
        # A group of two digits is Indian: 12,34,567.
        grouped = rf"|[1-9]\d{{0,2}}(?:{between}\d{{2,3}})*{between}\d{{3}}(?:{mark}\d*)?"
    return re.compile(rf"\d+(?:{mark}\d*)?|{mark}\d+{grouped}")


def _parts(cell: str) -> _Parts | None:
    """Return a cell taken apart, or None if it holds anything but one number."""
    match = _SHAPE.fullmatch(_normalised(cell))
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    signs = [sign for sign in (match["sign"], match["inner"], match["behind"]) if sign]
    if len(signs) > 1 or (signs and match["open"]):
        return None
    is_negative = "-" in signs or bool(match["open"])
    suffix = (match["suffix"] or "").rstrip(" .")
    return _Parts(is_negative, match["prefix"] or "", match["body"].rstrip(" "), match["exponent"] or "", suffix)


def _normalised(cell: str) -> str:
    """Return the cell with ASCII digits, minus signs, marks and spaces in place of their many relatives."""
    if cell.isascii():
        return cell.strip()
    return "".join(map(_plain_character, cell.translate(_SIGNS))).strip()


def _plain_character(character: str) -> str:
    if unicodedata.category(character) == "Zs":
        return " "
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)
