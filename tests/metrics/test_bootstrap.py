"""Intervals equal SciPy's, and equal models differ by nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap, permutation_test

from dlcli.metrics.bootstrap import interval_of, paired_interval
from dlcli.metrics.item_scores import ItemFigure


def figure(values, reduction="mean"):
    return ItemFigure(np.asarray(values, np.float64)[:, None], reduction)


@pytest.mark.parametrize("values", [np.arange(200) % 5 > 0, np.random.default_rng(0).normal(3, 2, 150)])
def test_an_interval_of_a_mean_is_scipys(values):
    ours = interval_of(figure(values), resamples=10_000)
    theirs = bootstrap((values.astype(float),), np.mean, method="percentile", n_resamples=10_000, rng=1)
    spread = theirs.standard_error
    step = 1 / len(values) if values.dtype == bool else 0  # a share moves from one item to the next
    assert ours.value == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.1 * spread + step)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.1 * spread + step)
    assert ours.standard_error == pytest.approx(spread, rel=0.03)


def test_a_paired_interval_is_scipys_paired_bootstrap():
    random = np.random.default_rng(3)
    first, second = random.random(120) < 0.8, random.random(120) < 0.7

    def difference(a, b, axis):
        return a.mean(axis=axis) - b.mean(axis=axis)

    ours = paired_interval(figure(first), figure(second))
    pair = (first.astype(float), second.astype(float))
    theirs = bootstrap(pair, difference, paired=True, method="percentile", n_resamples=10_000, rng=1)
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.01)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.01)


def test_a_paired_interval_of_a_root_resamples_the_figure_itself():
    random = np.random.default_rng(4)
    first, second = random.normal(size=80) ** 2, 2 * random.normal(size=80) ** 2

    def difference(a, b, axis):
        return np.sqrt(a.mean(axis=axis)) - np.sqrt(b.mean(axis=axis))

    ours = paired_interval(figure(first, "root_mean"), figure(second, "root_mean"))
    theirs = bootstrap((first, second), difference, paired=True, method="percentile", n_resamples=10_000, rng=1)
    assert ours.value == pytest.approx(np.sqrt(first.mean()) - np.sqrt(second.mean()))
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.1 * ours.standard_error)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.1 * ours.standard_error)


def test_an_interval_leaves_out_zero_where_a_permutation_test_sees_a_difference():
    first, second = np.ones(60), (np.arange(60) % 4 > 0).astype(float)
    ours = paired_interval(figure(first), figure(second))
    test = permutation_test(
        (first, second), lambda a, b: (a - b).mean(), permutation_type="samples", n_resamples=2000, rng=1
    )
    assert ours.low > 0
    assert test.pvalue < 0.05


def test_equal_runs_differ_by_nothing():
    same = figure(np.random.default_rng(0).random(50))
    found = paired_interval(same, same)
    assert (found.value, found.low, found.high, found.standard_error) == (0, 0, 0, 0)


def test_pairing_is_narrower_than_two_samples_that_err_alike():
    random = np.random.default_rng(5)
    hard = random.random(400) < 0.3
    first, second = ~hard, ~hard & (random.random(400) > 0.01)
    paired = paired_interval(figure(first), figure(second))
    assert paired.standard_error < 0.5 * interval_of(figure(first)).standard_error


def test_a_seed_gives_an_equal_interval_and_unequal_figures_are_refused():
    values = figure(np.random.default_rng(0).random(50))
    assert interval_of(values, seed=3) == interval_of(values, seed=3)
    assert interval_of(values, seed=3) != interval_of(values, seed=4)
    with pytest.raises(ValueError, match="other items"):
        paired_interval(values, figure([1.0, 0.0]))
    with pytest.raises(ValueError, match="no items"):
        interval_of(figure(np.empty(0)))
