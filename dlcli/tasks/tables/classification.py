"""Classification on prepared tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from dlcli.core.table import Table
from dlcli.core.train_config import TrainConfig
from dlcli.data.card import Card
from dlcli.data.items import Item
from dlcli.data.labels import read_labels
from dlcli.data.order import WHOLE, Shard
from dlcli.data.parts import at_hand
from dlcli.data.tables.form import CLASSIFICATION
from dlcli.engine.optim.build import build_optimizer
from dlcli.engine.task import Batch, Goal, Loader, Outputs, Update, check_sizes, refuse_weights
from dlcli.export.plan import ExportPlan
from dlcli.models.tables.table_mlp import TableClassifier
from dlcli.tasks.classes.losses import ClassLoss
from dlcli.tasks.classes.metric import LogitsMetric
from dlcli.tasks.classes.options import SAMPLE
from dlcli.tasks.classes.report import class_tables, draw_class_report
from dlcli.tasks.classes.teacher import open_teacher
from dlcli.tasks.classes.training import (
    accuracy_of,
    class_weights_of,
    register_class_weights,
    require_classes,
)
from dlcli.tasks.tables.building import build_network, fit_initial, open_for, plain_columns, plan_export
from dlcli.tasks.tables.columns import TableColumns
from dlcli.tasks.tables.config import TableClassificationConfig
from dlcli.tasks.tables.networks import MEMBERS
from dlcli.tasks.tables.source import TableSource


class TableClassificationTask:
    """See `dlcli.engine.task.Task`.

    A batch is as in `RegressionTask` of `dlcli.tasks.tables.regression`, with `labels` (N,) int64 instead of `targets`.
    """

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
        self._loss = ClassLoss(config.loss, config.label_smoothing)

    @classmethod
    def from_data(cls, config: TableClassificationConfig, train: TrainConfig, data: Path) -> TableClassificationTask:
        """Return the task with a new network for the prepared table.

        Raises:
            DataError: the table cannot be read, is not for this task, or cannot train a classifier.
            UsageError: there is no such network.
        """
        form = open_for(CLASSIFICATION, data)
        require_classes(form.card, data, "row")
        source = TableSource(form, None, train, num_bins=config.bins, labels=form.card.classes)
        task = cls(config, train, form.card.classes, source.columns, source)
        fit_initial(task.model.network, source)
        task._loss.teacher = open_teacher(config.teacher, config.distill, task, train)
        if config.class_weights == "balanced":
            register_class_weights(task.model, source.class_weights(len(task.labels)))
        return task

    @classmethod
    def from_assets(
        cls, config: TableClassificationConfig, train: TrainConfig, assets: Mapping[str, Any], data: Path | None
    ) -> TableClassificationTask:
        """Return the task of a run from its assets.

        Raises:
            RunError: an asset is damaged.
            DataError: the data cannot be read, or does not fit the run's columns and classes.
        """
        labels, columns = read_labels(assets.get("labels")), TableColumns.from_json(assets.get("columns"))
        form = open_for(CLASSIFICATION, data) if data is not None else None
        source = TableSource(form, columns, train, labels=labels) if form is not None else None
        return cls(config, train, labels, columns, source)

    @classmethod
    def from_network(cls, name: str, size: Mapping[str, int], pretrained: str | None = None) -> TableClassificationTask:
        """Return the task with fresh weights over eight columns of numbers and three classes.

        Raises:
            UsageError: there is no such network, or `size` or `pretrained` is given.
        """
        check_sizes(name, size)
        refuse_weights(name, pretrained)
        return cls(
            TableClassificationConfig(model=name, ensemble=MEMBERS.get(name, 1)),
            TrainConfig(),
            ("0", "1", "2"),
            plain_columns(),
            None,
        )

    @property
    def card(self) -> Card | None:
        """The card of the table; None without data."""
        return self._source.card if self._source is not None else None

    def head(self) -> nn.Module:
        """Return the last layer, whose input is a row's embedding; of an ensemble, that of each member."""
        return self.model.network.mlp.layers[-1]

    def assets(self) -> dict[str, Any]:
        """Return the assets: the class names, and the columns with their statistics."""
        return {"labels": list(self.labels), "columns": self.columns.to_json()}

    def notes(self) -> list[str]:
        """Return what the user should know about the data as it is divided into folds."""
        return at_hand(self._source).notes()

    def loader(self, split: str, *, training: bool = False, shard: Shard = WHOLE) -> Loader:
        """Return the loader of a process's share of a split, shuffled if `training`.

        Raises:
            DataError: there is no data, or no such split.
        """
        is_balanced, full_batch = self._config.class_weights == SAMPLE, self._config.full_batch
        source = at_hand(self._source)
        return source.loader(split, training=training, full_batch=full_batch, is_balanced=is_balanced, shard=shard)

    def items(self, split: str, rows: Sequence[int]) -> list[Item]:  # noqa: ARG002
        """Return the rows with these numbers, which go through all splits."""
        return at_hand(self._source).items(rows)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the single optimizer."""
        return {"network": build_optimizer(self.model, self._train)}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield the loss of each member's own logits, averaged over the members."""
        inputs = [batch[name] for name in self.inputs]
        logits = self.model.members(*inputs)
        labels: Tensor = batch["labels"]
        every = labels.repeat(len(logits))
        losses = self._loss.of_step(logits.flatten(0, 1), every, class_weights_of(self.model), *inputs)
        answers = logits.detach().softmax(2).mean(0)
        yield Update("network", losses, len(labels), accuracy_of(answers, labels))

    def infer(self, batch: Batch) -> Outputs:
        """Return (N, C) logits; for an ensemble, the logarithms of its mean probabilities."""
        return {"logits": self.model(*(batch[name] for name in self.inputs))}

    def metric(self) -> LogitsMetric:
        """Return a new metric."""
        return LogitsMetric(self.labels)

    def baseline(self, split: str) -> dict[str, dict[str, float]]:
        """Return the metrics of logistic regression and gradient boosting, fitted on the training part."""
        from dlcli.tasks.tables.baselines import classification_baselines

        return classification_baselines(at_hand(self._source), split, len(self.labels))

    def samples(self) -> None:
        """Return None: rows of a table are not drawn."""
        return

    def tables(self, report: Mapping[str, Any], split: str) -> Iterator[Table]:
        """Yield the metrics of each class."""
        del split
        return class_tables(report, self.labels)

    def draw_report(self, report: Mapping[str, Any], split: str) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the confusion matrix and the curves."""
        del split
        return draw_class_report(report, self.labels)

    def export_plan(self) -> ExportPlan:
        """Return the model with samples: real rows if there is data, else noise."""
        return plan_export(self.model, self.columns, self._source, self.outputs, self.assets())
