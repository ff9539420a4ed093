"""Logistic regression over sparse features by scikit-learn, with the penalty that the validation part prefers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from sklearn.linear_model import LogisticRegression

INVERSE_PENALTIES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""scikit-learn's C, from the strongest penalty on: 1 is best for short posts, 16 for hotel reviews (docs/log.md)."""

USUAL = 4.0
"""The C where there is nothing to choose it by."""

LEAST_VALIDATION = 50
"""With fewer items the validation part cannot tell one penalty from the next."""

MAX_STEPS = 200
LEAST_PROBABILITY = 1e-12
NEVER = -30.0
"""The bias of a class without items to learn from."""


@dataclass(frozen=True)
class Logistic:
    """A fitted logistic regression.

    Attributes:
        weights: (C, F) float32.
        bias: (C,) float32.
        inverse_penalty: scikit-learn's C.
    """

    weights: np.ndarray
    bias: np.ndarray
    inverse_penalty: float


def fit_logistic(
    features: csr_array,
    labels: np.ndarray,
    valid_features: csr_array,
    valid_labels: np.ndarray,
    *,
    num_classes: int,
    class_weights: np.ndarray | None = None,
) -> Logistic:
    """Return the logistic regression whose penalty has the lowest loss on the validation part. Deterministic.

    The penalties are tried from the strongest on, each starting from the weights before, until the loss has risen
    twice: its curve has one valley.

    Args:
        features: (N, F) sparse.
        labels: (N,) integers in [0, num_classes), of two classes or more.
        valid_features, valid_labels: the validation part; with less than `LEAST_VALIDATION` items nothing is chosen.
        num_classes: C.
        class_weights: (C,) weights of the items of each class, or None.

    Raises:
        ValueError: all labels are of one class.
    """
    from sklearn.linear_model import LogisticRegression

    used = np.unique(features.indices)  # most rows of a table of hashes are empty
    matrix, weights = features[:, used], None if class_weights is None else class_weights[labels]
    has_choice = len(valid_labels) >= LEAST_VALIDATION
    valid = valid_features[:, used] if has_choice else None
    model = LogisticRegression(C=USUAL, max_iter=MAX_STEPS, warm_start=True)
    best: tuple[float, float, np.ndarray, np.ndarray] | None = None
    num_worse = 0
    for inverse in INVERSE_PENALTIES if has_choice else (USUAL,):
        model.C = inverse
        model.fit(matrix, labels, sample_weight=weights)
        loss = _loss(model, valid, valid_labels) if valid is not None else 0.0
        if best is None or loss < best[0]:
            best, num_worse = (loss, inverse, model.coef_.copy(), model.intercept_.copy()), 0
        else:
            num_worse += 1
        if num_worse == 2:
            break
    assert best is not None
    weights_of_all = _of_every_class(model.classes_, best[2], best[3], used, features.shape[1], num_classes)
    return Logistic(*weights_of_all, best[1])


def _loss(model: LogisticRegression, features: csr_array, labels: np.ndarray) -> float:
    """Return the mean cross-entropy."""
    places = np.searchsorted(model.classes_, labels).clip(max=len(model.classes_) - 1)
    found = model.predict_proba(features)[np.arange(len(labels)), places] * (model.classes_[places] == labels)
    return float(-np.log(np.maximum(found, LEAST_PROBABILITY)).mean())


def _of_every_class(
    classes: np.ndarray, weights: np.ndarray, bias: np.ndarray, used: np.ndarray, num_features: int, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return (C, F) weights and (C,) biases of all classes, from those of the used features and the classes seen."""
    if len(classes) == 2:  # scikit-learn has one weight for two classes, the difference of ours
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    every = np.zeros((num_classes, num_features), np.float32)
    every[np.ix_(classes, used)] = weights
    biases = np.full(num_classes, NEVER, np.float32)
    biases[classes] = bias
    return every, biases
