"""The regression metric over batches. Torch-free."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcli.data.codec import Arrays
from dlcli.metrics.regression import RegressionMetric

NUM_WORST = 25


class TableRegressionMetric:
    """The regression metric over batches.

    Args:
        std: the standard deviation of the training targets, the unit of the loss.
        loss: the kind of loss, as in `RegressionMetric`.
        offset: what predictions and targets are counted from.
    """

    def __init__(self, std: float, loss: str, offset: float = 0.0) -> None:
        self._metric = RegressionMetric(std, loss)
        self._offset = offset
        self._rows: list[np.ndarray] = []

    def update(self, batch: Arrays, outputs: Arrays) -> None:
        """Add a batch.

        Args:
            batch: (N,) float32 `targets`, and (N,) int64 `rows`, row numbers of the table.
            outputs: (N,) `prediction`, in the target's units.
        """
        self._rows.append(batch["rows"])
        values = (outputs["prediction"], batch["targets"])
        predictions, targets = (np.asarray(value, np.float64) + self._offset for value in values)
        self._metric.update(predictions, targets)

    def merge(self, other: TableRegressionMetric) -> None:
        """Add the batches of another process's metric."""
        self._rows += other._rows
        self._metric.merge(other._metric)

    def compute(self) -> dict[str, float]:
        """Return the metrics, `loss` in standard deviations and the others in the target's units."""
        return self._metric.compute()

    def report(self) -> dict[str, Any]:
        """Return the metrics, the points of the pictures, and the rows with the largest errors."""
        rows = np.concatenate([np.empty(0, np.int64), *self._rows])
        worst = [{**entry, "index": int(rows[int(entry["index"])])} for entry in self._metric.worst(NUM_WORST)]
        return {**self._metric.report(), "worst": worst}
