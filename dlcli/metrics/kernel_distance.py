"""How far two sets of images lie apart, by features of their images: KID and FID. Numpy only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

MAX_SUBSET = 1000
"""Images of a set in a subset, at most, as in the paper's experiments."""

_ROWS = 1000
"""Of the kernel matrix at once: with 10,000 images 80 MB."""


@dataclass(frozen=True)
class Distance:
    """A distance between two sets of images.

    Attributes:
        value: the unbiased estimate; it may be below 0 where the sets hardly differ.
        standard_error: of the value, for the choice of the images.
        num_real, num_made: images of both sets.
    """

    value: float
    standard_error: float
    num_real: int
    num_made: int


def kernel_distance(
    real: np.ndarray, made: np.ndarray, *, subsets: int = 100, subset_size: int = MAX_SUBSET, seed: int = 0
) -> Distance:
    """Return the kernel (inception) distance of two sets of images: the squared MMD with the kernel (x.y/D + 1)^3.

    The value is the unbiased estimate from all pairs of images. The mean over random subsets, which is often given in
    its place, estimates the same with more noise. The standard error is that of the delete-d jackknife: each subset has
    the same share of both sets, p, at most a half, and their standard deviation is scaled by the root of p / (1 - p).

    Args:
        real: (N, D) features of the images of one set.
        made: (M, D) features of those of the other.
        subsets: random subsets for the standard error; 0 for none, which is then NaN.
        subset_size: images of a set in a subset, at most.
        seed: of the subsets.

    Returns:
        The distance; its standard error is NaN where a set has fewer than four images.

    Raises:
        ValueError: a set has fewer than two images, or the features differ in number or are not finite.

    Source: Binkowski et al. 2018, arXiv:1801.01401; for the error Shao & Wu 1989, "A general theory for jackknife
    variance estimation".
    """
    real, made = _checked(real, made)
    share = min(0.5, subset_size / max(len(real), len(made)))
    counts = [math.floor(share * len(each)) for each in (real, made)]
    chosen = subsets if min(counts) >= 2 else 0
    random = np.random.default_rng(seed)
    weights = [_weights(len(each), count, chosen, random) for each, count in zip((real, made), counts, strict=True)]
    within = [_mean_within(each, weight) for each, weight in zip((real, made), weights, strict=True)]
    between = _sums(real, made, weights[0], weights[1]) / (weights[0].sum(axis=1) * weights[1].sum(axis=1))
    estimates = within[0] + within[1] - 2 * between
    error = estimates[1:].std(ddof=1) * math.sqrt(share / (1 - share)) if chosen > 1 else math.nan
    return Distance(float(estimates[0]), float(error), len(real), len(made))


def frechet_distance(real: np.ndarray, made: np.ndarray) -> float:
    """Return the Fréchet (inception) distance of two sets of images: that of normal distributions fitted to them.

    It is biased: with few images it is too large, so only distances of equally many images can be compared.

    The trace of the root of the product of both covariances is the sum of the singular values of X Y^T, where X and Y
    are the centred features; so no root of a matrix is taken, whose rank may be small.

    Args:
        real: (N, D) features of the images of one set.
        made: (M, D) features of those of the other.

    Raises:
        ValueError: as `kernel_distance`.

    Source: Heusel et al. 2017, arXiv:1706.08500.
    """
    real, made = _checked(real, made)
    means = [each.mean(axis=0) for each in (real, made)]
    centred = [
        _compact((each - mean) / math.sqrt(len(each) - 1)) for each, mean in zip((real, made), means, strict=True)
    ]
    shared = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    traces = sum(float((each**2).sum()) for each in centred)
    return float(((means[0] - means[1]) ** 2).sum() + traces - 2 * shared)


def _checked(real: np.ndarray, made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    real, made = np.asarray(real, np.float64), np.asarray(made, np.float64)
    if real.ndim != 2 or made.ndim != 2 or real.shape[1] != made.shape[1]:
        raise ValueError(f"features of shapes {real.shape} and {made.shape}")
    if min(len(real), len(made)) < 2:
        raise ValueError("a distance needs at least two images of each set")
    if not (np.isfinite(real).all() and np.isfinite(made).all()):
        raise ValueError("features that are not finite")
    return real, made


def _weights(count: int, size: int, subsets: int, random: np.random.Generator) -> np.ndarray:
    """Return which images are in each subset, (1 + subsets, count) of 0 and 1; the first row has them all."""
    weights = np.zeros((1 + subsets, count))
    weights[0] = 1
    for row in weights[1:]:
        row[random.choice(count, size, replace=False)] = 1
    return weights


def _mean_within(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean kernel of two different images of each subset, (S,)."""
    count = weights.sum(axis=1)
    own = ((features**2).sum(axis=1) / features.shape[1] + 1) ** 3
    return np.asarray((_sums(features, features, weights, weights) - weights @ own) / (count * (count - 1)))


def _sums(first: np.ndarray, second: np.ndarray, first_weights: np.ndarray, second_weights: np.ndarray) -> np.ndarray:
    """Return the sum of the kernels of all pairs of each subset, (S,)."""
    total = np.zeros(len(first_weights))
    for start in range(0, len(first), _ROWS):
        rows = slice(start, start + _ROWS)
        kernel = (first[rows] @ second.T / first.shape[1] + 1) ** 3
        total += ((kernel @ second_weights.T).T * first_weights[:, rows]).sum(axis=1)
    return total


def _compact(centred: np.ndarray) -> np.ndarray:
    """Return a matrix of at most D rows with the same inner products of columns as (N, D) features."""
    return np.asarray(np.linalg.qr(centred, mode="r")) if len(centred) > centred.shape[1] else centred
