"""Columns of texts: whether they are names of rows rather than categories, and whether the categories have an order.

Ordered categories become the numbers 0, 1, 2, ... Nothing is lost by that: the network also sees which of the few
values of a column a number has passed (its bins), so it can learn any function of them. Torch-free.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dlcli.core.console import shorten
from dlcli.core.errors import DataError, UsageError
from dlcli.data.tables.form import NUMERIC, Column
from dlcli.data.tables.numbers import Notation
from dlcli.data.tables.rows import Sheet

SCALES: Sequence[tuple[str, ...]] = (
    ("very low", "low", "medium", "high", "very high"),
    ("very low", "low", "moderate", "high", "very high"),
    ("very small", "small", "medium", "large", "very large"),
    ("xxs", "xs", "s", "m", "l", "xl", "xxl", "xxxl"),
    ("never", "rarely", "sometimes", "often", "always"),
    ("strongly disagree", "disagree", "neutral", "agree", "strongly agree"),
    ("very dissatisfied", "dissatisfied", "neutral", "satisfied", "very satisfied"),
    ("very bad", "bad", "average", "good", "very good", "excellent"),
    ("very poor", "poor", "fair", "good", "very good", "excellent"),
    ("mild", "moderate", "severe", "critical"),
    ("beginner", "intermediate", "advanced", "expert"),
    ("primary", "secondary", "tertiary"),
    ("infant", "child", "teenager", "adult", "senior"),
    ("极低", "低", "中", "高", "极高"),
    ("小", "中", "大"),
    ("差", "中", "良", "优"),
    ("小学", "初中", "高中", "大专", "本科", "硕士", "博士"),
)
"""Words in their order, in lower case."""

_MIN_ROWS_TO_TELL = 20  # with fewer rows, all values may differ by chance
_DISTINCT_TEXTS = 0.9  # a text column with a larger fraction of distinct values holds names or free text
_SINGLE_TEXTS = 0.5  # and so does one where a larger fraction of the rows has a text that no other row has
_FEWEST = 3  # of two words either order is the same to a network
_MOST = 100


def known_order(values: Iterable[str]) -> tuple[str, ...]:
    """Return the values, in lower case and in order, if all of them are words of one scale; else ().

    At least three must differ: two are the same to a network in either order.
    """
    found = {value.casefold() for value in values}
    if len(found) < _FEWEST:
        return ()
    scale = next((scale for scale in SCALES if found <= set(scale)), ())
    return tuple(word for word in scale if word in found)


def read_orders(texts: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the order of each column's values, in lower case, from texts such as `size=S,M,L`.

    Raises:
        UsageError: a text is none, or states a value or a column twice.
    """
    orders: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, _, rest = text.partition("=")
        words = tuple(word.strip().casefold() for word in rest.split(","))
        is_order = bool(name) and 2 <= len(words) <= _MOST and all(words) and len(set(words)) == len(words)
        if not is_order or name in orders:
            raise UsageError(
                f"--ordered {shorten(text, 100)!r} states no order of a column's values, or states one twice",
                hint="write --ordered size=small,medium,large, once for each column",
            )
        orders[name] = words
    return orders


def settle_order(name: str, sheet: Sheet, order: Sequence[str], where: str) -> Column:
    """Return a column of ordered categories.

    Raises:
        DataError: a cell is none of them.
    """
    notation = Notation(words=tuple(order))
    cells = sheet.column(name)
    odd = next((place for place, cell in enumerate(cells) if notation.number(cell) is None), None)
    if odd is not None:
        raise DataError(
            f"{where}: line {sheet.lines[odd]}: {name} is {shorten(cells[odd], 60)!r}, not {notation.described}",
            hint=f"name it in --ordered {name}=..., or correct the cell",
        )
    return Column(name, NUMERIC, notation=notation)


def are_names(cells: Sequence[str]) -> bool:
    """Return whether texts are names of rows rather than categories: nearly all differ, or most occur only once.

    The share of rows whose text occurs only once is an estimate of how many new rows have a text that training has not
    seen (Good 1953, Biometrika 40): of 398 cars, 305 names differ and 249 occur once.
    """
    counts = Counter(cells)
    num_single = sum(count == 1 for count in counts.values())
    is_varied = len(counts) > _DISTINCT_TEXTS * len(cells) or num_single > _SINGLE_TEXTS * len(cells)
    return is_varied and len(cells) >= _MIN_ROWS_TO_TELL
