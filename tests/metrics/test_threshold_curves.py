"""The curves equal scikit-learn's, point by point."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as peer

from dlcli.metrics.threshold_curves import area, precision_recall, roc


@settings(max_examples=200)
@given(st.integers(1, 60), st.integers(1, 40), st.integers(0, 10**6))
def test_curves_and_areas_equal_scikit_learn_s_with_and_without_ties(count: int, num_scores: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.random(count + 1) < 0.4
    truth[:2] = True, False  # both are there
    scores = random.integers(0, num_scores, count + 1) / num_scores
    for ours, theirs in ((precision_recall, peer.precision_recall_curve), (roc, peer.roc_curve)):
        for found, expected in zip(ours(truth, scores), theirs(truth, scores), strict=False):
            np.testing.assert_array_equal(found, expected)
    rates = roc(truth, scores)
    assert area(*rates) == pytest.approx(peer.roc_auc_score(truth, scores))


def test_all_true_has_a_precision_of_one() -> None:
    precision, recall = precision_recall(np.array([True, True, True]), np.array([0.1, 0.5, 0.5]))
    assert precision.tolist() == [1.0, 1.0, 1.0]
    assert recall.tolist() == [1.0, 2 / 3, 0.0]


def test_points_on_a_straight_line_are_left_out() -> None:
    # Three right ones and then three wrong ones: the curve has one corner.
    false_rate, true_rate = roc(np.array([1, 1, 1, 0, 0, 0], bool), np.array([0.9, 0.8, 0.7, 0.3, 0.2, 0.1]))
    assert list(zip(false_rate.tolist(), true_rate.tolist(), strict=True)) == [(0, 0), (0, 1 / 3), (0, 1), (1, 1)]
    assert area(false_rate, true_rate) == 1.0
