"""Aligning the order of detections, since two programs may sort equal scores differently."""

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
    """Return a function (reference, answer) -> answer with tied detections in the reference's order.

    Detections are sorted by score, so only those with scores equal within `tie` move: each of the reference's is
    matched with the nearest of them that has the same label. Detections without a match fill the remaining places, so
    that a difference remains one. Only the order changes, never a value; a wrong order of unequal scores is not fixed.

    Args:
        boxes, scores, labels, counts: the names of the outputs: (N, K, 4), (N, K), (N, K), and (N,), the number of
            detections among the K. Other outputs of shape (N, K, ...), such as masks, are reordered with them.
        tie: the largest difference of scores that count as equal.
    """

    def align(reference: Arrays, answer: Arrays) -> Arrays:
        names = (boxes, scores, labels, counts)
        if not all(
            name in answer and name in reference and answer[name].shape == reference[name].shape for name in names
        ):
            return answer  # the comparison reports what is wrong
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
    """Return a permutation, (K,): for each row the nearest free column, or one of the unmatched columns.

    Args:
        distances: (K, K), infinite for pairs that cannot match.
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
