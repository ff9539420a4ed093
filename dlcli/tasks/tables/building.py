"""Parts shared by both table tasks: opening the data, building the network, planning an export."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from dlcli.core.errors import DataError, UsageError, did_you_mean
from dlcli.core.registry import load_object
from dlcli.data.tables.form import CLASSIFICATION, TableForm, open_table
from dlcli.export.plan import PARITY_BATCHES, ExportPlan, cut_samples, single_graph
from dlcli.models.tables.numbers import NumericScale
from dlcli.models.tables.table_mlp import TableMLP
from dlcli.tasks.tables.columns import UNKNOWN, NumericColumn, TableColumns
from dlcli.tasks.tables.config import TableConfig, read_widths
from dlcli.tasks.tables.networks import NETWORKS
from dlcli.tasks.tables.source import TableSource

ROBUST_LIMIT = 3.0
"""What robustly scaled numbers do not exceed (Holzmueller et al. 2024, arXiv:2407.04491)."""

FITTED_ROWS = 1024
"""Rows to which initial weights are fitted: enough for the deviation of an output."""


def open_for(task: str, data: Path) -> TableForm:
    """Return the prepared table for a task.

    Raises:
        DataError: there is no table, or it was prepared for the other task.
    """
    form = open_table(data)
    if form.task != task:
        what = "classes" if form.task == CLASSIFICATION else "a number"
        raise DataError(
            f"{data}: its target {form.target!r} is {what}",
            hint=f"`dl train {form.task} --data {shlex.quote(str(data))}`",
        )
    return form


def require_spread(form: TableForm) -> None:
    """Check that a regression can be trained on the table.

    Raises:
        DataError: the target has the same value in every row.
    """
    targets = form.rows.targets
    if targets.min() == targets.max():
        raise DataError(
            f"{form.root}: the target {form.target!r} is {targets[0]:g} in every row",
            hint="prepare the table with another --target",
        )


def build_network(config: TableConfig, columns: TableColumns, out_features: int) -> TableMLP:
    """Return the network that the configuration names, with `out_features` outputs per member.

    Raises:
        UsageError: there is no such network.
    """
    if config.model not in NETWORKS:
        raise UsageError(f"--model: no network {config.model!r}", hint=did_you_mean(config.model, NETWORKS))
    is_robust = config.scaling == "robust"
    network: TableMLP = load_object(NETWORKS[config.model].build)(
        scales=[_scale(column, is_robust=is_robust) for column in columns.numeric],
        limit=ROBUST_LIMIT if is_robust else None,
        category_sizes=[column.size for column in columns.categorical],
        out_features=out_features,
        numbers=config.numbers,
        hidden=read_widths(config.hidden),
        members=config.ensemble,
        dropout=config.dropout,
        batch_norm=config.batch_norm,
        activation=config.activation,
    )
    return network


def fit_initial(network: TableMLP, source: TableSource) -> None:
    """Fit the initial weights of a new network to rows of the training part, if it is of the kind that does."""
    rows = source.some_rows(FITTED_ROWS, "train")
    network.fit(*(torch.from_numpy(rows[name]) for name in source.columns.inputs))


def _scale(column: NumericColumn, *, is_robust: bool) -> NumericScale:
    """Return the scale of a column: by its median and quartiles if it is robust and these differ."""
    median, mean = column.median - column.offset, column.mean - column.offset
    if is_robust:
        return NumericScale(median, median, column.quartile_range or column.std, column.edges)
    return NumericScale(median, mean, column.std, column.edges)


def plan_export(
    model: nn.Module,
    columns: TableColumns,
    source: TableSource | None,
    outputs: tuple[str, ...],
    assets: Mapping[str, Any],
) -> ExportPlan:
    """Return the model with samples: real rows if there is data, else noise around the columns' means.

    The first row has gaps and unknown categories alone, so that every export is compared on them.
    """
    total = sum(PARITY_BATCHES)
    rows = source.some_rows(total) if source is not None else _noise(columns, total)
    for name, nothing in (("numeric", np.nan), ("categories", UNKNOWN)):
        if name in rows:
            rows[name][0] = nothing
    return single_graph(
        model,
        inputs=columns.inputs,
        outputs=outputs,
        samples=cut_samples({name: rows[name] for name in columns.inputs}),
        metadata={"assets": dict(assets)},
    )


def _noise(columns: TableColumns, count: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    numbers = [random.normal(column.mean - column.offset, column.std, count) for column in columns.numeric]
    places = [random.integers(0, column.size, count) for column in columns.categorical]
    return {
        "numeric": np.stack(numbers, 1).astype(np.float32) if numbers else np.empty((count, 0), np.float32),
        "categories": np.stack(places, 1) if places else np.empty((count, 0), np.int64),
    }


def plain_columns(num_columns: int = 8) -> TableColumns:
    """Return made-up columns of numbers, for a network without a run."""
    return TableColumns(
        tuple(NumericColumn(f"column_{index}", 0.0, 0.0, 1.0, ()) for index in range(1, num_columns + 1)), (), "target"
    )
