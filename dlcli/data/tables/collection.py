"""The rows of a table as a collection of items to be compared: near-duplicates are rows that are equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlcli.data.collection import Collection, Pairs, pairs_of_equals
from dlcli.data.items import Item
from dlcli.data.tables.form import CATEGORICAL, NUMERIC, SPLITS, TableForm, open_table


def collect_table(folder: Path) -> Collection:
    """Return the rows of a prepared table, in its order; see `FormSpec.collection`.

    Raises:
        DataError: the folder holds no table, or it does not match its card.
    """
    form = open_table(folder)
    labels = np.unique(form.rows.targets, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return Collection(
        SPLITS, form.rows.is_test.astype(np.int64), labels, lambda number: _item(form, number), lambda: _equal(form)
    )


def _item(form: TableForm, number: int) -> Item:
    target = form.rows.targets[number]
    fields: dict[str, Any] = {}
    for name, value in zip(form.names(NUMERIC), form.rows.numeric[number].tolist(), strict=True):
        fields[name] = None if np.isnan(value) else value
    values = [column.values for column in form.columns if column.kind == CATEGORICAL]
    cells = zip(form.names(CATEGORICAL), values, form.rows.categories[number].tolist(), strict=True)
    fields |= {name: known[place] if place >= 0 else None for name, known, place in cells}
    label = form.card.classes[int(target)] if form.card.classes else f"{target:g}"
    split = SPLITS[int(form.rows.is_test[number])]
    return Item(
        f"{split} row {number + 1}", label, fields={column.name: fields[column.name] for column in form.columns}
    )


def _equal(form: TableForm) -> Pairs:
    """Return the pairs of rows with equal cells in every column but the one to predict; gaps are equal."""
    numeric = np.nan_to_num(form.rows.numeric, nan=0.0) + 0.0  # -0.0 becomes 0.0
    parts = [numeric.view(np.int64), np.isnan(form.rows.numeric).astype(np.int64), form.rows.categories]
    rows = np.concatenate(parts, axis=1)
    first, second = pairs_of_equals(np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1))
    return Pairs(first, second, np.ones(len(first)))
