"""The rows of a table task: which belong to which part, and batches of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcli.core.errors import DataError, did_you_mean
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card
from dlcli.data.labels import balanced_weights, indices_in_run
from dlcli.data.loading import ArrayLoader, Batch
from dlcli.data.order import WHOLE, Order, Shard
from dlcli.data.parts import ALL, part
from dlcli.data.tables.form import CATEGORICAL, NUMERIC, SPLITS, TableForm
from dlcli.tasks.tables.columns import TableColumns, fit_rows, learn_columns

EVAL_BATCH = 8192
"""Rows a batch in evaluation: a megabyte of a hundred columns."""


def tensor_loader(tensors: Mapping[str, Tensor], order: Order) -> ArrayLoader:
    """Return batches of rows of these tensors, and `rows`, (N,) int64 row numbers of the table."""

    def fetch(indices: np.ndarray, _: Mapping[str, Any]) -> Batch:
        rows = torch.from_numpy(indices)
        return {**{name: tensor.index_select(0, rows) for name, tensor in tensors.items()}, "rows": rows}

    return ArrayLoader(order, fetch)


def table_part(form: TableForm, split: str, train: TrainConfig) -> np.ndarray:
    """Return the row numbers of train, valid or test, (n,) int64.

    The validation part is a seeded part of the training split, stratified where there are classes. A fold is cut from
    all rows, whatever split they were prepared in.

    Raises:
        DataError: there is no such split, or no column to group by.
    """

    def labels_of(folder: str) -> np.ndarray:
        labels = form.rows.targets if form.card.classes else np.zeros(form.num_rows, np.int64)
        return labels if folder == ALL else labels[form.split_rows(folder)]

    groups_of = functools.partial(_groups, form)
    folder, indices = part(split, SPLITS, train, labels_of, root=form.root, groups_of=groups_of)
    return indices if folder == ALL else form.split_rows(folder)[indices]


def _groups(form: TableForm, name: str) -> np.ndarray:
    """Return (N,) integers, equal where the rows have equal values in a column."""
    for kind, values in ((NUMERIC, form.rows.numeric), (CATEGORICAL, form.rows.categories)):
        if name in form.names(kind):
            return np.asarray(np.unique(values[:, form.names(kind).index(name)], return_inverse=True)[1])
    names = [column.name for column in form.columns]
    raise DataError(f"{form.root}: --group: no column {name!r}", hint=did_you_mean(name, names))


class TableSource:
    """A prepared table under the columns of a run.

    Args:
        form: the table.
        columns: the run's; None to learn them from the part that trains.
        train: the loop's options.
        num_bins: for the learning.
        labels: the run's class names, which the form's are matched to; None for numbers.

    Raises:
        DataError: the table does not have the run's columns, or has a class that the run does not know.
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
        self.columns = columns or learn_columns(form, self._part("train"), num_bins)
        self._arrays = fit_rows(form, self.columns)
        self.targets = _targets(form, labels)
        self._tensors = {name: torch.from_numpy(array) for name, array in self._arrays.items()}
        self._tensors["targets" if labels is None else "labels"] = torch.from_numpy(self.targets)

    @property
    def card(self) -> Card:
        """The table's card."""
        return self.form.card

    def _part(self, split: str) -> np.ndarray:
        """Return the row numbers of a split: the one place that says which rows train and which do not."""
        return table_part(self.form, split, self._train)

    def loader(self, split: str, *, training: bool, full_batch: bool = False, shard: Shard = WHOLE) -> ArrayLoader:
        """Return a process's share of the batches of a split, for `training` shuffled."""
        rows = self._part(split)
        batch_size = self._train.batch_size if training else EVAL_BATCH
        if training and full_batch:
            batch_size = max(1, -(-len(rows) // shard.size))
        order = Order(rows, batch_size, seed=self._train.seed if training else None, shard=shard)
        return tensor_loader(self._tensors, order)

    def class_weights(self, num_classes: int) -> np.ndarray:
        """Return (C,) float32 weights, inverse to each class's share of the training part, 1 on average over rows."""
        return balanced_weights(self.targets[self._part("train")], num_classes)

    def some_rows(self, count: int) -> dict[str, np.ndarray]:
        """Return the columns of `count` rows from all over the table; of a shorter one some twice."""
        rows = np.linspace(0, self.form.num_rows - 1, count).astype(int)
        return {name: array[rows] for name, array in self._arrays.items()}

    def features_of(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return (n, features) float64 for models that know no columns, and the (n,) targets, of a split.

        Numbers are imputed and standardised; each category has a column of zeros and ones, an unknown one none.
        """
        rows = self._part(split)
        parts = []
        for index, column in enumerate(self.columns.numeric):
            values = self._arrays["numeric"][rows, index].astype(np.float64)
            parts.append(((np.where(np.isnan(values), column.median, values) - column.mean) / column.std)[:, None])
        for index, category in enumerate(self.columns.categorical):
            places = self._arrays["categories"][rows, index]
            parts.append((places[:, None] == np.arange(1, category.size)).astype(np.float64))
        return np.concatenate(parts, 1), self.targets[rows]


def _targets(form: TableForm, labels: tuple[str, ...] | None) -> np.ndarray:
    """Return the targets of all rows: float32 numbers, or places in the run's class names."""
    if labels is None:
        return np.asarray(form.rows.targets, np.float32)
    to_run = indices_in_run(form.card.classes, labels, form.root)
    return np.asarray(to_run[form.rows.targets])
