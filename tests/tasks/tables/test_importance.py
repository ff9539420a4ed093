"""Permutation importance and partial dependence: by hand, and as scikit-learn computes them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import partial_dependence

from dlcli.tasks.tables.dependence import grid_of, responses
from dlcli.tasks.tables.importance import permutation_importance

COUNT = 120
RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.integers(0, 9, (COUNT, 3)).astype(np.float32)
INPUTS = {"numeric": NUMBERS, "categories": RANDOM.integers(0, 3, (COUNT, 1))}
TARGETS = NUMBERS[:, 0] * 2 + INPUTS["categories"][:, 0] + RANDOM.normal(0, 0.5, COUNT)


def answer(inputs):
    """Return a model that reads the first number, the category, and a little of the second, which says nothing."""
    numeric, categories = inputs["numeric"], inputs["categories"]
    return (numeric[:, 0] * 2 + categories[:, 0] + 0.1 * numeric[:, 1])[:, None]


def rmse(inputs):
    return float(np.sqrt(((answer(inputs)[:, 0] - TARGETS) ** 2).mean()))


def important(groups, **options):
    settings = {"repeats": 5, "seed": 3, "larger_is_better": False, **options}
    return permutation_importance(rmse, INPUTS, groups, **settings)


def test_each_repeat_is_the_permutation_of_its_seed():
    found = important({"a": [("numeric", 0)], "c": [("categories", 0)]})
    random = np.random.default_rng((3, 1))
    for loss in found[1].repeats:
        order = random.permutation(COUNT)
        shuffled = {**INPUTS, "categories": INPUTS["categories"][order]}
        assert loss == rmse(shuffled) - rmse(INPUTS)
    assert found[1].mean == pytest.approx(np.mean(found[1].repeats))
    assert found[0].mean > found[1].mean > 0


def test_the_interval_is_that_of_a_further_repeat():
    [found] = important({"a": [("numeric", 0)]})
    spread = np.std(found.repeats, ddof=1) * 2.7764451 * np.sqrt(1.2)  # Student's t for four degrees, one and a fifth
    assert (found.low, found.high) == pytest.approx((found.mean - spread, found.mean + spread))
    assert found.is_sure


def test_a_column_without_effect_has_an_interval_over_0():
    for seed in range(10):
        unread, unrelated = important({"u": [("numeric", 2)], "n": [("numeric", 1)]}, seed=seed, repeats=10)
        assert (unread.low, unread.mean, unread.high) == (0, 0, 0)
        assert unrelated.low < 0 < unrelated.high
        assert not unrelated.is_sure


def test_columns_together_are_dealt_out_alike():
    twice = {**INPUTS, "numeric": np.stack([NUMBERS[:, 0], NUMBERS[:, 0], NUMBERS[:, 2]], 1)}

    def score(inputs):
        difference = inputs["numeric"][:, 0] - inputs["numeric"][:, 1]
        return float((difference**2).mean())

    settings = {"repeats": 3, "seed": 0, "larger_is_better": False}
    groups = {"alone": [("numeric", 0)], "both": [("numeric", 0), ("numeric", 1)]}
    alone, both = permutation_importance(score, twice, groups, **settings)
    assert alone.mean > 1
    assert both.repeats == (0, 0, 0)
    assert np.array_equal(twice["numeric"][:, 0], NUMBERS[:, 0])  # the data is as it was


def test_a_metric_that_is_better_when_larger_falls():
    [risen] = important({"a": [("numeric", 0)]})
    [fallen] = permutation_importance(
        lambda inputs: -rmse(inputs), INPUTS, {"a": [("numeric", 0)]}, repeats=5, seed=3, larger_is_better=True
    )
    assert fallen.repeats == risen.repeats


class Peer(RegressorMixin, BaseEstimator):
    """The same model for scikit-learn, over numbers alone."""

    def fit(self, features, targets):
        self.fitted_ = True
        return self

    def predict(self, features):
        return np.sin(features[:, 0]) * features[:, 1] + features[:, 2] ** 2


@pytest.mark.parametrize(("column", "resolution"), [(0, 20), (1, 20), (2, 5)])
def test_partial_dependence_is_that_of_scikit_learn(column, resolution):
    numbers = NUMBERS.astype(np.float64)
    peer = Peer().fit(numbers, TARGETS)
    expected = partial_dependence(
        peer, numbers, [column], kind="both", method="brute", grid_resolution=resolution, percentiles=(0.05, 0.95)
    )
    grid = grid_of(numbers[:, column], resolution)

    def answer(inputs):
        return peer.predict(inputs["numeric"])[:, None]

    found = responses(answer, {"numeric": numbers}, ("numeric", column), grid)
    np.testing.assert_allclose(grid, expected["grid_values"][0])
    np.testing.assert_allclose(found.mean(1)[:, 0], expected["average"][0])
    np.testing.assert_allclose(found[:, :, 0].T, expected["individual"][0])


def test_a_grid_skips_gaps_and_holds_every_value_of_few():
    assert grid_of(np.array([3.0, np.nan, 1.0, 3.0]), 40).tolist() == [1, 3]
    assert grid_of(np.arange(101.0), 3).tolist() == [5, 50, 95]
    assert len(grid_of(np.array([np.nan]), 40)) == 0
    mostly = np.concatenate([np.zeros(990), np.arange(10.0)])  # both quantiles are 0
    assert 1 < len(grid_of(mostly, 4)) <= 4
