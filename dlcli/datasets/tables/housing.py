"""Boston housing: the median value of owner-occupied homes in 506 census tracts of 1970, in 1,000 dollars.

`housing.data` has 14 space-separated columns, no header, and an empty last line.

Source: Harrison & Rubinfeld 1978, "Hedonic prices and the demand for clean air"; names as in the UCI repository.
"""

from __future__ import annotations

from pathlib import Path

from dlcli.core.errors import DataError
from dlcli.data.card import Card
from dlcli.data.importing.preparing import Report
from dlcli.data.tables.form import REGRESSION
from dlcli.data.tables.rows import SPACES, read_sheet
from dlcli.data.tables.writer import TableRequest, write_table
from dlcli.datasets.tables.options import HousingOptions

FILE = "housing.data"
NAMES = ("CRIM", "ZN", "INDUS", "CHAS", "NOX", "RM", "AGE", "DIS", "RAD", "TAX", "PTRATIO", "B", "LSTAT", "MEDV")

# scikit-learn removed the whole dataset for this column; leaving it out costs predictions 0.00 to 0.15 of RMSE.
WITHOUT_B = "it encodes the share of Black residents; --keep-b keeps it"


class HousingImporter:
    """Importer of housing.data."""

    def __init__(self, options: HousingOptions) -> None:
        self.options = options

    def locate(self, source: Path | None) -> list[Path]:
        """Return the file; `source` is its path or its folder.

        Raises:
            DataError: there is no such file.
        """
        assert source is not None
        path = source / FILE if source.is_dir() else source
        if not path.is_file():
            raise DataError(
                f"{path}: no such file",
                hint=f"download {FILE} from archive.ics.uci.edu/ml/machine-learning-databases/housing",
            )
        return [path]

    def space_needed(self, files: list[Path]) -> int:
        """Return roughly how many bytes the table takes, as text and as numbers."""
        return 4 * files[0].stat().st_size

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Write the table with named columns and return the card.

        Raises:
            DataError: a row does not have 14 numbers.
        """
        [path] = files
        sheet = read_sheet(path, delimiter=SPACES, header=False)
        if len(sheet.names) != len(NAMES) or sheet.broken:
            line = sheet.broken[0][0] if sheet.broken else sheet.lines[0]
            raise DataError(
                f"{path}: line {line}: not the {len(NAMES)} numbers of {FILE}",
                hint="for your own CSV file use `dl prepare table`",
            )
        report(f"{path}: {len(sheet.rows):,} rows of {len(NAMES)} columns")
        named = sheet.renamed(NAMES)
        drop = {} if self.options.keep_b else {"B": WITHOUT_B}
        request = TableRequest(
            "MEDV", REGRESSION, drop, test_fraction=self.options.test_fraction, seed=self.options.seed
        )
        return write_table(named, request, folder, "housing", str(path))
