"""Near-duplicates and outliers among the vectors of items, by exact search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlcli.data.collection import Pairs
from dlcli.data.neighbours import EUCLIDEAN, nearest_rows

SIMILAR = 0.9
"""The least cosine of near-duplicates."""

NUM_CANDIDATES = 5
"""Neighbours of each item among which its near-duplicates are."""

NUM_NEIGHBOURS = 10
"""Neighbours to which the distance of an outlier is measured."""

FENCE = 3.0
"""Quartile distances beyond the third quartile from which a value is "far out" (Tukey 1977)."""


@dataclass(frozen=True, eq=False)
class Outliers:
    """Items far from all others, the farthest first.

    Attributes:
        rows: (M,) int64, their rows.
        distances: (M,) float64, the mean Euclidean distance to their nearest neighbours.
        fence: the distance from which an item is an outlier.
    """

    rows: np.ndarray
    distances: np.ndarray
    fence: float


def similar_vectors(vectors: np.ndarray) -> Pairs:
    """Return the pairs of vectors, (N, D), with a cosine near 1, by their rows.

    A network brings all items of a class together, so a pair has to be clearly nearer than most items and their
    nearest: its distance from 1 is at most half of that of three quarters of them.
    """
    if len(vectors) < 2:
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), SIMILAR)
    found = nearest_rows(vectors, vectors, NUM_CANDIDATES, exclude=np.arange(len(vectors)))
    least = float(np.clip((1 + np.quantile(found.values[:, 0], 0.75)) / 2, SIMILAR, 1 - 1e-6))
    first = np.repeat(np.arange(len(vectors)), found.rows.shape[1])
    pairs, places = np.unique(
        np.sort(np.stack([first, found.rows.reshape(-1)], axis=1), axis=1), axis=0, return_index=True
    )
    values = found.values.reshape(-1)[places]
    is_similar = values >= least
    return Pairs(pairs[is_similar, 0], pairs[is_similar, 1], values[is_similar], least)


def find_outliers(vectors: np.ndarray) -> Outliers:
    """Return the vectors, (N, D), whose mean distance to their nearest neighbours is extreme.

    Source: the distance is that of Ramaswamy et al. 2000, "Efficient algorithms for mining outliers", averaged over the
    neighbours (Angiulli & Pizzuti 2002).
    """
    if len(vectors) < 2:
        return Outliers(np.zeros(0, np.int64), np.zeros(0), 0.0)
    found = nearest_rows(vectors, vectors, NUM_NEIGHBOURS, metric=EUCLIDEAN, exclude=np.arange(len(vectors)))
    distances = found.values.mean(axis=1)
    low, high = np.quantile(distances, [0.25, 0.75])
    fence = float(high + FENCE * (high - low))
    rows = np.flatnonzero(distances > fence)
    rows = rows[np.argsort(-distances[rows], kind="stable")]
    return Outliers(rows, distances[rows], fence)
