"""The regression metric over batches. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlcli.data.codec import Arrays
from dlcli.metrics.intervals import QuantileMetric, conformal_factors, interval_entry
from dlcli.metrics.item_scores import ItemScores, scores_of
from dlcli.metrics.regression import RegressionMetric
from dlcli.tasks.tables.levels import COVERAGE, level_names

NUM_WORST = 25


class TableRegressionMetric:
    """The regression metric over batches.

    Args:
        std: the standard deviation of the training targets, the unit of the loss.
        loss: the kind of loss, as in `RegressionMetric`; with quantiles it is their pinball loss.
        offset: what predictions and targets are counted from.
        levels: the levels of the predicted quantiles; () for none.
        coverage: that of an ensemble's interval.
    """

    def __init__(
        self, std: float, loss: str, offset: float = 0.0, levels: Sequence[float] = (), coverage: float = COVERAGE
    ) -> None:
        self._metric = RegressionMetric(std, loss)
        self._quantiles = QuantileMetric(levels, level_names(levels), std) if levels else None
        self._offset = offset
        self._coverage = coverage
        self._rows: list[np.ndarray] = []
        self._intervals: list[np.ndarray] = []  # (4, N): errors, spreads, and the two ends less the targets

    def update(self, batch: Arrays, outputs: Arrays) -> None:
        """Add a batch.

        Args:
            batch: (N,) float32 `targets`, and (N,) int64 `rows`, row numbers of the table.
            outputs: (N,) `prediction`, in the target's units; with levels (N, Q) `quantiles`, and with an interval
                (N,) `spread`, `low` and `high`.
        """
        self._rows.append(batch["rows"])
        values = (outputs["prediction"], batch["targets"])
        predictions, targets = (np.asarray(value, np.float64) + self._offset for value in values)
        self._metric.update(predictions, targets)
        if self._quantiles is not None:
            self._quantiles.update(np.asarray(outputs["quantiles"], np.float64) + self._offset, targets)
        if "low" in outputs:
            truth = np.asarray(batch["targets"], np.float64)
            ends = [np.asarray(outputs[name], np.float64) - truth for name in ("low", "high")]
            spread = np.asarray(outputs["spread"], np.float64)
            self._intervals.append(np.stack([predictions - targets, spread, *ends]))

    def merge(self, other: TableRegressionMetric) -> None:
        """Add the batches of another process's metric."""
        self._rows += other._rows
        self._metric.merge(other._metric)
        if self._quantiles is not None and other._quantiles is not None:
            self._quantiles.merge(other._quantiles)
        self._intervals += other._intervals

    def item_scores(self) -> ItemScores:
        """Return what resampling needs of each row; see `dlcli.metrics.item_scores.ScoresItems`."""
        rows = np.concatenate([np.empty(0, np.int64), *self._rows])
        return scores_of(rows, self._metric.targets(), self._metric.item_figures(), names_items=False)

    def compute(self) -> dict[str, float]:
        """Return the metrics, `loss` in standard deviations and the others in the target's units."""
        return {**self._metric.compute(), **(self._quantiles.compute() if self._quantiles is not None else {})}

    def calibration(self, coverages: Sequence[float]) -> tuple[float, np.ndarray]:
        """Return the floor of an ensemble's spread, and the factor of each coverage; NaN without rows.

        See `dlcli.models.tables.intervals`.
        """
        errors, spreads, *_ = np.concatenate([np.empty((4, 0)), *self._intervals], axis=1)
        floor = float(spreads.mean()) if len(spreads) else 0.0
        if floor <= 0:  # all members agree everywhere: nothing says where they are wrong
            return float("nan"), np.full(len(coverages), np.nan)
        return floor, conformal_factors(errors, spreads + floor, coverages)

    def report(self) -> dict[str, Any]:
        """Return the metrics, points of the pictures, the rows with the largest errors, and any interval."""
        rows = np.concatenate([np.empty(0, np.int64), *self._rows])
        worst = [{**entry, "index": int(rows[int(entry["index"])])} for entry in self._metric.worst(NUM_WORST)]
        report = {**self._metric.report(), "worst": worst}
        if self._intervals:
            _, _, low, high = np.concatenate(self._intervals, axis=1)
            entry = interval_entry(f"{self._coverage:.0%}", self._coverage, np.zeros(len(low)), low, high)
            if np.isfinite(entry["mean_width"]):
                report["intervals"] = [entry]
                report["metrics"] |= {"coverage": entry["coverage"], "mean_width": entry["mean_width"]}
        if self._quantiles is None:
            return report
        own = self._quantiles.report()
        lower = [*report["lower_is_better"], "pinball", "crossing"]
        return {**report, **own, "metrics": {**report["metrics"], **own["metrics"]}, "lower_is_better": lower}
