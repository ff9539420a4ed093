"""Few-shot classification: the accuracy of the nearest class mean, of a few examples of each class. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NUM_DRAWS = 20
"""Draws of examples over which an accuracy is averaged: those of one draw differ by several points."""


@dataclass(frozen=True)
class FewShot:
    """An accuracy over several draws of examples.

    Attributes:
        accuracy: the mean over the draws, in [0, 1].
        error: its standard error over the draws, for the same items.
    """

    accuracy: float
    error: float


def nearest_mean_accuracy(
    vectors: np.ndarray,
    labels: np.ndarray,
    items: np.ndarray,
    truth: np.ndarray,
    shots: int,
    *,
    draws: int = NUM_DRAWS,
    seed: int = 0,
) -> FewShot:
    """Return how often the class whose mean is nearest to an item is the item's own.

    Source: Snell et al. 2017, "Prototypical Networks for Few-shot Learning", arXiv:1703.05175: Euclidean distances to
    the means of `shots` examples of each class.

    Args:
        vectors: (M, D) float, from which examples are drawn.
        labels: (M,) their class indices.
        items: (N, D) float, N at least 1.
        truth: (N,) class indices; an item of a class without vectors counts as wrong.
        shots: examples of each class, at least 1.
        draws: how many times they are drawn, at least 2.
        seed: of the draws.

    Raises:
        ValueError: a class has fewer vectors than `shots`; its arguments are the class index and that number.
    """
    random = np.random.default_rng(seed)
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min(initial=shots) < shots:
        raise ValueError(int(classes[counts.argmin()]), int(counts.min()))
    places = [np.flatnonzero(labels == each) for each in classes]
    accuracies = []
    for _ in range(draws):
        means = np.stack(
            [vectors[random.choice(own, shots, replace=False)].mean(0, dtype=np.float64) for own in places]
        )
        # |x - m|^2 is |x|^2 - 2 (x m - |m|^2 / 2), of which the first is the same for all classes.
        nearest = (items @ means.T - (means**2).sum(1) / 2).argmax(1)
        accuracies.append((classes[nearest] == truth).mean())
    return FewShot(float(np.mean(accuracies)), float(np.std(accuracies, ddof=1) / np.sqrt(draws)))
