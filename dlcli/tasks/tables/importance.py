"""How much a table's run needs each column: permutation importance, with an interval over repeats. Torch-free.

The importance of a column is how much worse the metric gets when its values are dealt out to other rows (Breiman 2001,
"Random Forests"; Fisher, Rudin & Dominici 2019, arXiv:1801.01489). Columns that say the same stand in for each other,
so each of them alone may look unimportant: they can be dealt out together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Place = tuple[str, int]
"""The name of a network's input, and the column in it."""

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Importance:
    """The importance of a column, or of several together.

    Attributes:
        name: its name; of several, joined.
        mean: how much worse the metric gets on average.
        low, high: the ends of the 95 % interval.
        repeats: how much worse it got each time.
    """

    name: str
    mean: float
    low: float
    high: float
    repeats: tuple[float, ...]

    @property
    def is_sure(self) -> bool:
        """Whether the interval lies above 0."""
        return self.low > 0


def permutation_importance(
    score: Callable[[Mapping[str, np.ndarray]], float],
    inputs: Mapping[str, np.ndarray],
    groups: Mapping[str, Sequence[Place]],
    *,
    repeats: int,
    seed: int,
    larger_is_better: bool,
) -> list[Importance]:
    """Return the importance of each group of columns, in their order.

    The n-th group is dealt out by numpy's `default_rng((seed, n)).permutation`, all of its columns alike.

    Args:
        score: network inputs -> the metric.
        inputs: (N, ...) arrays by name.
        groups: name -> the columns that are dealt out together.
        repeats: R, at least 2.
        seed: of the permutations.
        larger_is_better: of the metric.
    """
    base = score(inputs)
    sign = 1 if larger_is_better else -1
    found = []
    for number, (name, places) in enumerate(groups.items()):
        random = np.random.default_rng((seed, number))
        losses = []
        for _ in range(repeats):
            order = random.permutation(len(next(iter(inputs.values()))))
            losses.append(sign * (base - score(_dealt(inputs, places, order))))
        found.append(Importance(name, *_interval(np.array(losses)), tuple(losses)))
    return found


def _dealt(inputs: Mapping[str, np.ndarray], places: Sequence[Place], order: np.ndarray) -> dict[str, np.ndarray]:
    """Return the inputs with some columns in another order of the rows."""
    changed = {name: inputs[name].copy() for name, _ in places}
    for name, column in places:
        changed[name][:, column] = inputs[name][order, column]
    return {**inputs, **changed}


def _interval(losses: np.ndarray) -> tuple[float, float, float]:
    """Return the mean, and the ends of its 95 % interval.

    Where a column says nothing, the order of its values in the data is one permutation among the others, and the metric
    is as likely to be among the largest as any repeat's. So the interval is the one in which a further repeat would
    lie, s sqrt(1 + 1 / R), and not that of the mean, s / sqrt(R), which shrinks with the repeats of equal data.
    """
    from scipy.stats import t

    mean = float(losses.mean())
    width = float(t.ppf((1 + CONFIDENCE) / 2, len(losses) - 1)) * float(losses.std(ddof=1))
    width *= math.sqrt(1 + 1 / len(losses))
    return mean, mean - width, mean + width
