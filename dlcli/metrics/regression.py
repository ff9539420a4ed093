"""Metrics of regression over all samples of a split: numpy only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlcli.metrics.item_scores import ItemFigure

MAX_POINTS = 2000
"""Maximum points stored in a report for its pictures."""

LOWER_IS_BETTER = ("loss", "rmse", "mae", "mape", "median_error", "max_error")

DELTA = 1.0
"""Where smooth-l1 and huber change from quadratic to linear, in standard deviations: torch's default, at which the two
are equal."""


def mean_loss(errors: np.ndarray, kind: str) -> float:
    """Return the mean loss of standardised errors, as computed in training.

    Args:
        errors: (N,) in standard deviations of the target.
        kind: "mse", "mae", "smooth-l1" or "huber" (Girshick 2015, arXiv:1504.08083; Huber 1964).
    """
    size = np.abs(errors)
    if kind == "mse":
        return float((size**2).mean())
    if kind == "mae":
        return float(size.mean())
    return float(np.where(size < DELTA, 0.5 * size**2, DELTA * (size - 0.5 * DELTA)).mean())


class RegressionMetric:
    """Collects predictions and targets, and computes their metrics.

    Every metric is over all samples, so the batch size does not matter.

    Args:
        std: standard deviation of the target in the training split, the unit of the loss.
        loss: kind of loss, as in `mean_loss`.
    """

    def __init__(self, std: float = 1.0, loss: str = "mse") -> None:
        self._std = std
        self._loss = loss
        self._predictions: list[np.ndarray] = []
        self._targets: list[np.ndarray] = []
        self._units: list[np.ndarray] = []  # of the loss, per sample: folds standardise by their own training parts

    def update(self, predictions: np.ndarray, targets: np.ndarray) -> None:
        """Add a batch of (N,) predictions and (N,) targets in the same units.

        Raises:
            ValueError: the shapes do not match.
        """
        if predictions.shape != targets.shape or targets.ndim != 1:
            raise ValueError(f"predictions {predictions.shape} and targets {targets.shape}")
        self._predictions.append(predictions.astype(np.float64))
        self._targets.append(targets.astype(np.float64))
        self._units.append(np.full(len(targets), self._std))

    def merge(self, other: RegressionMetric) -> None:
        """Append all samples of another metric; the loss of each stays in standard deviations of its own metric."""
        self._predictions += other._predictions
        self._targets += other._targets
        self._units += other._units

    def compute(self) -> dict[str, float]:
        """Return `loss`, `rmse`, `mae`, `r2` and `mape`; NaN if undefined.

        `r2` is 1 minus the ratio of the squared error to the variance of the targets: 0 is as good as predicting their
        mean. `mape` is the mean of |error| / |target|, as a fraction, over nonzero targets.
        """
        predictions, targets = self._all()
        if not len(targets):
            return dict.fromkeys(("loss", "rmse", "mae", "r2", "mape"), math.nan)
        errors = predictions - targets
        variation = float(((targets - targets.mean()) ** 2).sum())
        is_scaled = targets != 0
        relative = np.abs(errors[is_scaled] / targets[is_scaled])
        return {
            "loss": mean_loss(errors / np.concatenate(self._units), self._loss),
            "rmse": float(np.sqrt((errors**2).mean())),
            "mae": float(np.abs(errors).mean()),
            "r2": 1 - float((errors**2).sum()) / variation if variation > 0 else math.nan,
            "mape": float(relative.mean()) if len(relative) else math.nan,
        }

    def report(self) -> dict[str, Any]:
        """Return the full report on all samples as JSON values.

        `metrics` are those of `compute`, the median and the largest |error|, and the mean error, which is positive if
        predictions are too high. `points` are at most 2,000 evenly spaced samples, for the pictures.
        """
        predictions, targets = self._all()
        metrics = self.compute()
        if len(targets):
            errors = predictions - targets
            metrics["mean_error"] = float(errors.mean())
            metrics["median_error"] = float(np.median(np.abs(errors)))
            metrics["max_error"] = float(np.abs(errors).max())
        kept = np.unique(np.linspace(0, len(targets) - 1, min(len(targets), MAX_POINTS)).astype(int))
        return {
            "num_samples": len(targets),
            "metrics": metrics,
            "lower_is_better": [name for name in LOWER_IS_BETTER if name in metrics],
            "points": {"targets": targets[kept].tolist(), "predictions": predictions[kept].tolist()},
        }

    def item_figures(self) -> dict[str, ItemFigure]:
        """Return those of the metrics of `compute` that are sums over samples, with the value of each sample."""
        predictions, targets = self._all()
        errors = predictions - targets
        return {
            "rmse": ItemFigure(errors**2, "root_mean", lower_is_better=True),
            "mae": ItemFigure(np.abs(errors), lower_is_better=True),
        }

    def targets(self) -> np.ndarray:
        """Return the targets of all samples, (N,) float64."""
        return self._all()[1]

    def worst(self, k: int) -> list[dict[str, float]]:
        """Return the `k` samples of largest |error|: `index` in the order added, `target` and `prediction`."""
        predictions, targets = self._all()
        order = np.argsort(-np.abs(predictions - targets), kind="stable")[:k]
        return [
            {"index": int(i), "target": float(targets[i]), "prediction": float(predictions[i])} for i in order.tolist()
        ]

    def _all(self) -> tuple[np.ndarray, np.ndarray]:
        empty = np.empty(0, np.float64)
        return np.concatenate([empty, *self._predictions]), np.concatenate([empty, *self._targets])
