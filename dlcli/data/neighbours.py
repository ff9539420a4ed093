"""Exact nearest neighbours of vectors, by matrix products in blocks: for up to a million rows, without an index.

Products in float32 find the candidates, with a margin for their rounding; their order is that of float64. So equal rows
are equally near and keep the order of their numbers, whatever the sizes of the blocks, and the answer is the one that a
comparison of every pair in float64 gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COSINE, EUCLIDEAN = "cosine", "euclidean"
METRICS = (COSINE, EUCLIDEAN)

QUERY_BLOCK = 256
"""Queries of one product."""

BLOCK_VALUES = 1 << 22
"""Values of a block of rows: 16 MiB in float32. Twice and half as many are as fast."""

MOST_ROWS, FEWEST_ROWS = 1 << 14, 1 << 8
"""Rows of a block, so that its products with a block of queries are at most 16 MiB."""

_ROUNDING = 2.0**-24
_FEW = 32
"""Candidates beyond `k` that are compared in float64 without another look at their products."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest rows of each of Q queries, nearest first, equally near ones in the order of their numbers.

    Attributes:
        rows: (Q, K) int64.
        values: (Q, K) float64: the cosine similarity in [-1, 1], or the Euclidean distance.
    """

    rows: np.ndarray
    values: np.ndarray


def nearest_rows(
    vectors: np.ndarray,
    queries: np.ndarray,
    k: int,
    *,
    metric: str = COSINE,
    exclude: np.ndarray | None = None,
) -> Neighbours:
    """Return the `k` nearest rows of each query, found by comparison with every row.

    Time is that of a product of both matrices. Memory, beside the arguments and the answer, is at most 200 MB for
    vectors of up to 16,000 values, whatever the numbers of rows and queries; `vectors` may be memory-mapped.

    Args:
        vectors: (N, D) float, finite.
        queries: (Q, D) float, finite.
        k: at least 1.
        metric: "cosine", where the similarity to a vector of zeros is 0, or "euclidean".
        exclude: (Q,) int, for each query a row that is left out, such as the query itself; None for none.

    Returns:
        K is `k`, or the number of rows (without the one that is left out) where there are fewer.

    Raises:
        ValueError: the shapes do not fit together, `k` is below 1, the metric is unknown, or a value is not finite.
    """
    vectors, queries = np.asarray(vectors), np.asarray(queries)
    if vectors.ndim != 2 or queries.ndim != 2 or vectors.shape[1] != queries.shape[1]:
        raise ValueError(f"vectors {vectors.shape} and queries {queries.shape}")
    if k < 1 or metric not in METRICS:
        raise ValueError(f"the {k} nearest by {metric!r}; metrics: {', '.join(METRICS)}")
    if exclude is not None and (np.shape(exclude) != (len(queries),) or not _within(exclude, len(vectors))):
        raise ValueError(f"rows to exclude of {len(vectors)} do not fit {len(queries)} queries")
    k = min(k, len(vectors) - (exclude is not None))
    best, scale = _Best(len(queries), k), 1.0
    size = int(np.clip(BLOCK_VALUES // max(vectors.shape[1], 1), FEWEST_ROWS, MOST_ROWS))
    if k:
        # A power of two, so that scaling does not round; squares of scaled values cannot overflow.
        scale = 2.0 ** -np.frexp(max(_largest(vectors, size), _largest(queries, size)) or 1.0)[1]
        for start in range(0, len(vectors), size):
            _add_block(best, vectors[start : start + size], start, queries, metric, exclude, scale)
    return Neighbours(best.rows, -best.values if metric == COSINE else np.sqrt(best.values) / scale)


def _within(rows: np.ndarray, count: int) -> bool:
    return not len(rows) or bool(np.min(rows) >= 0 and np.max(rows) < count)


def _largest(values: np.ndarray, size: int) -> float:
    """Return the largest absolute value.

    Raises:
        ValueError: one is not finite.
    """
    largest = [float(np.abs(values[start : start + size]).max(initial=0)) for start in range(0, len(values), size)]
    if not np.isfinite(largest).all():
        raise ValueError("a value is not finite")
    return max(largest, default=0.0)


class _Best:
    """The nearest rows of each query among the blocks so far; a smaller value is nearer."""

    def __init__(self, num_queries: int, k: int) -> None:
        self.values = np.full((num_queries, k), np.inf)
        self.rows = np.zeros((num_queries, k), np.int64)

    def add(self, query: int, rows: np.ndarray, values: np.ndarray) -> None:
        """Add rows, (n,), with values, (n,), to those of one query."""
        values = np.concatenate([self.values[query], values])
        rows = np.concatenate([self.rows[query], rows])
        order = np.lexsort((rows, values))[: self.rows.shape[1]]
        self.values[query], self.rows[query] = values[order], rows[order]


def _add_block(
    best: _Best,
    block: np.ndarray,
    first: int,
    queries: np.ndarray,
    metric: str,
    exclude: np.ndarray | None,
    scale: float,
) -> None:
    """Add the rows of a block, of which `first` is the number of the first, to the best of every query."""
    exact = _scaled(block, metric, scale)
    rough, squares = exact.astype(np.float32), np.einsum("nd,nd->n", exact, exact).astype(np.float32)
    k = best.rows.shape[1]
    for start in range(0, len(queries), QUERY_BLOCK):
        own = _scaled(queries[start : start + QUERY_BLOCK], metric, scale)
        products = own.astype(np.float32) @ rough.T
        margins = _margins(own, squares, metric)
        for place, (query, margin) in enumerate(zip(own, margins.tolist(), strict=True)):
            number = start + place
            scores = -products[place] if metric == COSINE else squares - 2 * products[place]
            if exclude is not None and first <= exclude[number] < first + len(scores):
                scores[exclude[number] - first] = np.inf
            shift = 0.0 if metric == COSINE else float(query @ query)
            limit = best.values[number, -1] - shift + margin
            found = np.flatnonzero(scores <= limit) if np.isfinite(limit) else np.flatnonzero(np.isfinite(scores))
            if len(found) > k + _FEW:
                cut = np.partition(scores[found], k - 1)[k - 1] + 2 * margin
                found = found[scores[found] <= cut]
            if len(found):
                best.add(number, found + first, _values(query, exact[found], metric))


def _scaled(block: np.ndarray, metric: str, scale: float) -> np.ndarray:
    """Return vectors as float64 for comparison: of length 1 (or 0) for cosines, else scaled."""
    exact = np.asarray(block, np.float64) * scale
    if metric == COSINE:
        lengths = np.sqrt(np.einsum("nd,nd->n", exact, exact))[:, None]
        np.divide(exact, lengths, out=exact, where=lengths > 0)
    return exact


def _margins(queries: np.ndarray, squares: np.ndarray, metric: str) -> np.ndarray:
    """Return for each query how far a float32 score may be from that of float64, (Q,).

    A sum of D products, in any order, is off by at most D units of rounding of the sum of the absolute products, which
    is at most the product of the lengths (Higham 2002, "Accuracy and Stability of Numerical Algorithms", section 3.1).
    """
    units = (queries.shape[1] + 8) * _ROUNDING
    if metric == COSINE:
        return np.full(len(queries), 2 * units)
    own = np.einsum("qd,qd->q", queries, queries)
    return np.asarray(4 * units * (own + float(squares.max(initial=0))))


def _values(query: np.ndarray, rows: np.ndarray, metric: str) -> np.ndarray:
    """Return the values of rows for one query in float64: minus the cosine, or the squared distance of scaled ones.

    A sum along the last axis adds each row's values in the same order, so that equal rows get equal values.
    """
    if metric == COSINE:
        return -np.clip((rows * query).sum(1), -1.0, 1.0)
    return np.asarray(((rows - query) ** 2).sum(1))
