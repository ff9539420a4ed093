"""What a run learns about its columns from the rows that train, and tables in the terms of a run. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dlcli.core.errors import DataError
from dlcli.data.tables.form import CATEGORICAL, NUMERIC, TableForm
from dlcli.data.tables.numbers import Notation
from dlcli.data.tables.precision import offset_of, refuse_extremes
from dlcli.data.tables.rows import Reading
from dlcli.tasks.tables.columns import UNKNOWN, CategoricalColumn, NumericColumn, TableColumns


def learn_columns(form: TableForm, rows: np.ndarray, num_bins: int, left_out: str | None = None) -> TableColumns:
    """Return the columns of a table, with statistics of the given rows.

    Args:
        form: the table.
        rows: (N,) integers, the numbers of the training rows.
        num_bins: quantile bins per column; columns with fewer distinct values have fewer.
        left_out: a column that the network does not read; None to read all.

    Raises:
        DataError: there are no rows, no columns, or a number is too large for the network.
    """
    if not len(rows):
        raise DataError(f"{form.root}: no rows are left to train on", hint="lower --val-fraction or add data")
    notations = {column.name: column.notation for column in form.columns}
    numeric = [
        _learn_numbers(name, form.rows.numeric[rows, index], num_bins, form, notations)
        for index, name in enumerate(form.names(NUMERIC))
        if name != left_out
    ]
    values = {column.name: column.values for column in form.columns}
    categorical = [
        _learn_categories(name, form.rows.categories[rows, index], values[name])
        for index, name in enumerate(form.names(CATEGORICAL))
        if name != left_out
    ]
    if not numeric and not categorical:
        raise DataError(
            f"{form.root}: no column is left to predict {form.target!r} from",
            hint=f"group by another column than {left_out!r}",
        )
    reading = Reading.from_json(form.card.details.get("reading"))
    found = TableColumns(tuple(numeric), tuple(categorical), form.target, reading=reading)
    if form.card.classes:
        return found
    targets = form.rows.targets[rows]
    refuse_extremes(targets, form.target, str(form.root))
    offset = offset_of(targets)
    return replace(
        found,
        mean=float(targets.mean()),
        std=_deviation(targets - offset),
        lowest=float(targets.min()),
        highest=float(targets.max()),
        offset=offset,
    )


def _learn_numbers(
    name: str, values: np.ndarray, num_bins: int, form: TableForm, notations: Mapping[str, Notation]
) -> NumericColumn:
    known = values[~np.isnan(values)]
    if not len(known):
        return NumericColumn(name, 0.0, 0.0, 1.0, (), notation=notations[name])
    refuse_extremes(known, name, str(form.root))
    offset = offset_of(known)
    centred = known - offset
    # Rounded to the network's float32, so that no bin is empty there. Where all values fit, a bin ends at each of them:
    # the network can then learn any function of them, as of categories, and the number keeps its order.
    distinct = np.unique(centred)
    are_few = len(distinct) <= num_bins + 1
    quantiles = distinct if are_few else np.quantile(centred, np.linspace(0, 1, num_bins + 1))
    quantiles = quantiles if num_bins else centred[:0]
    edges = np.unique(quantiles.astype(np.float32))
    return NumericColumn(
        name,
        float(np.median(known)),
        float(known.mean()),
        _deviation(centred),
        tuple(float(edge) for edge in edges) if len(edges) > 1 else (),
        offset,
        notations[name],
        _quartile_range(centred),
    )


def _quartile_range(values: np.ndarray) -> float | None:
    """Return the distance between the quartiles, or None if they are equal up to rounding."""
    low, high = np.quantile(values, (0.25, 0.75))
    return float(high - low) if high - low > 1e-7 * max(1e-30, float(np.abs(values).max())) else None


def _deviation(values: np.ndarray) -> float:
    """Return the standard deviation, or 1 if all values are equal up to rounding."""
    std = float(values.std())
    return std if std > 1e-7 * max(1e-30, float(np.abs(values).max())) else 1.0


def _learn_categories(name: str, places: np.ndarray, values: Sequence[str]) -> CategoricalColumn:
    seen = np.unique(places)
    return CategoricalColumn(
        name, tuple(values[place] for place in seen.tolist() if place >= 0), bool((seen < 0).any())
    )


def fit_rows(form: TableForm, columns: TableColumns) -> dict[str, np.ndarray]:
    """Return the network's inputs for all R rows of a table, its columns matched to the run's by name.

    Returns:
        `numeric`, (R, numeric columns) float32, and `categories`, (R, categorical columns) int64, without an empty one.

    Raises:
        DataError: a column is missing, or holds values of the other kind.
    """
    kinds = {column.name: column.kind for column in form.columns}
    for index, name in enumerate(columns.names):
        kind = NUMERIC if index < len(columns.numeric) else CATEGORICAL
        if kinds.get(name) != kind:
            found = f"is {kinds[name]}" if name in kinds else "is missing"
            raise DataError(
                f"{form.root}: the run reads the {kind} column {name!r}; in this data it {found}",
                hint="prepare the data with the columns that the run was trained on",
            )
    numeric = [form.names(NUMERIC).index(column.name) for column in columns.numeric]
    names, values = form.names(CATEGORICAL), {column.name: column.values for column in form.columns}
    places = [
        _translated(form.rows.categories[:, names.index(column.name)], values[column.name], column)
        for column in columns.categorical
    ]
    arrays = {
        "numeric": (form.rows.numeric[:, numeric] - columns.offsets).astype(np.float32),
        "categories": np.stack(places, 1) if places else np.empty((form.num_rows, 0), np.int64),
    }
    return {name: arrays[name] for name in columns.inputs}


def _translated(places: np.ndarray, values: Sequence[str], column: CategoricalColumn) -> np.ndarray:
    """Return the run's category indices for a table's."""
    known = {category: index for index, category in enumerate(column.categories, 1)}
    # The last entry is the one that -1, a missing value, selects.
    table = np.array([*(known.get(value, UNKNOWN) for value in values), column.missing], np.int64)
    return np.asarray(table[places])
