"""A user's own table: CSV, TSV or similar, with one column to predict from the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.data.card import Card
from dlcli.data.importing.preparing import Report
from dlcli.data.reading.encodings import require_encoding
from dlcli.data.tables.categories import read_orders
from dlcli.data.tables.form import CLASSIFICATION, REGRESSION
from dlcli.data.tables.rows import TABLE_SUFFIXES, Sheet, read_sheet
from dlcli.data.tables.writer import TableRequest, write_table
from dlcli.datasets.tables.options import TableOptions

_TASKS = {"auto": None, "regression": REGRESSION, "classification": CLASSIFICATION}
_HEADERS = {"auto": None, "yes": True, "no": False}
_MAX_NAMED = 20


class TableImporter:
    """Importer of one table."""

    def __init__(self, options: TableOptions) -> None:
        self.options = options

    def locate(self, source: Path | None) -> list[Path]:
        """Return the file; `source` may also be a folder with exactly one table.

        Raises:
            DataError: there is no such file, or the folder holds no table or several.
        """
        assert source is not None
        if not source.is_dir():
            if not source.exists():
                raise DataError(
                    f"{source}: no such file", hint="SOURCE is a CSV, TSV or Excel file, or a folder with one"
                )
            return [source]
        found = sorted(path for path in source.iterdir() if path.suffix.lower() in TABLE_SUFFIXES)
        if len(found) != 1:
            raise DataError(
                f"{source}: {len(found)} tables in this folder",
                details=[", ".join(path.name for path in found[:5])] if found else [],
                hint=f"name the file, as in {source / (found[0].name if found else 'FILE.csv')}",
            )
        return found

    def space_needed(self, files: list[Path]) -> int:
        """Return roughly how many bytes the table takes, as text and as numbers."""
        return 4 * files[0].stat().st_size

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Write the table form and return the card.

        Raises:
            DataError: no target is named, or more than `max_bad` rows cannot be read.
        """
        [path] = files
        options = self.options
        delimiter = None if options.delimiter == "auto" else options.delimiter
        encoding = require_encoding(path, options.encoding)
        sheet = read_sheet(path, delimiter=delimiter, header=_HEADERS[options.header], encoding=encoding)
        header = "a header" if sheet.has_header else "no header"
        report(
            f"{path}: {sheet.encoding.name}, {sheet.delimiter}, {header}, {len(sheet.rows):,} rows of "
            f"{len(sheet.names)} columns"
        )
        if options.target is None:
            raise DataError(
                f"{path}: which column should be predicted?",
                details=[f"columns: {', '.join(sheet.names[:20])}"],
                hint=f"for example --target {sheet.names[-1]!r}",
            )
        notes = [*sheet.notes, *self._refuse_broken(sheet, path)]
        request = TableRequest(
            options.target,
            _TASKS[options.task],
            dict.fromkeys(options.drop, "requested with --drop"),
            options.categorical,
            options.keep,
            options.test_fraction,
            options.seed,
            read_orders(options.ordered),
        )
        card = write_table(sheet, request, folder, path.stem, str(path))
        details = {**card.details, "reading": sheet.reading.to_json()}
        return replace(card, details=details, warnings=(*notes, *card.warnings))

    def _refuse_broken(self, sheet: Sheet, path: Path) -> list[str]:
        """Return the note on skipped rows, if any.

        Raises:
            DataError: there are more than `max_bad` of them, or no others.
        """
        if not sheet.broken:
            return []
        line, reason = sheet.broken[0]
        first = f"first: line {line}: {reason}"
        if len(sheet.broken) > self.options.max_bad or not sheet.rows:
            limit = f", more than --max-bad {self.options.max_bad}" if sheet.rows else ", and no others are left"
            raise DataError(
                f"{path}: {len(sheet.broken):,} rows cannot be read{limit}",
                details=[first],
                hint="correct them, set --delimiter, or allow more with --max-bad",
            )
        lines = ", ".join(str(line) for line, _ in sheet.broken[:_MAX_NAMED])
        return [f"{len(sheet.broken):,} rows were skipped: line {lines} ({first})"]
