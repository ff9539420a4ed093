"""Rows of tables from a program: JSON objects of cells, or the content of a CSV file. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlcli.data.codec import ROW, Source
from dlcli.tasks.tables.columns import CategoricalColumn, TableColumns
from dlcli.tasks.tables.inputs import Row, RowReader

MAX_LISTED = 1000
"""Categories of a column that its schema lists; it says nothing of those of a column with more."""

Cell = str | int | float | bool | None


class RowValues:
    """Rows from a program; see `dlcli.data.codec.Values`.

    Args:
        columns: the columns that the network reads.
        reader: reads the rows of a document.
    """

    kind = ROW

    def __init__(self, columns: TableColumns, reader: RowReader) -> None:
        self._reader = reader
        self._columns = columns
        self._notations = {column.name: column.notation for column in columns.numeric}
        self._categories = {column.name: frozenset(column.categories) for column in columns.categorical}

    def schema(self) -> dict[str, Any]:
        """Return the schema of a row: an object with a cell for each column; null is a missing value.

        A category that never occurred in the training data is answered too, with a note.
        """
        properties: dict[str, Any] = {
            column.name: {"type": ["number", "string", "null"], "description": column.notation.described}
            for column in self._columns.numeric
        }
        properties |= {column.name: _schema_of(column) for column in self._columns.categorical}
        return {"type": "object", "properties": properties, "required": list(self._columns.names)}

    def source(self, name: str, value: Any) -> Source:
        """Return a row as a source."""
        if not isinstance(value, Mapping):
            return Source(name, Row(fault="not an object with a cell for each column"))
        wrong = [column for column, cell in value.items() if not isinstance(cell, Cell)]
        if wrong:
            return Source(name, Row(fault=f"{wrong[0][:40]} is no cell: a number, a text, true, false or null"))
        return Source(name, self._reader.row_of_cells({column: self._text(column, value[column]) for column in value}))

    def _text(self, column: str, cell: Cell) -> str:
        """Return a cell as a file would have it: a number in the column's notation, a category as it is spelled there.

        1.0 is the category 1 where there is no category 1.0.
        """
        if cell is None:
            return ""
        if column in self._notations and isinstance(cell, int | float) and not isinstance(cell, bool):
            return self._notations[column].written(cell)
        spellings = [str(cell)]
        if isinstance(cell, bool):
            spellings.append(str(cell).lower())
        elif isinstance(cell, float) and cell.is_integer():
            spellings.append(str(int(cell)))
        elif isinstance(cell, int):
            spellings.append(f"{cell}.0")
        known = self._categories.get(column, frozenset())
        return next((text for text in spellings if text in known), spellings[0].strip())

    def sources_of_file(self, name: str, data: bytes, most: int | None = None) -> list[Source]:
        """Return the rows of a CSV file, named by their lines."""
        return self._reader.rows_of_document(name, data, most)


def _schema_of(column: CategoricalColumn) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": ["string", "number", "boolean", "null"]}
    if len(column.categories) <= MAX_LISTED:
        schema["examples"] = list(column.categories)
    return schema
