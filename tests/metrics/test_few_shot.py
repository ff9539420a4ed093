from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid

from dlcli.metrics.few_shot import nearest_mean_accuracy


def clouds(count: int, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    return np.eye(3)[labels] * (1 + labels[:, None]) + spread * random.standard_normal((count, 3)), labels


def test_with_all_examples_it_is_the_nearest_centroid() -> None:
    vectors, labels = clouds(60, 0.8)
    items, truth = clouds(300, 0.8, seed=1)
    found = nearest_mean_accuracy(vectors, labels, items, truth, 20)
    expected = (NearestCentroid().fit(vectors, labels).predict(items) == truth).mean()
    assert found.accuracy == pytest.approx(expected) and found.error == pytest.approx(0, abs=1e-12)


def test_more_examples_are_better_and_vary_less() -> None:
    vectors, labels = clouds(900, 0.8)
    items, truth = clouds(300, 0.8, seed=1)
    few, more = (nearest_mean_accuracy(vectors, labels, items, truth, shots) for shots in (1, 50))
    assert few.accuracy + 5 * few.error < more.accuracy and more.error < few.error
    assert nearest_mean_accuracy(vectors, labels, items, truth, 1) == few  # the same seed, the same draws


def test_classes_keep_their_numbers_and_unknown_ones_are_wrong() -> None:
    vectors, labels = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([7, 2])
    items = np.array([[0.1, 0.9], [0.8, 0.1], [1.0, 0.0], [1.0, 0.0]])
    found = nearest_mean_accuracy(vectors, labels, items, np.array([7, 2, 2, 5]), 1)
    assert found.accuracy == 0.75


def test_too_few_examples_name_the_class() -> None:
    with pytest.raises(ValueError, match=r"\(4, 1\)"):
        nearest_mean_accuracy(np.eye(3), np.array([1, 1, 4]), np.eye(3), np.array([1, 1, 4]), 2)
