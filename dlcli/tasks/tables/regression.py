"""Regression on prepared tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcli.core.errors import RunError
from dlcli.core.table import Table, table_of_entries
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card
from dlcli.data.items import Item
from dlcli.data.order import WHOLE, Shard
from dlcli.data.parts import at_hand
from dlcli.data.tables.form import REGRESSION
from dlcli.engine.optim.build import build_optimizer
from dlcli.engine.task import Batch, Goal, Loader, Outputs, Update, check_sizes, refuse_weights
from dlcli.export.plan import ExportPlan
from dlcli.models.tables.intervals import FACTORS, FLOOR, WithInterval, add_interval
from dlcli.models.tables.quantiles import QuantileRegressor, pinball_loss
from dlcli.models.tables.table_mlp import TableRegressor
from dlcli.tasks.tables.building import build_network, fit_initial, open_for, plain_columns, plan_export, require_spread
from dlcli.tasks.tables.columns import TableColumns
from dlcli.tasks.tables.config import RegressionConfig, RegressionInference
from dlcli.tasks.tables.levels import (
    COVERAGE,
    COVERAGES,
    LEAST_CALIBRATING,
    Interval,
    levels_from_json,
    levels_of,
    middle,
    place_of,
    require_interval,
)
from dlcli.tasks.tables.metric import TableRegressionMetric
from dlcli.tasks.tables.networks import MEMBERS
from dlcli.tasks.tables.source import TableSource

LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "smooth-l1": F.smooth_l1_loss,
    "huber": F.huber_loss,
}


class RegressionTask:
    """See `dlcli.engine.task.Task`.

    A batch holds `numeric` (N, numeric columns) float32 and `categories` (N, categorical columns) int64, or one of
    them, `targets` (N,) float32 and `rows` (N,) int64. Targets and predictions are counted from the columns' `offset`,
    which metric and codec add in float64. With quantiles the model is another, and so is the loss.
    """

    def __init__(
        self,
        config: RegressionConfig,
        train: TrainConfig,
        columns: TableColumns,
        source: TableSource | None,
        interval: Interval | None = None,
    ) -> None:
        self._config = config
        self._train = train
        self.columns = columns
        self._source = source
        self.inputs = columns.inputs
        self.levels = levels_of(config.quantiles)
        self.goal = Goal("pinball" if self.levels else "rmse", larger_is_better=False)
        self._interval = interval
        spread = () if config.ensemble == 1 else ("spread", *(("low", "high") if interval is not None else ()))
        self.outputs: tuple[str, ...] = ("prediction", *(("quantiles",) if self.levels else spread))
        self.model: TableRegressor | QuantileRegressor = self._new_model()
        if interval is not None and isinstance(self.model, TableRegressor):
            add_interval(self.model, len(COVERAGES))

    def _new_model(self) -> TableRegressor | QuantileRegressor:
        config, columns = self._config, self.columns
        low, high, mean = (value - columns.offset for value in (columns.lowest, columns.highest, columns.mean))
        network = build_network(config, columns, len(self.levels) or 1)
        bounds = (low, high) if config.bounded else None
        if self.levels:
            return QuantileRegressor(network, mean, columns.std, self.levels, middle(self.levels), bounds)
        return TableRegressor(network, mean, columns.std, bounds)

    @classmethod
    def from_data(cls, config: RegressionConfig, train: TrainConfig, data: Path) -> RegressionTask:
        """Return the task with a new network for the prepared table.

        Raises:
            DataError: the table cannot be read, is not for this task, or its target never varies.
            UsageError: there is no such network.
        """
        form = open_for(REGRESSION, data)
        require_spread(form)
        source = TableSource(form, None, train, num_bins=config.bins)
        has_spread = config.ensemble > 1 and config.quantiles is None
        is_calibrated = has_spread and source.num_rows("valid") >= LEAST_CALIBRATING
        task = cls(config, train, source.columns, source, Interval() if is_calibrated else None)
        fit_initial(task.model.network, source)
        return task

    @classmethod
    def from_assets(
        cls, config: RegressionConfig, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> RegressionTask:
        """Return the task of a run from its assets.

        Raises:
            RunError: an asset is damaged.
            DataError: the data cannot be read, or does not fit the run's columns and classes.
        """
        columns = TableColumns.from_json(assets.get("columns"))
        if assets.get("ensemble") != config.ensemble:
            raise RunError(
                f"the run's ensemble is {assets.get('ensemble')!r} in its assets, but {config.ensemble} in its options"
            )
        if levels_from_json(assets.get("quantiles")) != levels_of(config.quantiles):
            raise RunError(
                f"the run's quantiles are {assets.get('quantiles')!r} in its assets, {config.quantiles} in its options"
            )
        source = TableSource(open_for(REGRESSION, data), columns, train) if data is not None else None
        return cls(config, train, columns, source, Interval.from_json(assets.get("interval")))

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> RegressionTask:
        """Return the task with fresh weights over eight columns of numbers.

        Raises:
            UsageError: there is no such network, or `size` or `pretrained` is given.
        """
        check_sizes(name, size)
        refuse_weights(name, pretrained)
        return cls(RegressionConfig(model=name, ensemble=MEMBERS.get(name, 1)), TrainConfig(), plain_columns(), None)

    @property
    def card(self) -> Card | None:
        """The card of the table; None without data."""
        return self._source.card if self._source is not None else None

    def head(self) -> nn.Module:
        """Return the last layer, whose input is a row's embedding; of an ensemble, that of each member."""
        return self.model.network.mlp.layers[-1]

    def assets(self) -> dict[str, Any]:
        """Return the assets: columns with their statistics, the size of the ensemble, any quantiles or interval."""
        more: dict[str, Any] = {"quantiles": list(self.levels)} if self.levels else {}
        if self._interval is not None:
            more["interval"] = self._interval.to_json()
        return {"columns": self.columns.to_json(), "ensemble": self._config.ensemble, **more}

    def notes(self) -> list[str]:
        """Return what the user should know about the data as it is divided, and about an ensemble's spread."""
        notes = at_hand(self._source).notes()
        if self._interval is None and "spread" in self.outputs:
            notes.append(
                f"fewer than {LEAST_CALIBRATING} rows validate: the spread of the ensemble is not calibrated, and "
                "predictions come without an interval (--val-fraction 0.1 gives one)"
            )
        return notes

    def set_inference(self, options: RegressionInference) -> None:
        """Set the options for prediction, evaluation and export.

        Raises:
            UsageError: a coverage was asked for, and the run has no calibrated interval.
        """
        require_interval(self._interval, options.coverage)
        if self._interval is not None:
            self._interval = Interval(options.coverage or self._interval.coverage)

    def calibrate(self, metric: TableRegressionMetric) -> None:
        """Set the floor and the factors of an ensemble's interval to those of the validation part."""
        if self._interval is None:
            return
        floor, factors = metric.calibration(COVERAGES)
        self.model.get_buffer(FLOOR).fill_(floor)
        self.model.get_buffer(FACTORS).copy_(torch.from_numpy(factors))

    def _graph(self) -> nn.Module:
        """Return what is evaluated and exported: the model, with the interval if there is one."""
        if self._interval is None or not isinstance(self.model, TableRegressor):
            return self.model
        return WithInterval(self.model, place_of(self._interval.coverage))

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> Loader:
        """Return the loader of a process's share of a split, shuffled if `training`.

        Raises:
            DataError: there is no data, or no such split.
        """
        return at_hand(self._source).loader(split, training=training, full_batch=self._config.full_batch, shard=shard)

    def items(self, split: str, rows: Sequence[int]) -> list[Item]:  # noqa: ARG002
        """Return the rows with these numbers, which go through all splits."""
        return at_hand(self._source).items(rows)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the single optimizer."""
        return {"network": build_optimizer(self.model, self._train)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield the loss on the standardised target, averaged over the ensemble's members.

        Under AdamW each member trains as it would alone, since its steps do not depend on the scale of the loss.
        """
        targets = (batch["targets"] - self.model.mean) / self.model.std
        answers = self.model.standardised(*(batch[name] for name in self.inputs))
        wanted = targets.expand(answers.shape[:2])
        if self._config.target_noise:
            wanted = wanted + self._config.target_noise * torch.randn_like(wanted)
        if isinstance(self.model, QuantileRegressor):
            losses = {"pinball": pinball_loss(answers.float(), wanted, self.model.levels)}
        else:
            losses = {self._config.loss: LOSSES[self._config.loss](answers.float(), wanted)}
        yield Update("network", losses, len(targets))

    def infer(self, batch: Batch) -> Outputs:
        """Return (N,) `prediction` in the target's units, with (N, Q) `quantiles`, or an ensemble's (N,) `spread`.

        A calibrated spread comes with (N,) `low` and `high`, the ends of the interval.
        """
        answers = self._graph()(*(batch[name] for name in self.inputs))
        return dict(zip(self.outputs, answers if isinstance(answers, tuple) else (answers,), strict=True))

    def members(self, batch: Batch) -> Tensor:
        """Return the predictions of each member, (M, N), or (M, N, Q) with quantiles, in the target's units."""
        return self.model.members(*(batch[name] for name in self.inputs)) * self.model.std + self.model.mean

    def metric(self) -> TableRegressionMetric:
        """Return a new metric."""
        coverage = self._interval.coverage if self._interval is not None else COVERAGE
        return TableRegressionMetric(self.columns.std, self._config.loss, self.columns.offset, self.levels, coverage)

    def baseline(self, split: str) -> dict[str, dict[str, float]]:
        """Return the metrics of linear regression and gradient boosting, fitted on the training part.

        With quantiles, those of boosting with the pinball loss, and of the quantiles of all training targets.
        """
        from dlcli.tasks.tables.baselines import quantile_baselines, regression_baselines

        if self.levels:
            return quantile_baselines(at_hand(self._source), split, self.metric, self.levels)
        return regression_baselines(at_hand(self._source), split, self.columns.std, self._config.loss)

    def samples(self) -> None:
        """Return None: rows of a table are not drawn."""
        return

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield the tables of quantiles and intervals, if they are predicted."""
        del split
        return (table_of_entries(name, report[name]) for name in ("quantiles", "intervals") if report.get(name))

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield pictures of predictions against targets, and of the residuals."""
        del split
        from dlcli.visualize.regression import draw_predicted, draw_residuals

        points = (np.array(report["points"][name]) for name in ("targets", "predictions"))
        targets, predictions = points
        yield "predicted.png", draw_predicted(targets, predictions, self.columns.target)
        yield "residuals.png", draw_residuals(targets, predictions, self.columns.target)

    def export_plan(self) -> ExportPlan:
        """Return the model with samples: real rows if there is data, else noise."""
        assets = self.assets()
        if self._interval is not None:
            found = self.model.get_buffer(FACTORS).tolist()
            factors = tuple(factor if math.isfinite(factor) else None for factor in found)
            assets["interval"] = Interval(self._interval.coverage, factors).to_json()
        return plan_export(self._graph(), self.columns, self._source, self.outputs, assets)
