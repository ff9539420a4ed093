"""Detections in a common order, so that two programs may sort equal scores differently."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlcli.export.plan import TOLERANCE, Arrays


def detections_aligned(
    *,
    boxes: str = "boxes",
    scores: str = "scores",
    labels: str = "labels",
    counts: str = "counts",
    tie: float = TOLERANCE,
) -> Callable[[Arrays, Arrays], Arrays]:
    """Return a function (reference, answer) -> answer with tied detections in the order of the reference's.

    Detections are sorted by score, so only those move whose scores are equal within `tie`: each of the reference's
    takes the nearest of them with its label. What has no counterpart stays in the places that are left, and a
    difference stays one. Only the order changes, never a value; a wrong order of unequal scores is not mended.

    Args:
        boxes, scores, labels, counts: the names of the outputs: (N, K, 4), (N, K), (N, K), and (N,), how many of the K
            are detections. Other outputs of shape (N, K, ...), as masks, move along.
        tie: how far scores of one order may lie apart.
    """

    def align(reference: Arrays, answer: Arrays) -> Arrays:
        names = (boxes, scores, labels, counts)
        if not all(
            name in answer and name in reference and answer[name].shape == reference[name].shape for name in names
        ):
            return answer  # the comparison will say what is wrong
        shape = answer[scores].shape
        order = np.tile(np.arange(shape[1]), (shape[0], 1))
        for row, count in enumerate(np.minimum(reference[counts], answer[counts]).clip(0, shape[1]).tolist()):
            wanted, given = ({name: side[name][row, :count] for name in names[:3]} for side in (reference, answer))
            distances = np.abs(wanted[boxes][:, None] - given[boxes]).sum(2)
            is_candidate = (np.abs(given[scores][:, None] - given[scores]) <= tie) & (
                wanted[labels][:, None] == given[labels]
            )
            order[row, :count] = _nearest(np.where(is_candidate, distances, np.inf))
        rows = np.arange(shape[0])[:, None]
        return {
            name: values[rows, order] if values.shape[:2] == shape and name != counts else values
            for name, values in answer.items()
        }

    return align


def _nearest(distances: np.ndarray) -> np.ndarray:
    """Return for each row the column that it takes, every column once: the nearest, else one that no row takes.

    Args:
        distances: (K, K), infinite where a column cannot stand for a row.
    """
    chosen = np.full(len(distances), -1)
    left = distances.copy()
    for row in range(len(left)):
        column = int(left[row].argmin())
        if np.isfinite(left[row, column]):
            chosen[row] = column
            left[:, column] = np.inf
    chosen[chosen < 0] = np.setdiff1d(np.arange(len(chosen)), chosen)
    return chosen
