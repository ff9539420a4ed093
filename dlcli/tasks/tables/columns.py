"""The statistics of a table's columns, learned from the training rows and stored in runs and exports. Torch-free.

Medians, means, deviations, bins and categories come from the training part alone, so nothing leaks from the validation
and test rows into the network's input.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from dlcli.core.errors import DataError, RunError
from dlcli.data.tables.numbers import PLAIN, Notation
from dlcli.data.tables.precision import LARGEST
from dlcli.data.tables.rows import Reading, is_missing

UNKNOWN = 0
"""The index of a category that is not in the training part."""

_MAX_COLUMNS, _MAX_CATEGORIES = 100_000, 10_000_000  # in a run's file; more means damage


@dataclass(frozen=True)
class NumericColumn:
    """A column of numbers.

    Attributes:
        name: its name in the header.
        median: replaces a missing value.
        mean, std: mean and standard deviation of the known values; std > 0.
        edges: increasing edges of the quantile bins, counted from `offset`; () for none.
        offset: what is subtracted in float64 before a value becomes the network's float32.
        notation: how the numbers are written.
        quartile_range: the distance between the quartiles; None if it is zero, or the run is of an earlier version.
    """

    name: str
    median: float
    mean: float
    std: float
    edges: tuple[float, ...]
    offset: float = 0.0
    notation: Notation = PLAIN
    quartile_range: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value stored in a run."""
        return {**vars(self), "edges": list(self.edges), "notation": self.notation.to_json()}


@dataclass(frozen=True)
class CategoricalColumn:
    """A column of categories.

    Attributes:
        name: its name in the header.
        categories: the categories of the training part, sorted; their indices start at 1.
        has_missing: whether a missing value is a separate category, the last; else it is unknown.
    """

    name: str
    categories: tuple[str, ...]
    has_missing: bool

    @property
    def size(self) -> int:
        """The number of indices, including that of the unknown category."""
        return 1 + len(self.categories) + self.has_missing

    @property
    def missing(self) -> int:
        """The index of a missing value."""
        return self.size - 1 if self.has_missing else UNKNOWN


@dataclass(frozen=True)
class TableColumns:
    """The columns that a network reads, and the one that it predicts.

    Attributes:
        numeric, categorical: the columns in the order of the network's inputs.
        target: the name of the predicted column.
        mean, std, lowest, highest: statistics of the target in the training part; 0, 1, 0 and 0 for classes.
        offset: what is subtracted from the target in float64, and added to the network's predictions.
        reading: how the table was read; None for tables prepared by version 0.1.
    """

    numeric: tuple[NumericColumn, ...]
    categorical: tuple[CategoricalColumn, ...]
    target: str
    mean: float = 0.0
    std: float = 1.0
    lowest: float = 0.0
    highest: float = 0.0
    offset: float = 0.0
    reading: Reading | None = None

    @property
    def offsets(self) -> np.ndarray:
        """The offsets of the numeric columns, (numeric columns,) float64."""
        return np.array([column.offset for column in self.numeric], np.float64)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns that the network reads."""
        return (*(column.name for column in self.numeric), *(column.name for column in self.categorical))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the network's inputs, one for each kind of column in the table."""
        kinds = (("numeric", len(self.numeric)), ("categories", len(self.categorical)))
        return tuple(name for name, count in kinds if count)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value stored in a run."""
        return {
            "numeric": [column.to_json() for column in self.numeric],
            "categorical": [{**vars(column), "categories": list(column.categories)} for column in self.categorical],
            "target": {
                "name": self.target,
                **{name: vars(self)[name] for name in ("mean", "std", "lowest", "highest", "offset")},
            },
            "standardise": "inside the network",
            **({"reading": self.reading.to_json()} if self.reading is not None else {}),
        }

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return the columns from the JSON value stored in a run.

        Raises:
            RunError: a value is missing or impossible.
        """
        try:
            target = value["target"]
            columns = cls(
                tuple(_numeric_of(entry) for entry in value["numeric"]),
                tuple(_categorical_of(entry) for entry in value["categorical"]),
                str(target["name"]),
                _finite(target["mean"]),
                _positive(target["std"]),
                _finite(target["lowest"]),
                _finite(target["highest"]),
                _finite(target.get("offset", 0.0)),
                Reading.from_json(value.get("reading")),
            )
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise RunError(f"the columns that came with the model are damaged: {error}") from None
        if columns.lowest > columns.highest:
            raise RunError("the columns that came with the model are damaged: the target's range is empty")
        if not 0 < len(columns.names) <= _MAX_COLUMNS or len(set(columns.names)) < len(columns.names):
            raise RunError("the columns that came with the model are damaged: none, too many, or two of one name")
        return columns

    def encode(self, cells: Mapping[str, str]) -> tuple[dict[str, np.ndarray], list[str]]:
        """Return the network's inputs for one row, and notes on missing and unknown values.

        Args:
            cells: the row's cells by column name.

        Returns:
            `numeric`, (numeric columns,) float32, and `categories`, (categorical columns,) int64, without an empty one;
            and the notes.

        Raises:
            DataError: a cell of a numeric column is not a number, or is not written as in the training data.
        """
        notes: list[str] = []
        numbers = [_number_of(column, cells[column.name], notes) for column in self.numeric]
        places = [_place_of(column, cells[column.name], notes) for column in self.categorical]
        arrays: dict[str, np.ndarray] = {
            "numeric": (np.array(numbers, np.float64) - self.offsets).astype(np.float32),
            "categories": np.array(places, np.int64),
        }
        return {name: arrays[name] for name in self.inputs}, notes


def _number_of(column: NumericColumn, cell: str, notes: list[str]) -> float:
    number = column.notation.number(cell)
    if number is None or abs(number) > LARGEST:
        raise DataError(f"{column.name} is {cell[:40]!r}, not {column.notation.described}")
    if math.isnan(number):
        notes.append(f"{column.name} is missing; the training median {column.median:g} stands in")
    return number


def _place_of(column: CategoricalColumn, cell: str, notes: list[str]) -> int:
    if is_missing(cell):
        if not column.has_missing:
            notes.append(f"{column.name} is missing, which never occurs in the training data")
        return column.missing
    try:
        return 1 + column.categories.index(cell)
    except ValueError:
        notes.append(f"{column.name} is {cell[:40]!r}, which never occurs in the training data")
        return UNKNOWN


def _numeric_of(entry: Mapping[str, Any]) -> NumericColumn:
    edges = tuple(_finite(edge) for edge in entry["edges"])
    if any(high <= low for low, high in itertools.pairwise(edges)):
        raise ValueError("the bin edges do not increase")
    return NumericColumn(
        str(entry["name"]),
        _finite(entry["median"]),
        _finite(entry["mean"]),
        _positive(entry["std"]),
        edges,
        _finite(entry.get("offset", 0.0)),
        Notation.from_json(entry.get("notation")),
        _positive(entry["quartile_range"]) if entry.get("quartile_range") is not None else None,
    )


def _categorical_of(entry: Mapping[str, Any]) -> CategoricalColumn:
    categories = tuple(map(str, entry["categories"]))
    if len(set(categories)) < len(categories) or len(categories) > _MAX_CATEGORIES:
        raise ValueError("a category is duplicated, or there are too many")
    return CategoricalColumn(str(entry["name"]), categories, bool(entry["has_missing"]))


def _finite(value: Any) -> float:
    number = float(value)
    if not abs(number) <= LARGEST:
        raise ValueError(f"{value!r} is not a finite number")
    return number


def _positive(value: Any) -> float:
    number = _finite(value)
    if number <= 0:
        raise ValueError(f"{value!r} is not a standard deviation")
    return number
