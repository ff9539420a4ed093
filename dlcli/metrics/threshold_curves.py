"""Precision and recall, and the two rates of ROC, of a score at every threshold.

scikit-learn has the same curves, but importing its metrics takes 2.8 s of CPU, a third of a `dl eval`.

Imports numpy only.
"""

from __future__ import annotations

import numpy as np

FEWEST_FOR_OWN = 5
"""Classes with fewer positives than this share one threshold, chosen on all of them together.

The best threshold of one or two positives is that of the luckiest negative: on photos with 80 classes, half of 66
photos to choose on and half to measure on, such thresholds had a micro F1 of 0.18, and shared ones 0.34 (docs/log.md).
"""


def precision_recall(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return precision and recall at each threshold, the lowest first, as scikit-learn's `precision_recall_curve`.

    Args:
        truth: (N,) bools, of which at least one is true.
        scores: (N,) floats, larger for what is rather true.

    Returns:
        (T + 1,) precision and (T + 1,) recall for T distinct scores; the last point is precision 1 and recall 0.
    """
    hits, alarms = _counts(truth, scores)
    precision, recall = hits / (hits + alarms), hits / hits[-1]
    return np.append(precision[::-1], 1.0), np.append(recall[::-1], 0.0)


def roc(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rate at each threshold, the highest first, as scikit-learn's `roc_curve`.

    Args:
        truth: (N,) bools, of which at least one is true and one is false.
        scores: (N,) floats, larger for what is rather true.

    Returns:
        (P,) rates from (0, 0) to (1, 1), without the points in the middle of a straight line.
    """
    hits, alarms = (np.append(0, counts) for counts in _counts(truth, scores))
    # A point is a corner where the step before it differs from the one after it; the origin and both ends stay.
    is_corner = (np.diff(alarms[1:], n=2) != 0) | (np.diff(hits[1:], n=2) != 0)
    keep = np.concatenate([[True, True], is_corner, [True]])[-len(hits) :]  # of a single score there is one end
    return alarms[keep] / alarms[-1], hits[keep] / hits[-1]


def area(x: np.ndarray, y: np.ndarray) -> float:
    """Return the area under a curve of ascending x, by trapezia."""
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2)


def _counts(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the true and the false positives at each distinct score, the highest first."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)  # of equal scores
    hits = np.cumsum(truth[order])[last]
    return hits, last + 1 - hits
