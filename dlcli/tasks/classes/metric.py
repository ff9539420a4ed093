"""The classification metric over batches of logits. Torch-free."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcli.data.codec import Arrays
from dlcli.metrics.classification import ClassificationMetric
from dlcli.metrics.item_scores import ItemScores, scores_of
from dlcli.metrics.label_errors import ItemProbabilities
from dlcli.metrics.members import MEMBERS, Accuracy, MemberFigures

NUM_WORST = 25
"""Mistakes in a report: as many as one picture shows at a glance."""


class LogitsMetric:
    """The classification metric over batches.

    Args:
        class_names: the C class names.
        has_views: whether the outputs also hold `tta_logits`, the mean of the logits over views.
    """

    def __init__(self, class_names: tuple[str, ...], *, has_views: bool = False) -> None:
        self._names = class_names
        self._metric = ClassificationMetric(len(class_names))
        self._over_views = ClassificationMetric(len(class_names)) if has_views else None
        self._members = MemberFigures(Accuracy, "logits", "accuracy")
        self._rows: list[np.ndarray] = []

    def update(self, batch: Arrays, outputs: Arrays) -> None:
        """Add a batch.

        Args:
            batch: (N,) int64 `labels`, and (N,) int64 `rows`, the items' indices in their split.
            outputs: (N, C) `logits`, and with views (N, C) `tta_logits`; or those of an ensemble's `MEMBERS`.
        """
        if MEMBERS in outputs:
            self._members.update(batch, outputs[MEMBERS])
            return
        self._rows.append(batch["rows"])
        self._metric.update(outputs["logits"], batch["labels"])
        if self._over_views is not None:
            self._over_views.update(outputs["tta_logits"], batch["labels"])

    def merge(self, other: LogitsMetric) -> None:
        """Add the batches of another process's metric."""
        self._rows += other._rows
        self._metric.merge(other._metric)
        self._members.merge(other._members)
        if self._over_views is not None and other._over_views is not None:
            self._over_views.merge(other._over_views)

    def item_probabilities(self) -> ItemProbabilities:
        """Return the probabilities of each item; see `dlcli.engine.task.KnowsProbabilities`."""
        rows = np.concatenate([np.empty(0, np.int64), *self._rows])
        return ItemProbabilities(rows, self._metric.labels(), self._metric.probabilities())

    def item_scores(self) -> ItemScores:
        """Return what resampling needs of each item; see `dlcli.metrics.item_scores.ScoresItems`."""
        rows = np.concatenate([np.empty(0, np.int64), *self._rows])
        return scores_of(rows, self._metric.labels(), self._metric.item_figures(), names_items=False)

    def compute(self) -> dict[str, float]:
        """Return loss, accuracy, and with more than five classes top-5 accuracy."""
        return self._metric.compute()

    def report(self) -> dict[str, Any]:
        """Return metrics, metrics per class, curves, the confusion matrix and the worst mistakes.

        With views, the metrics of their mean logits are added under a suffix, as `accuracy_tta`; of an ensemble, what
        its members reach alone, see `MemberFigures.added_to`.
        """
        rows = np.concatenate([np.empty(0, np.int64), *self._rows])
        worst = [
            mistake._replace(index=int(rows[mistake.index]))._asdict() for mistake in self._metric.worst(NUM_WORST)
        ]
        report, lower = self._metric.report(self._names), ["loss", "calibration_error"]
        if self._over_views is not None:
            report["metrics"] |= {f"{name}_tta": value for name, value in self._over_views.compute().items()}
            lower.append("loss_tta")
        return self._members.added_to({**report, "lower_is_better": lower, "worst": worst})
