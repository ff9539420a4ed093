"""Logistic regression: the penalty is the validation part's choice, and its weights are those of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression

from dlcli.models.text.logistic import INVERSE_PENALTIES, LEAST_VALIDATION, NEVER, USUAL, fit_logistic

RANDOM = np.random.default_rng(0)
TRUE = RANDOM.normal(size=(30, 3))


def drawn(count, noise, num_classes=2):
    """Return (N, 40) sparse features, of which the last ten are empty, and labels that 30 of them tell, with noise."""
    values = RANDOM.normal(size=(count, 30)) * (RANDOM.random((count, 30)) < 0.3)
    scores = values @ TRUE[:, :num_classes] + noise * RANDOM.normal(size=(count, num_classes))
    return csr_array(np.pad(values, ((0, 0), (0, 10))).astype(np.float32)), scores.argmax(axis=1)


EMPTY = csr_array((0, 40), dtype=np.float32), np.empty(0, np.int64)


def losses_by_penalty(train, valid):
    found = []
    for inverse in INVERSE_PENALTIES:
        model = LogisticRegression(C=inverse, max_iter=2000, tol=1e-8).fit(*train)
        found.append(-np.log(model.predict_proba(valid[0])[np.arange(len(valid[1])), valid[1]]).mean())
    return found


@pytest.mark.parametrize(("noise", "num_classes"), [(0.1, 2), (3.0, 2), (3.0, 3)])
def test_the_penalty_is_that_of_the_lowest_validation_loss(noise, num_classes):
    train, valid = drawn(200, noise, num_classes), drawn(500, noise, num_classes)
    losses = losses_by_penalty(train, valid)
    found = fit_logistic(*train, *valid, num_classes=num_classes)
    best = INVERSE_PENALTIES[int(np.argmin(losses))]
    assert found.inverse_penalty == best
    expected = LogisticRegression(C=best, max_iter=2000, tol=1e-8).fit(*train).predict_proba(valid[0])
    logits = valid[0] @ found.weights.T + found.bias
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), expected, atol=5e-3)


def test_few_validation_items_choose_nothing():
    train, (features, labels) = drawn(100, 1.0), drawn(LEAST_VALIDATION - 1, 1.0)
    for valid in (EMPTY, (features, labels)):
        assert fit_logistic(*train, *valid, num_classes=2).inverse_penalty == USUAL


def test_features_that_no_item_has_weigh_nothing_and_a_class_without_items_is_never_answered():
    features, labels = drawn(100, 1.0)
    found = fit_logistic(features, 2 * labels, *EMPTY, num_classes=4)
    assert found.weights.shape == (4, 40) and not found.weights[:, 30:].any()
    assert not found.weights[[1, 3]].any() and (found.bias[[1, 3]] == NEVER).all()
    assert set((features @ found.weights.T + found.bias).argmax(axis=1)) == {0, 2}


def test_a_validation_label_that_training_never_saw_costs_much_and_is_no_error():
    train, (features, labels) = drawn(100, 1.0), drawn(60, 1.0)
    labels[:5] = 2
    assert fit_logistic(*train, features, labels, num_classes=3).inverse_penalty in INVERSE_PENALTIES


def test_class_weights_weigh_the_items():
    features, labels = drawn(300, 2.0)
    rare = np.flatnonzero(labels == 1)[20:]
    keep = np.setdiff1d(np.arange(300), rare)
    features, labels = features[keep], labels[keep]
    plain = fit_logistic(features, labels, *EMPTY, num_classes=2)
    weighted = fit_logistic(features, labels, *EMPTY, num_classes=2, class_weights=np.array([0.5, 6.0], np.float32))
    expected = LogisticRegression(C=USUAL, class_weight={0: 0.5, 1: 6.0}, max_iter=2000, tol=1e-8).fit(features, labels)
    np.testing.assert_allclose(weighted.weights[1] - weighted.weights[0], expected.coef_[0], atol=0.02)
    answers = [(features @ each.weights.T + each.bias).argmax(axis=1).sum() for each in (plain, weighted)]
    assert answers[0] < answers[1]


def test_labels_of_one_class_are_an_error():
    with pytest.raises(ValueError, match="class"):
        fit_logistic(drawn(20, 1.0)[0], np.zeros(20, np.int64), *EMPTY, num_classes=2)
