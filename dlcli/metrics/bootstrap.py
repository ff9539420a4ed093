"""Intervals of a figure, and of the difference of two on equal items, by resampling items: numpy only.

Sources: Efron & Tibshirani 1993, "An Introduction to the Bootstrap" (percentile intervals); Koehn 2004, "Statistical
Significance Tests for Machine Translation Evaluation" (paired resampling).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dlcli.metrics.item_scores import REDUCTIONS, ItemFigure

NUM_RESAMPLES = 10_000
MAX_DRAWS = 200_000_000
"""Draws of items over all resamples, at most; about three seconds."""
LEAST_RESAMPLES = 1000
_CHUNK = 2_000_000
"""Draws that are held in memory at a time."""


@dataclass(frozen=True)
class Interval:
    """A figure, or a difference of two, with its uncertainty.

    Attributes:
        value: on the items themselves.
        low, high: the bounds of 95 % of the resamples.
        standard_error: the standard deviation over the resamples.
        resamples, items: how many there were.
    """

    value: float
    low: float
    high: float
    standard_error: float
    resamples: int
    items: int


def interval_of(figure: ItemFigure, *, resamples: int = NUM_RESAMPLES, seed: int = 0) -> Interval:
    """Return the 95 % interval of a figure over resampled items.

    Args:
        figure: of at least one item.
        resamples: how many at most; fewer for very many items.
        seed: of the resampling.
    """
    count, reduce = len(figure.statistics), REDUCTIONS[figure.reduction]
    return _interval(figure.statistics, lambda sums: reduce(sums, count), resamples, seed)


def paired_interval(
    first: ItemFigure, second: ItemFigure, *, resamples: int = NUM_RESAMPLES, seed: int = 0
) -> Interval:
    """Return the 95 % interval of the first figure minus the second, over the same resampled items for both.

    Args:
        first, second: figures of the same items in the same order, with the same reduction.
        resamples, seed: see `interval_of`.

    Raises:
        ValueError: the figures do not belong together.
    """
    if first.reduction != second.reduction or len(first.statistics) != len(second.statistics):
        raise ValueError("figures of other items or of another kind")
    count, reduce, width = len(first.statistics), REDUCTIONS[first.reduction], first.statistics.shape[1]

    def difference(sums: np.ndarray) -> np.ndarray:
        return np.asarray(reduce(sums[..., :width], count) - reduce(sums[..., width:], count))

    return _interval(np.hstack([first.statistics, second.statistics]), difference, resamples, seed)


def _interval(
    statistics: np.ndarray, reduce: Callable[[np.ndarray], np.ndarray], resamples: int, seed: int
) -> Interval:
    count = len(statistics)
    if not count:
        raise ValueError("no items to resample")
    resamples = min(resamples, max(MAX_DRAWS // count, LEAST_RESAMPLES))
    found = reduce(_resampled_sums(statistics, resamples, np.random.default_rng(seed)))
    low, high = np.percentile(found, [2.5, 97.5])
    value = float(reduce(statistics.sum(axis=0)))
    return Interval(value, float(low), float(high), float(found.std(ddof=1)), resamples, count)


def _resampled_sums(statistics: np.ndarray, resamples: int, random: np.random.Generator) -> np.ndarray:
    """Return the sums over the items of each resample, (R, S).

    Items with equal statistics are drawn together, by one multinomial count: of right and wrong answers there are two
    kinds, whatever the number of items.
    """
    kinds, counts = np.unique(statistics, axis=0, return_counts=True)
    total, chunks = len(statistics), []
    step = max(_CHUNK // len(kinds), 1)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        if len(kinds) * 4 <= total:
            weights = random.multinomial(total, counts / total, size=size)
        else:
            drawn = random.integers(0, total, (size, total)) + total * np.arange(size)[:, None]
            weights = np.bincount(drawn.ravel(), minlength=size * total).reshape(size, total)
        chunks.append(weights @ (kinds if len(kinds) * 4 <= total else statistics))
    return np.concatenate(chunks)
