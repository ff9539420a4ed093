"""The small models of the audit and their yardstick, against scipy, scikit-learn and examples by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from dlcli.data.text.audit.leakage import (
    LEAK,
    NOTE,
    NaiveBayes,
    Tokens,
    Verdict,
    Yardstick,
    count_by_class,
    errors_removed,
    texts_by_token,
    wilson_bound,
)

EVERYTHING = np.array([False, False, True, True])


def tokens_of(texts, labels):
    owners = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    ids = np.array([token for text in texts for token in text], np.int64)
    return Tokens(ids, owners, np.array(labels))


@pytest.mark.parametrize(("right", "total"), [(0, 1), (1, 1), (5, 5), (0, 50), (81, 263), (960, 1000)])
def test_the_bound_is_scipys_wilson_interval(right, total):
    expected = binomtest(right, total).proportion_ci(0.95, method="wilson").low
    assert wilson_bound(right, total) == pytest.approx(expected, abs=2e-5)  # 1.96 is rounded


def test_the_bound_lies_below_the_share_and_nears_it_with_more_trials():
    bounds = [wilson_bound(9 * count, 10 * count) for count in (1, 10, 100, 100_000)]
    assert bounds == sorted(bounds)
    assert bounds[-1] < 0.9
    assert bounds[-1] == pytest.approx(0.9, abs=2e-3)


@pytest.mark.parametrize(("right", "majority", "expected"), [(1000, 0.5, 1.0), (500, 0.5, 0.0), (0, 0.5, -1.0)])
def test_errors_removed_are_a_part_of_the_majoritys(right, majority, expected):
    is_right = np.arange(100_000) < right * 100
    assert errors_removed(is_right, majority) == pytest.approx(expected, abs=0.01)
    assert errors_removed(is_right, majority) <= expected


def test_where_the_majority_makes_no_errors_none_are_removed():
    assert errors_removed(np.ones(9, bool), 1.0) == 0.0


def test_pairs_are_counted_as_a_loop_would():
    random = np.random.default_rng(0)
    values, labels = random.integers(0, 5, 60), random.integers(0, 3, 60)
    expected = np.zeros((3, 5), int)
    for value, label in zip(values, labels, strict=True):
        expected[label, value] += 1
    np.testing.assert_array_equal(count_by_class(values, labels, num_classes=3, num_values=5), expected)
    assert count_by_class(values[:0], labels[:0], num_classes=3, num_values=5).tolist() == [[0] * 5] * 3


def test_texts_are_counted_once_for_each_token_whatever_the_order_of_tokens():
    random = np.random.default_rng(0)
    texts = [random.integers(0, 6, random.integers(0, 8)).tolist() for _ in range(30)]
    labels = random.integers(0, 3, 30)
    expected = np.zeros((3, 6), int)
    for text, label in zip(texts, labels, strict=True):
        expected[label, sorted(set(text))] += 1
    for given in (texts, [text[::-1] for text in texts]):
        counts = texts_by_token(tokens_of(given, labels), num_classes=3, num_ids=6)
        np.testing.assert_array_equal(counts, expected)


def test_a_token_is_found_in_the_texts_that_hold_it():
    tokens = tokens_of([[2, 3], [], [3, 3], [2]], [0, 1, 0, 1])
    assert tokens.has(3).tolist() == [True, False, True, False]
    assert tokens.has(9).tolist() == [False] * 4


def test_naive_bayes_follows_the_formula_by_hand():
    counts, totals = np.array([[0, 0, 8, 1], [0, 0, 1, 3]]), np.array([30, 10])
    model = NaiveBayes(counts, totals, EVERYTHING)
    # Add-one smoothing: 9/11 and 2/11 in the first class, 2/6 and 4/6 in the second; priors 3 to 1.
    np.testing.assert_allclose(np.exp(model.log_likelihoods), [[9 / 11, 2 / 11], [2 / 6, 4 / 6]])
    for text in ([2], [3], [3, 3], [2, 3, 3], []):
        scores = [
            math.log(prior) + sum(math.log(share[token]) for token in text)
            for prior, share in ((30, {2: 9 / 11, 3: 2 / 11}), (10, {2: 2 / 6, 3: 4 / 6}))
        ]
        predicted, is_covered = model.predict(tokens_of([text], [0]))
        assert predicted.tolist() == [int(np.argmax(scores))]
        assert is_covered.tolist() == [bool(text)]


def test_what_the_model_does_not_see_changes_no_answer():
    counts, totals = np.array([[0, 0, 8, 1], [0, 0, 1, 3]]), np.array([30, 10])
    model = NaiveBayes(counts, totals, np.array([False, False, False, True]))
    predicted, is_covered = model.predict(tokens_of([[2, 2, 3, 3], [3, 3], [2], []], [0, 0, 0, 0]))
    assert predicted[0] == predicted[1]
    assert predicted[2] == predicted[3] == 0, "without a token it is the majority"
    assert is_covered.tolist() == [True, True, False, False]


def test_a_class_without_training_texts_is_never_the_answer():
    model = NaiveBayes(np.array([[0, 0, 0, 0], [0, 0, 1, 3]]), np.array([0, 10]), EVERYTHING)
    predicted, _ = model.predict(tokens_of([[2], [3], []], [0, 0, 0]))
    assert predicted.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("right", "majority", "everything", "severity"),
    [
        (950, 0.5, 0.95, LEAK),
        (950, 0.5, 1.0, LEAK),
        (800, 0.5, 0.80, LEAK),
        (800, 0.5, 0.99, NOTE),  # all tokens tell much more
        (700, 0.5, 0.70, NOTE),  # as good as all tokens, but both tell little
        (600, 0.5, 0.99, NOTE),
        (510, 0.5, 0.99, None),
        (510, 0.5, 0.51, None),
    ],
)
def test_a_leak_tells_nearly_all_and_much(right, majority, everything, severity):
    assert Yardstick("valid", majority, everything).severity(np.arange(1000) < right) == severity


def verdict(num_right, num_covered, total, labels=None):
    labels = np.arange(total) % 2 if labels is None else labels
    return Verdict(np.arange(total) < num_right, np.arange(total) < num_covered, labels, False, [])


def test_accuracy_is_over_all_texts():
    assert verdict(30, 10, 40).accuracy == 0.75


@pytest.mark.parametrize(
    ("num_right", "num_covered", "expected"),
    [(100, 100, True), (60, 100, False), (1000, 0, False), (1000, 19, False), (1000, 20, True)],
)
def test_a_rare_kind_tells_where_it_stands_in_enough_texts(num_right, num_covered, expected):
    assert verdict(num_right, num_covered, 1000).tells_where_it_stands() is expected


def test_a_kind_that_stands_in_one_class_alone_tells_no_more_than_that_class():
    assert not verdict(100, 100, 1000, labels=np.zeros(1000, int)).tells_where_it_stands()
