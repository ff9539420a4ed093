"""How a run's answers depend on one column: partial dependence, by trying each value in every row. Torch-free.

Source: Friedman 2001, "Greedy function approximation", section 8.2; the lines of single rows are those of Goldstein et
al. 2015, arXiv:1309.6392.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

TAILS = (0.05, 0.95)
"""The quantiles of a column between which its values are tried: beyond them there are few rows to learn from."""


def grid_of(values: np.ndarray, most: int) -> np.ndarray:
    """Return the values of a column of numbers that are tried, increasing, (G,).

    All of them if there are fewer than `most`, else evenly spaced ones between its 5 % and 95 % quantiles, as in
    scikit-learn.
    """
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    if len(distinct) < most:
        return distinct
    low, high = np.quantile(known, TAILS)
    if low == high:
        return distinct[:: -(-len(distinct) // most)]
    return np.linspace(low, high, most)


def responses(
    answer: Callable[[Mapping[str, np.ndarray]], np.ndarray],
    inputs: Mapping[str, np.ndarray],
    place: tuple[str, int],
    grid: np.ndarray,
) -> np.ndarray:
    """Return the answers to all rows with each value of the grid in one column, (G, N, K).

    Args:
        answer: network inputs -> (N, K) answers.
        inputs: (N, ...) arrays by name.
        place: the name of the input, and the column in it.
        grid: (G,) values.
    """
    name, column = place
    changed = {**inputs, name: inputs[name].copy()}
    found = []
    for value in grid:
        changed[name][:, column] = value
        found.append(answer(changed))
    return np.stack(found)
