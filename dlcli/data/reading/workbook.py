"""Excel workbooks (.xlsx) as CSV."""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dlcli.core.csv_writer import csv_writer
from dlcli.core.errors import DataError
from dlcli.core.installing import extra

MAX_UNPACKED = 2**31
"""Bytes that the parts of a workbook may take: one that promises more would fill the memory."""


def workbook_as_csv(path: Path) -> bytes:
    """Return the rows of a workbook's only sheet with content as CSV in UTF-8.

    Whole numbers are written without a point, dates in ISO format, and errors such as #N/A as they are shown; empty
    rows and columns behind the last value are left out.

    Raises:
        DataError: openpyxl is not installed, the workbook is damaged, or several sheets have content.
    """
    try:
        import openpyxl
    except ImportError:
        raise DataError(
            f"{path}: is an Excel workbook, and openpyxl, which reads it, is not installed",
            hint=f"{extra('excel')}; or save the sheet as CSV",
        ) from None
    try:
        with zipfile.ZipFile(path) as archive:
            num_bytes = sum(entry.file_size for entry in archive.infolist())
        if num_bytes > MAX_UNPACKED:
            raise DataError(f"{path}: is an Excel workbook of {num_bytes:,} bytes", hint="save the sheet as CSV")
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # programs that stream a sheet state them before they know them
        sheets = {sheet.title: _rows(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}
    except DataError:
        raise
    except Exception as error:  # openpyxl raises whatever its parsers do
        reason = " ".join(str(error).split())[:100]
        raise DataError(f"{path}: is a damaged Excel workbook: {reason}", hint="save the sheet as CSV") from None
    filled = [title for title, rows in sheets.items() if rows]
    if len(filled) != 1:
        shown = ", ".join(map(repr, filled[:5])) + (", ..." if len(filled) > 5 else "")
        raise DataError(
            f"{path}: is an Excel workbook in which {len(filled)} sheets have content",
            details=[f"found: {shown}"[:200]] if filled else [],
            hint="save the sheet that you mean as CSV",
        )
    text = io.StringIO()
    csv_writer(text).writerows(sheets[filled[0]])
    return text.getvalue().encode()


def _rows(values: Iterable[tuple[Any, ...]]) -> list[list[str]]:
    rows = [[_text(value) for value in row] for row in values]
    while rows and not any(rows[-1]):
        rows.pop()
    width = max((index + 1 for row in rows for index, cell in enumerate(row) if cell), default=0)
    return [(row + [""] * width)[:width] for row in rows]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat(" ") if isinstance(value, datetime.datetime) else value.isoformat()
    return str(value)
