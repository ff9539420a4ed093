"""Items whose label is probably wrong, by the probabilities of a network that has not seen them. Numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class ItemProbabilities:
    """What a classifier says of items.

    Attributes:
        rows: (N,) int64, the numbers of the items in their data.
        labels: (N,) int64 class indices, as the data has them.
        probabilities: (N, C) float, NaN where there is no answer.
    """

    rows: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True, eq=False)
class Suspects:
    """Items whose label is probably wrong, the most certain first.

    Attributes:
        places: (S,) int64, their places among the items.
        suggested: (S,) int64, the class that each probably is of.
        margins: (S,) float64, the probability of that class less that of the label.
    """

    places: np.ndarray
    suggested: np.ndarray
    margins: np.ndarray


def find_label_errors(labels: np.ndarray, probabilities: np.ndarray) -> Suspects:
    """Return the items that are confidently of another class than their label.

    A class's threshold is the mean of its probability over the items of that label. An item is confidently of the most
    probable of the classes whose threshold it reaches. That counts errors well even if the network is too sure or too
    unsure of a class, since thresholds move with it.

    Args:
        labels: (N,) int64 in [0, C).
        probabilities: (N, C), of a network that was not trained on the item; rows with NaN are never suspects.

    Source: Northcutt et al. 2021, "Confident Learning", arXiv:1911.00068, equations 1 and 2; ranked by its normalised
    margin.
    """
    count, num_classes = probabilities.shape
    is_known = np.isfinite(probabilities).all(axis=1)
    own = probabilities[np.arange(count), labels]
    thresholds = np.full(num_classes, np.inf)
    for label in np.unique(labels[is_known]):
        thresholds[label] = own[is_known & (labels == label)].mean()
    is_reached = is_known[:, None] & (np.nan_to_num(probabilities) >= thresholds)
    confident = np.where(is_reached, probabilities, -1.0).argmax(axis=1)
    places = np.flatnonzero(is_reached.any(axis=1) & (confident != labels))
    margins = probabilities[places, confident[places]] - own[places]
    order = np.argsort(-margins, kind="stable")
    return Suspects(places[order], confident[places[order]], margins[order])


def mean_by_row(items: ItemProbabilities) -> ItemProbabilities:
    """Return the mean probabilities of each item, in ascending order of rows; repeated folds test it several times.

    Answers that are missing are left out of the mean.
    """
    rows, first, places = np.unique(items.rows, return_index=True, return_inverse=True)
    sums, counts = np.zeros((len(rows), items.probabilities.shape[1])), np.zeros(len(rows))
    is_known = np.isfinite(items.probabilities).all(axis=1)
    np.add.at(sums, places.reshape(-1)[is_known], items.probabilities[is_known])
    np.add.at(counts, places.reshape(-1)[is_known], 1)
    means = np.divide(sums, counts[:, None], out=np.full_like(sums, np.nan), where=counts[:, None] > 0)
    return ItemProbabilities(rows, items.labels[first], means)
