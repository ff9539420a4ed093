"""Regression and classification on prepared tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer

from dlcli.core.errors import RunError
from dlcli.core.table import Table
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card
from dlcli.data.labels import read_labels
from dlcli.data.order import WHOLE, Shard
from dlcli.data.parts import at_hand
from dlcli.data.tables.form import CLASSIFICATION, REGRESSION
from dlcli.engine.optim.build import build_optimizer
from dlcli.engine.task import Batch, Goal, Loader, Outputs, Update, check_sizes
from dlcli.export.plan import ExportPlan
from dlcli.models.tables.table_mlp import TableClassifier, TableRegressor
from dlcli.tasks.classes.metric import LogitsMetric
from dlcli.tasks.classes.report import class_tables, draw_class_report
from dlcli.tasks.classes.training import class_weights_of, cross_entropy, register_class_weights, require_classes
from dlcli.tasks.tables.building import build_network, open_for, plain_columns, plan_export
from dlcli.tasks.tables.columns import TableColumns
from dlcli.tasks.tables.config import RegressionConfig, TableClassificationConfig
from dlcli.tasks.tables.metric import TableRegressionMetric
from dlcli.tasks.tables.source import TableSource

LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "smooth-l1": F.smooth_l1_loss,
    "huber": F.huber_loss,
}


class RegressionTask:
    """See `dlcli.engine.task.Task`; a batch holds `numeric` and `categories` as there are, `targets`, `rows`."""

    goal = Goal("rmse", larger_is_better=False)

    def __init__(
        self, config: RegressionConfig, train: TrainConfig, columns: TableColumns, source: TableSource | None
    ) -> None:
        self._config = config
        self._train = train
        self.columns = columns
        self._source = source
        self.inputs = columns.inputs
        self.outputs: tuple[str, ...] = ("prediction",) if config.ensemble == 1 else ("prediction", "spread")
        bounds = (columns.lowest, columns.highest) if config.bounded else None
        self.model: TableRegressor = TableRegressor(
            build_network(config, columns, 1), columns.mean, columns.std, bounds
        )

    @classmethod
    def from_data(cls, config: RegressionConfig, train: TrainConfig, data: Path) -> RegressionTask:
        """Return the task with a new network for the prepared table."""
        source = TableSource(open_for(REGRESSION, data), None, train, num_bins=config.bins)
        return cls(config, train, source.columns, source)

    @classmethod
    def from_assets(
        cls, config: RegressionConfig, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> RegressionTask:
        """Return the task as a run describes it."""
        columns = TableColumns.from_json(assets.get("columns"))
        if assets.get("ensemble") != config.ensemble:
            raise RunError(f"the run's ensemble is {assets.get('ensemble')!r} and {config.ensemble}")
        source = TableSource(open_for(REGRESSION, data), columns, train) if data is not None else None
        return cls(config, train, columns, source)

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int]) -> RegressionTask:
        """Return the task with fresh weights over eight columns of numbers; no size can be chosen."""
        check_sizes(name, size)
        return cls(RegressionConfig(model=name), TrainConfig(), plain_columns(), None)

    @property
    def card(self) -> Card | None:
        """The card of the table at hand."""
        return self._source.card if self._source is not None else None

    def assets(self) -> dict[str, Any]:
        """Return the columns with all that was learnt about them, and the size of the ensemble."""
        return {"columns": self.columns.to_json(), "ensemble": self._config.ensemble}

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> Loader:
        """Return a process's share of the batches of a split, for `training` shuffled."""
        return at_hand(self._source).loader(split, training=training, full_batch=self._config.full_batch, shard=shard)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the one optimizer."""
        return {"network": build_optimizer(self.model, self._train)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Minimise the loss of each member over the standardised target; what is told is the members' mean.

        Under AdamW members train as they would alone: its steps do not depend on the scale of the loss.
        """
        targets = (batch["targets"] - self.model.mean) / self.model.std
        answers = self.model.standardised(*(batch[name] for name in self.inputs))
        wanted = targets.expand_as(answers)
        if self._config.target_noise:
            wanted = wanted + self._config.target_noise * torch.randn_like(answers)
        loss = LOSSES[self._config.loss](answers.float(), wanted)
        yield Update("network", {self._config.loss: loss}, len(targets))

    def infer(self, batch: Batch) -> Outputs:
        """Return predictions in the target's own units, and for an ensemble their spread over its members."""
        answers = self.model(*(batch[name] for name in self.inputs))
        return dict(zip(self.outputs, answers if isinstance(answers, tuple) else (answers,), strict=True))

    def members(self, batch: Batch) -> Tensor:
        """Return each member's own answers, (M, N), in the target's own units."""
        return self.model.members(*(batch[name] for name in self.inputs)) * self.model.std + self.model.mean

    def metric(self) -> TableRegressionMetric:
        """Return a new metric."""
        return TableRegressionMetric(self.columns.std, self._config.loss)

    def baseline(self, split: str) -> dict[str, dict[str, float]]:
        """Return what a linear model and gradient boosting reach, fitted on the part that trains."""
        from dlcli.tasks.tables.baselines import regression_baselines

        return regression_baselines(at_hand(self._source), split, self.columns.std, self._config.loss)

    def samples(self) -> None:
        """Return nothing: rows of numbers are no picture."""
        return

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield no table: the figures say it all."""
        del report, split
        return iter(())

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the predictions against the truth, and the errors."""
        del split
        from dlcli.visualize.regression import draw_predicted, draw_residuals

        points = (np.array(report["points"][name]) for name in ("targets", "predictions"))
        targets, predictions = points
        yield "predicted.png", draw_predicted(targets, predictions, self.columns.target)
        yield "residuals.png", draw_residuals(targets, predictions, self.columns.target)

    def export_plan(self) -> ExportPlan:
        """Return the model with samples of real rows where data is at hand."""
        return plan_export(self.model, self.columns, self._source, self.outputs, self.assets())


class TableClassificationTask:
    """See `dlcli.engine.task.Task`; a batch as of `RegressionTask`, `labels` in place of `targets`."""

    outputs = ("logits",)
    goal = Goal("accuracy", larger_is_better=True)

    def __init__(
        self,
        config: TableClassificationConfig,
        train: TrainConfig,
        labels: tuple[str, ...],
        columns: TableColumns,
        source: TableSource | None,
    ) -> None:
        self._config = config
        self._train = train
        self.labels = labels
        self.columns = columns
        self._source = source
        self.inputs = columns.inputs
        self.model: TableClassifier = TableClassifier(build_network(config, columns, len(labels)))
        register_class_weights(self.model)

    @classmethod
    def from_data(cls, config: TableClassificationConfig, train: TrainConfig, data: Path) -> TableClassificationTask:
        """Return the task with a new network for the prepared table."""
        form = open_for(CLASSIFICATION, data)
        require_classes(form.card, data, "row")
        source = TableSource(form, None, train, num_bins=config.bins, labels=form.card.classes)
        task = cls(config, train, form.card.classes, source.columns, source)
        if config.class_weights == "balanced":
            register_class_weights(task.model, source.class_weights(len(task.labels)))
        return task

    @classmethod
    def from_assets(
        cls, config: TableClassificationConfig, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> TableClassificationTask:
        """Return the task as a run describes it."""
        labels, columns = read_labels(assets.get("labels")), TableColumns.from_json(assets.get("columns"))
        form = open_for(CLASSIFICATION, data) if data is not None else None
        source = TableSource(form, columns, train, labels=labels) if form is not None else None
        return cls(config, train, labels, columns, source)

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int]) -> TableClassificationTask:
        """Return the task with fresh weights over eight columns of numbers and three classes; no size can be chosen."""
        check_sizes(name, size)
        return cls(TableClassificationConfig(model=name), TrainConfig(), ("0", "1", "2"), plain_columns(), None)

    @property
    def card(self) -> Card | None:
        """The card of the table at hand."""
        return self._source.card if self._source is not None else None

    def assets(self) -> dict[str, Any]:
        """Return the class names, and the columns with all that was learnt about them."""
        return {"labels": list(self.labels), "columns": self.columns.to_json()}

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> Loader:
        """Return a process's share of the batches of a split, for `training` shuffled."""
        return at_hand(self._source).loader(split, training=training, full_batch=self._config.full_batch, shard=shard)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the one optimizer."""
        return {"network": build_optimizer(self.model, self._train)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Minimise the mean cross-entropy of the members, each by its own logits."""
        logits = self.model.members(*(batch[name] for name in self.inputs))
        labels: Tensor = batch["labels"]
        weights = class_weights_of(self.model)
        loss = cross_entropy(logits.flatten(0, 1), labels.repeat(len(logits)), self._config.label_smoothing, weights)
        yield Update("network", {"cross_entropy": loss}, len(labels))

    def infer(self, batch: Batch) -> Outputs:
        """Return the logits, of an ensemble those of its mean probabilities."""
        return {"logits": self.model(*(batch[name] for name in self.inputs))}

    def metric(self) -> LogitsMetric:
        """Return a new metric."""
        return LogitsMetric(self.labels)

    def baseline(self, split: str) -> dict[str, dict[str, float]]:
        """Return what a logistic regression and gradient boosting reach, fitted on the part that trains."""
        from dlcli.tasks.tables.baselines import classification_baselines

        return classification_baselines(at_hand(self._source), split, len(self.labels))

    def samples(self) -> None:
        """Return nothing: rows of numbers are no picture."""
        return

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield the figures of each class."""
        del split
        return class_tables(report, self.labels)

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the confusion matrix and the curves."""
        del split
        return draw_class_report(report, self.labels)

    def export_plan(self) -> ExportPlan:
        """Return the model with samples of real rows where data is at hand."""
        return plan_export(self.model, self.columns, self._source, self.outputs, self.assets())
