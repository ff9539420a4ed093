"""The parts of a page, and JSON values as such parts, whatever is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlcli.core.console import format_figure
from dlcli.report.charts import Chart
from dlcli.report.images import Shot

MAX_TEXT = 300
"""Characters of a value."""
MAX_ITEMS = 24
"""Of a list, and entries of an object of JSON."""
MAX_DEPTH = 4


@dataclass(frozen=True)
class Cell:
    """A value of a table: its text, and whether it is a number."""

    text: str
    is_number: bool = False


@dataclass(frozen=True)
class Span:
    """The bounds of an interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        caption: its heading.
        columns, rows: as texts.
        more: rows that are not shown.
        is_closed: whether it is folded up at first.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    more: int = 0
    is_closed: bool = False


@dataclass(frozen=True)
class Section:
    """A section of a page; every part is optional.

    Attributes:
        title, key: its heading, and its address within the page.
        notes: paragraphs; warnings, with a mark.
        commands: lines to be typed.
        facts: name and value.
        grids, charts, shots: tables, curves and pictures.
        texts: heading and lines of printed samples.
    """

    title: str
    key: str
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()
    commands: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    grids: Sequence[Grid] = ()
    charts: Sequence[Chart] = ()
    shots: Sequence[Shot] = ()
    texts: Sequence[tuple[str, Sequence[str]]] = ()


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        title, subtitle: its headings.
        status: the run's status.
        cards: label, value and note of each headline figure.
        sections: in order.
        made_by: the last line.
    """

    title: str
    subtitle: str
    status: str
    cards: Sequence[tuple[str, str, str]]
    sections: Sequence[Section] = field(default_factory=tuple)
    made_by: str = ""


def grid_of(
    caption: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, most: int = 60, is_closed: bool = False
) -> Grid:
    """Return a table of at most `most` rows."""
    cells = [[cell_of(value) for value in row] for row in rows[:most]]
    return Grid(caption, [shortened(str(name)) for name in columns], cells, max(len(rows) - most, 0), is_closed)


def cell_of(value: object) -> Cell:
    """Return a value as a table shows it."""
    is_number = (isinstance(value, (int, float)) and not isinstance(value, bool)) or isinstance(value, Span)
    return Cell(text_of(value), is_number or value is None)


def text_of(value: object) -> str:
    """Return a JSON value in one line: figures as the command line prints them, lists with commas."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return format_figure(value)
    if isinstance(value, Span):
        return f"{format_figure(value.low)} to {format_figure(value.high)}"
    if isinstance(value, Mapping):
        parts = [f"{name} {text_of(item)}" for name, item in list(value.items())[:MAX_ITEMS]]
        return shortened("; ".join(parts))
    if isinstance(value, (list, tuple)):
        more = ", …" if len(value) > MAX_ITEMS else ""
        return shortened(", ".join(text_of(item) for item in value[:MAX_ITEMS]) + more)
    return shortened(str(value))


def shortened(text: str, most: int = MAX_TEXT) -> str:
    """Return the text, cut after `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def parts_of(value: Mapping[str, Any], prefix: str = "", depth: int = 0) -> tuple[list[tuple[str, str]], list[Grid]]:
    """Return the plain values of an object of JSON as facts, and its lists of objects as tables, folded up.

    Args:
        value: the object.
        prefix: the names that lead to it.
        depth: how many; deeper ones are one line.
    """
    facts: list[tuple[str, str]] = []
    grids: list[Grid] = []
    for name, item in list(value.items())[:MAX_ITEMS]:
        label = f"{prefix}{name.replace('_', ' ')}" if isinstance(name, str) else str(name)
        if isinstance(item, Mapping) and item and depth < MAX_DEPTH:
            inner_facts, inner_grids = parts_of(item, f"{label}: ", depth + 1)
            facts += inner_facts
            grids += inner_grids
        elif isinstance(item, list) and item and all(isinstance(entry, Mapping) and entry for entry in item):
            columns = list(dict.fromkeys(column for entry in item for column in entry))[:12]
            rows = [[entry.get(column) for column in columns] for entry in item]
            grids.append(grid_of(label, columns, rows, most=MAX_ITEMS, is_closed=True))
        elif item not in ([], {}, "", None):
            facts.append((label, text_of(item)))
    return facts, grids
