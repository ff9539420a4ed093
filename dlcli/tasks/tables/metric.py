"""The regression metric, fed from batches. Torch-free."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcli.data.codec import Arrays
from dlcli.metrics.regression import RegressionMetric

NUM_WORST = 25


class TableRegressionMetric:
    """The regression metric, fed from batches."""

    def __init__(self, std: float, loss: str) -> None:
        self._metric = RegressionMetric(std, loss)
        self._rows: list[np.ndarray] = []

    def update(self, batch: Arrays, outputs: Arrays) -> None:
        """Take in (N,) `prediction`, (N,) `targets` and the (N,) numbers of their `rows`."""
        self._rows.append(batch["rows"])
        self._metric.update(outputs["prediction"], batch["targets"])

    def merge(self, other: TableRegressionMetric) -> None:
        """Take in what another process has seen."""
        self._rows += other._rows
        self._metric.merge(other._metric)

    def compute(self) -> dict[str, float]:
        """Return the figures; `loss` in standard units, the others in the target's own."""
        return self._metric.compute()

    def report(self) -> dict[str, Any]:
        """Return figures, points for the pictures and the rows of largest error."""
        rows = np.concatenate([np.empty(0, np.int64), *self._rows])
        worst = [{**entry, "index": int(rows[int(entry["index"])])} for entry in self._metric.worst(NUM_WORST)]
        return {**self._metric.report(), "worst": worst}
