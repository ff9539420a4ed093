"""A table: rows for people to read, entries for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """One list in two forms.

    Attributes:
        name: the key of the list of entries in a JSON document.
        columns: the column headings.
        rows: the printed rows; there may be fewer than entries, and their texts may be shortened.
        entries: all entries in full, for JSON.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    entries: Sequence[Mapping[str, Any]]

    def texts(self) -> Iterator[str]:
        """Yield every string in the rows."""
        return (value for row in self.rows for value in row if isinstance(value, str))


def table_of_entries(name: str, entries: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table whose rows are the values of its entries, under the first entry's keys."""
    columns = list(entries[0]) if entries else []
    return Table(name, columns, [[entry[column] for column in columns] for entry in entries], entries)
