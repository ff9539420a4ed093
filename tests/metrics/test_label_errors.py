"""Label errors: an example worked by hand, errors that were put in, and the mean over repeated folds."""

from __future__ import annotations

import numpy as np

from dlcli.metrics.label_errors import ItemProbabilities, find_label_errors, mean_by_row


def test_an_example_worked_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7], [0.6, 0.4], [np.nan, np.nan]])
    labels = np.array([0, 0, 0, 1, 1, 1, 0])
    # The thresholds are (0.9 + 0.7 + 0.2) / 3 = 0.6 of class 0, and (0.9 + 0.7 + 0.4) / 3 = 0.667 of class 1.
    found = find_label_errors(labels, probabilities)
    assert found.places.tolist() == [2, 5]
    assert found.suggested.tolist() == [1, 0]
    np.testing.assert_allclose(found.margins, [0.6, 0.2])


def test_of_two_classes_above_their_thresholds_the_more_probable_counts():
    probabilities = np.array([[0.3, 0.45, 0.25], [0.5, 0.4, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]])
    found = find_label_errors(np.array([0, 1, 0, 2]), probabilities)
    # Thresholds 0.45, 0.4 and 0.8: item 1 reaches the first two and is more probably of class 0; item 0 is of class 1.
    assert dict(zip(found.places.tolist(), found.suggested.tolist(), strict=True)) == {0: 1, 1: 0}


def test_a_class_without_items_is_never_suggested():
    assert find_label_errors(np.array([0, 0]), np.array([[0.1, 0.9], [0.2, 0.8]])).places.tolist() == []
    assert find_label_errors(np.zeros(0, np.int64), np.zeros((0, 2))).places.tolist() == []


def test_wrong_labels_are_found_although_the_network_is_unsure_of_a_class():
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 900)
    sureness = np.array([0.9, 0.6, 0.5])[truth]  # of class 2 it is never sure
    probabilities = np.repeat(((1 - sureness) / 2)[:, None], 3, axis=1)
    probabilities[np.arange(900), truth] = sureness
    probabilities += random.normal(0, 0.002, probabilities.shape)
    labels = truth.copy()
    wrong = random.choice(900, 45, replace=False)
    labels[wrong] = (truth[wrong] + 1) % 3
    found = find_label_errors(labels, probabilities)
    assert set(found.places.tolist()) == set(wrong.tolist())
    assert (found.suggested == truth[found.places]).all()
    assert (np.diff(found.margins) <= 0).all()


def test_repeated_answers_to_an_item_are_averaged_and_missing_ones_left_out():
    items = ItemProbabilities(
        np.array([4, 2, 4, 2, 9]),
        np.array([1, 0, 1, 0, 1]),
        np.array([[0.2, 0.8], [0.6, 0.4], [0.4, 0.6], [np.nan, np.nan], [np.nan, np.nan]]),
    )
    mean = mean_by_row(items)
    assert (mean.rows.tolist(), mean.labels.tolist()) == ([2, 4, 9], [0, 1, 1])
    np.testing.assert_allclose(mean.probabilities, [[0.6, 0.4], [0.3, 0.7], [np.nan, np.nan]])
