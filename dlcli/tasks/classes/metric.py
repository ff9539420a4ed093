"""The metric over logits, fed from batches. Torch-free."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcli.data.codec import Arrays
from dlcli.metrics.classification import ClassificationMetric

NUM_WORST = 25
"""Mistakes that a report keeps: as many as a picture shows at a glance."""


class LogitsMetric:
    """The classification metric, fed from batches; `has_views` where the outputs hold logits over views too."""

    def __init__(self, class_names: tuple[str, ...], *, has_views: bool = False) -> None:
        self._names = class_names
        self._metric = ClassificationMetric(len(class_names))
        self._over_views = ClassificationMetric(len(class_names)) if has_views else None
        self._rows: list[np.ndarray] = []

    def update(self, batch: Arrays, outputs: Arrays) -> None:
        """Take in (N, C) `logits`, (N,) `labels`, and the items' (N,) `rows`, their places in their split."""
        self._rows.append(batch["rows"])
        self._metric.update(outputs["logits"], batch["labels"])
        if self._over_views is not None:
            self._over_views.update(outputs["tta_logits"], batch["labels"])

    def merge(self, other: LogitsMetric) -> None:
        """Take in what another process has seen."""
        self._rows += other._rows
        self._metric.merge(other._metric)
        if self._over_views is not None and other._over_views is not None:
            self._over_views.merge(other._over_views)

    def compute(self) -> dict[str, float]:
        """Return loss, accuracy, and top-5 accuracy where there are more than five classes."""
        return self._metric.compute()

    def report(self) -> dict[str, Any]:
        """Return figures, the figures per class, curves, the confusion matrix and the worst mistakes.

        With views, the figures of their mean stand beside those of the items as they are, as `accuracy_tta`.
        """
        rows = np.concatenate([np.empty(0, np.int64), *self._rows])
        worst = [
            mistake._replace(index=int(rows[mistake.index]))._asdict() for mistake in self._metric.worst(NUM_WORST)
        ]
        report, lower = self._metric.report(self._names), ["loss", "calibration_error"]
        if self._over_views is not None:
            report["metrics"] |= {f"{name}_tta": value for name, value in self._over_views.compute().items()}
            lower.append("loss_tta")
        return {**report, "lower_is_better": lower, "worst": worst}
