"""The rows of a table task: splits and loaders."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcli.core.errors import DataError, UsageError, did_you_mean
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card
from dlcli.data.index_files import count_left_out
from dlcli.data.items import Item
from dlcli.data.labels import balanced_weights, indices_in_run
from dlcli.data.loading import ArrayLoader, Batch
from dlcli.data.order import WHOLE, Order, Shard
from dlcli.data.parts import ALL, part
from dlcli.data.tables.form import CATEGORICAL, NUMERIC, SPLITS, TABLE_NAME, TableForm
from dlcli.data.tables.leaks import LEAKS
from dlcli.data.tables.origin import left_out_columns, read_numbers
from dlcli.data.tables.times import row_times
from dlcli.tasks.tables.columns import TableColumns
from dlcli.tasks.tables.learning import fit_rows, learn_columns

EVAL_BATCH = 8192
"""Rows per batch in evaluation: 3 MB with a hundred columns."""


def tensor_loader(tensors: Mapping[str, Tensor], order: Order) -> ArrayLoader:
    """Return a loader of batches of rows of (R, ...) tensors, with `rows`, (N,) int64 row numbers, added."""

    def fetch(indices: np.ndarray, _: Mapping[str, Any]) -> Batch:
        rows = torch.from_numpy(indices)
        return {**{name: tensor.index_select(0, rows) for name, tensor in tensors.items()}, "rows": rows}

    return ArrayLoader(order, fetch)


def table_part(form: TableForm, split: str, train: TrainConfig) -> np.ndarray:
    """Return the row numbers of train, valid or test, (N,) int64.

    The validation part is a seeded part of the training split, stratified if there are classes. A fold is cut from all
    rows, regardless of their prepared split; index files number the rows of the user's file.

    Raises:
        UsageError: the rows are grouped by the target.
        DataError: there is no such split, or no column to group by.
    """

    def labels_of(folder: str) -> np.ndarray:
        labels = form.rows.targets if form.card.classes else np.zeros(form.num_rows, np.int64)
        return labels if folder == ALL else labels[form.split_rows(folder)]

    groups_of = functools.partial(_groups, form)
    numbers_of = functools.partial(read_numbers, form.root, form.card, form.num_rows)
    times_of = functools.partial(row_times, form)
    folder, indices = part(
        split,
        SPLITS,
        train,
        labels_of,
        root=form.root,
        groups_of=groups_of,
        numbers_of=numbers_of,
        times_of=times_of,
    )
    return indices if folder == ALL else form.split_rows(folder)[indices]


def _groups(form: TableForm, name: str) -> np.ndarray:
    """Return one integer per row, (N,), equal for rows with equal values in a column."""
    for kind, values in ((NUMERIC, form.rows.numeric), (CATEGORICAL, form.rows.categories)):
        if name in form.names(kind):
            return np.asarray(np.unique(values[:, form.names(kind).index(name)], return_inverse=True)[1])
    if name == form.target:
        raise UsageError(f"--group {name!r}: this is the column to predict", hint="group by another column")
    others = left_out_columns(form.root, form.card, form.num_rows)
    if name in others:
        return np.asarray(np.unique(others[name], return_inverse=True)[1])
    names = [*(column.name for column in form.columns), *others]
    raise DataError(f"{form.root}: --group: no column {name!r}", hint=did_you_mean(name, names))


class TableSource:
    """A prepared table, encoded by a run's columns.

    Args:
        form: the table.
        columns: the run's columns; None to learn them from the training part, without a column to group by.
        train: the options of the loop.
        num_bins: quantile bins per column, if the columns are learned.
        labels: the run's class names, to which the form's are matched; None for regression.

    Raises:
        DataError: the table lacks a column of the run, or has a class that the run does not.
    """

    def __init__(
        self,
        form: TableForm,
        columns: TableColumns | None,
        train: TrainConfig,
        *,
        num_bins: int = 0,
        labels: tuple[str, ...] | None = None,
    ) -> None:
        self.form = form
        self._train = train
        self.columns = columns or learn_columns(form, self._part("train"), num_bins, left_out=train.group)
        self._arrays = fit_rows(form, self.columns)
        self.targets = _targets(form, labels, self.columns.offset)
        self._tensors = {name: torch.from_numpy(array) for name, array in self._arrays.items()}
        self._tensors["targets" if labels is None else "labels"] = torch.from_numpy(self.targets)

    def notes(self) -> list[str]:
        """Return what the user should know: columns that give the target away, and rows that are in no fold."""
        leaks = [warning for warning in self.form.card.warnings if LEAKS in warning]
        if self._train.splits is None:
            return leaks
        numbers = read_numbers(self.form.root, self.form.card, self.form.num_rows)
        count = count_left_out(Path(self._train.splits), numbers)
        rows = "row that it names was" if count == 1 else "rows that it names were"
        return [f"--splits: {count:,} {rows} left out by `dl prepare`, and are in no fold", *leaks] if count else leaks

    @property
    def card(self) -> Card:
        """The table's card."""
        return self.form.card

    def _part(self, split: str) -> np.ndarray:
        """Return the row numbers of a split; nothing else decides which rows are trained on."""
        return table_part(self.form, split, self._train)

    def loader(
        self,
        split: str,
        *,
        training: bool,
        full_batch: bool = False,
        is_balanced: bool = False,
        shard: Shard = WHOLE,
    ) -> ArrayLoader:
        """Return the loader of a process's share of a split, shuffled if `training`.

        Args:
            split, shard: which rows.
            training: whether they are shuffled.
            full_batch: whether training has one batch for each epoch.
            is_balanced: whether training rows are drawn so that each class is equally frequent.

        Raises:
            DataError: there is no such split.
        """
        rows = self._part(split)
        batch_size = self._train.batch_size if training else EVAL_BATCH
        if training and full_batch:
            batch_size = max(1, -(-len(rows) // shard.size))
        seed, classes = (self._train.seed, self.targets if is_balanced else None) if training else (None, None)
        order = Order(rows, batch_size, seed=seed, shard=shard, classes=classes)
        return tensor_loader(self._tensors, order)

    def num_rows(self, split: str) -> int:
        """Return the number of rows of train, valid or test."""
        return len(self._part(split))

    def class_weights(self, num_classes: int) -> np.ndarray:
        """Return (C,) float32 weights, inverse to the class frequencies in training, with mean 1 over its rows."""
        return balanced_weights(self.targets[self._part("train")], num_classes)

    def some_rows(self, count: int, split: str | None = None) -> dict[str, np.ndarray]:
        """Return the inputs of `count` evenly spaced rows of the table or of a split, with repeats if it is shorter."""
        given = np.arange(self.form.num_rows) if split is None else self._part(split)
        rows = given[np.linspace(0, len(given) - 1, count).astype(int)]
        return {name: array[rows] for name, array in self._arrays.items()}

    def items(self, rows: Sequence[int]) -> list[Item]:
        """Return the rows of the table with these numbers, with what they say and the class or number to predict."""
        form, found = self.form, []
        for row in rows:
            numbers = dict(zip(form.names(NUMERIC), form.rows.numeric[row].tolist(), strict=True))
            places = dict(zip(form.names(CATEGORICAL), form.rows.categories[row].tolist(), strict=True))
            cells = {
                column.name: _cell(numbers[column.name])
                if column.kind == NUMERIC
                else (column.values[places[column.name]] if places[column.name] >= 0 else None)
                for column in form.columns
            }
            target = form.rows.targets[row]
            label = form.card.classes[int(target)] if form.card.classes else f"{float(target):.10g}"
            found.append(Item(f"{TABLE_NAME}:{row + 2}", label, fields=cells))  # line 1 is the header
        return found

    def features_of(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the features, (N, F) float64, and targets, (N,), of a split, for models without typed columns.

        The targets of a regression are counted from the columns' offset, as the network's are.
        Numbers are imputed and standardised; categories are one-hot, all zeros for an unknown one.
        """
        rows = self._part(split)
        parts = []
        for index, column in enumerate(self.columns.numeric):
            values = self._arrays["numeric"][rows, index].astype(np.float64)
            known = np.where(np.isnan(values), column.median - column.offset, values)
            parts.append(((known - (column.mean - column.offset)) / column.std)[:, None])
        for index, category in enumerate(self.columns.categorical):
            places = self._arrays["categories"][rows, index]
            parts.append((places[:, None] == np.arange(1, category.size)).astype(np.float64))
        return np.concatenate(parts, 1), self.targets[rows]


def _cell(value: float) -> float | None:
    return None if np.isnan(value) else value


def _targets(form: TableForm, labels: tuple[str, ...] | None, offset: float) -> np.ndarray:
    """Return the targets of all rows, (R,): float32 numbers counted from the offset, or the run's class indices."""
    if labels is None:
        return np.asarray(form.rows.targets - offset, np.float32)
    to_run = indices_in_run(form.card.classes, labels, form.root)
    return np.asarray(to_run[form.rows.targets])
