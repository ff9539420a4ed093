"""Cutting a part out of labelled items so that every class keeps its share."""

from __future__ import annotations

import numpy as np


def stratified_part(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Return which items belong to the part, (N,) bool.

    Each class gives `round(fraction * n)` of its n items, at least one and never its last; a class with a single
    item gives none. The same labels, fraction and seed give the same part.

    Args:
        labels: (N,) class indices.
        fraction: of each class, in [0, 1].
    """
    generator = np.random.default_rng(seed)
    is_part = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = min(max(round(fraction * len(rows)), 1), len(rows) - 1) if fraction > 0 else 0
        is_part[generator.permutation(rows)[:count]] = True
    return is_part
