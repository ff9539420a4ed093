"""The original data, and the prepared form that it becomes: `train.csv` and `test.csv` with the columns a, b, c."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dl_toy.options import ToyDataOptions
from dlcli.core.errors import DataError
from dlcli.core.findings import OK, Finding
from dlcli.data.card import Card
from dlcli.data.importing.preparing import Report

SIZES = {"train": 200, "test": 50}


class ToyImporter:
    """See `dlcli.data.importing.preparing.Importer`."""

    def __init__(self, options: ToyDataOptions) -> None:
        self.options = options

    def locate(self, source: Path | None) -> list[Path]:
        """Return no files: the data is made here."""
        if source is not None:
            raise DataError(f"toy-data takes no SOURCE ({source})", hint="dl prepare toy-data")
        return []

    def space_needed(self, files: list[Path]) -> int:
        """Return about how many bytes the form takes."""
        del files
        return 60 * sum(SIZES.values())

    def write(self, files: list[Path], folder: Path, report: Report) -> Card:
        """Write the form and return its card; command, version and sources are added to it."""
        del files, report
        random = np.random.default_rng(0)
        for split, count in SIZES.items():
            pairs = random.uniform(-1, 1, (count, 2))
            third = pairs @ [3.0, -2.0] + 1.0 + random.normal(0, self.options.noise, count)
            rows = np.column_stack([pairs, third])
            np.savetxt(folder / f"{split}.csv", rows, delimiter=",", header="a,b,c", comments="", fmt="%.6f")
        return Card("numbers", "toy-data", (), {}, items=SIZES)


def read_numbers(folder: Path, split: str = "train") -> np.ndarray:
    """Return a split as (N, 3) float32: a, b, c.

    Raises:
        DataError: the file is missing or holds anything but three numbers a row.
    """
    path = folder / f"{split}.csv"
    try:
        rows = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2, dtype=np.float32)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {error}", hint="prepare it with `dl prepare toy-data`") from None
    if rows.shape[1:] != (3,) or not np.isfinite(rows).all():
        raise DataError(f"{path}: not three numbers a row")
    return rows


def examine_numbers(folder: Path) -> Iterator[Finding]:
    """Yield how many rows each split has and how far its third numbers reach, for `dl doctor`."""
    for split in SIZES:
        rows = read_numbers(folder, split)
        yield Finding(split, OK, f"{len(rows)} rows, c from {rows[:, 2].min():.2f} to {rows[:, 2].max():.2f}")
