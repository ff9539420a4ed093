"""Figures of predicted quantiles and intervals over all samples of a split: numpy only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def pinball_losses(targets: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Return the mean pinball loss of each level, (Q,), in the units of the targets (Koenker & Bassett 1978).

    Args:
        targets: (N,).
        quantiles: (N, Q) in the same units.
        levels: Q numbers in (0, 1).
    """
    errors, share = targets[:, None] - quantiles, np.asarray(levels)
    return np.asarray(np.maximum(share * errors, (share - 1) * errors).mean(0))


def interval_entry(name: str, nominal: float, targets: np.ndarray, low: np.ndarray, high: np.ndarray) -> dict[str, Any]:
    """Return how well intervals hold their targets: the nominal coverage, the measured one, and the mean width.

    Args:
        name: what the interval is called.
        nominal: the fraction of targets that it should hold.
        targets, low, high: (N,); an end of the interval belongs to it.
    """
    inside = (low <= targets) & (targets <= high)
    return {
        "interval": name,
        "nominal": round(nominal, 6),
        "coverage": float(inside.mean()) if len(targets) else math.nan,
        "mean_width": float((high - low).mean()) if len(targets) else math.nan,
    }


def nested_pairs(count: int) -> list[tuple[int, int]]:
    """Return the indices of the ends of the intervals between `count` ordered levels, the widest first."""
    return [(index, count - 1 - index) for index in range(count // 2)]


class QuantileMetric:
    """Collects quantiles and targets, and computes their metrics over all samples.

    Args:
        levels: the Q levels, increasing.
        names: their names.
        std: standard deviation of the target in the training split, the unit of the loss.
    """

    def __init__(self, levels: Sequence[float], names: Sequence[str], std: float = 1.0) -> None:
        self._levels = tuple(levels)
        self._names = tuple(names)
        self._std = std
        self._quantiles: list[np.ndarray] = []
        self._targets: list[np.ndarray] = []
        self._units: list[np.ndarray] = []  # folds standardise by their own training parts

    def update(self, quantiles: np.ndarray, targets: np.ndarray) -> None:
        """Add a batch of (N, Q) quantiles and (N,) targets in the same units.

        Raises:
            ValueError: the shapes do not match.
        """
        if quantiles.shape != (len(targets), len(self._levels)):
            raise ValueError(f"quantiles {quantiles.shape} and targets {targets.shape}")
        self._quantiles.append(quantiles.astype(np.float64))
        self._targets.append(targets.astype(np.float64))
        self._units.append(np.full(len(targets), self._std))

    def merge(self, other: QuantileMetric) -> None:
        """Append all samples of another metric of the same levels."""
        self._quantiles += other._quantiles
        self._targets += other._targets
        self._units += other._units

    def compute(self) -> dict[str, float]:
        """Return the mean pinball loss over samples and levels: `loss` in standard deviations, `pinball` in units."""
        quantiles, targets, units = self._all()
        if not len(targets):
            return {"loss": math.nan, "pinball": math.nan}
        scaled = pinball_losses(targets / units, quantiles / units[:, None], self._levels)
        return {
            "loss": float(scaled.mean()),
            "pinball": float(pinball_losses(targets, quantiles, self._levels).mean()),
        }

    def report(self) -> dict[str, Any]:
        """Return the metrics, the fraction of samples whose quantiles are out of order, and entries of two tables.

        `quantiles` says of each level its pinball loss and the fraction of targets below it, which should be the level;
        `intervals` the coverage and mean width of the intervals between outer levels, as `interval_entry`.
        """
        quantiles, targets, _ = self._all()
        if not len(targets):
            return {"metrics": self.compute(), "quantiles": [], "intervals": []}
        crossing = float((np.diff(quantiles, axis=1) < 0).any(1).mean())
        losses = pinball_losses(targets, quantiles, self._levels)
        below = (targets[:, None] <= quantiles).mean(0)
        rows = zip(self._names, self._levels, below.tolist(), losses.tolist(), strict=True)
        return {
            "metrics": {**self.compute(), "crossing": crossing},
            "quantiles": [
                {"quantile": name, "level": level, "below": share, "pinball": loss} for name, level, share, loss in rows
            ],
            "intervals": [
                interval_entry(
                    f"{self._names[low]} to {self._names[high]}",
                    self._levels[high] - self._levels[low],
                    targets,
                    quantiles[:, low],
                    quantiles[:, high],
                )
                for low, high in nested_pairs(len(self._levels))
            ],
        }

    def _all(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        empty = np.empty(0)
        quantiles = np.concatenate([np.empty((0, len(self._levels))), *self._quantiles])
        return quantiles, np.concatenate([empty, *self._targets]), np.concatenate([empty, *self._units])


def conformal_factors(errors: np.ndarray, scales: np.ndarray, coverages: Sequence[float]) -> np.ndarray:
    """Return by what scales must be multiplied so that intervals hold new values with given probabilities.

    A factor is the ceil((n + 1) c)-th smallest of |error| / scale. If new rows are drawn as these were, the coverage is
    at least c, whatever the distribution (Lei et al. 2018, "Distribution-free predictive inference for regression").

    Args:
        errors: (n,), of rows that were not trained on.
        scales: (n,), above 0, in the same units.
        coverages: C probabilities in (0, 1).

    Returns:
        (C,) float64, NaN for coverages that n rows are too few for.
    """
    scores = np.sort(np.abs(errors) / scales)
    # Rounded, since 10 x 0.9 must be 9 and not the float above it.
    ranks = np.ceil(np.round((len(scores) + 1) * np.asarray(coverages, np.float64), 9)).astype(int)
    padded = np.append(scores, math.nan)
    return np.asarray(padded[np.minimum(ranks, len(scores) + 1) - 1])
