"""Figures of quantiles and intervals: as scikit-learn has them, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mean_pinball_loss

from dlcli.metrics.intervals import (
    QuantileMetric,
    conformal_factors,
    interval_entry,
    nested_pairs,
    pinball_losses,
)

RANDOM = np.random.default_rng(0)
LEVELS, NAMES = (0.1, 0.5, 0.9), ("q10", "q50", "q90")
TARGETS = RANDOM.normal(20, 9, 301)
QUANTILES = np.sort(RANDOM.normal(20, 9, (301, 3)), axis=1)


def measured(quantiles=QUANTILES, targets=TARGETS, std=1.0):
    metric = QuantileMetric(LEVELS, NAMES, std)
    metric.update(quantiles, targets)
    return metric


def test_the_pinball_loss_is_that_of_scikit_learn():
    expected = [mean_pinball_loss(TARGETS, QUANTILES[:, k], alpha=level) for k, level in enumerate(LEVELS)]
    np.testing.assert_allclose(pinball_losses(TARGETS, QUANTILES, LEVELS), expected)
    report = measured(std=3.0).report()
    assert [entry["pinball"] for entry in report["quantiles"]] == pytest.approx(expected)
    assert report["metrics"]["pinball"] == pytest.approx(np.mean(expected))
    assert report["metrics"]["loss"] == pytest.approx(np.mean(expected) / 3)


def test_an_interval_by_hand():
    targets = np.array([1.0, 2.0, 3.0, 4.0])
    entry = interval_entry("x", 0.8, targets, np.array([1.0, 2.5, 0.0, 5.0]), np.array([2.0, 3.0, 3.0, 9.0]))
    assert entry == {"interval": "x", "nominal": 0.8, "coverage": 0.5, "mean_width": (1 + 0.5 + 3 + 4) / 4}


@pytest.mark.parametrize(("count", "pairs"), [(1, []), (2, [(0, 1)]), (3, [(0, 2)]), (5, [(0, 4), (1, 3)])])
def test_intervals_lie_within_each_other(count, pairs):
    assert nested_pairs(count) == pairs


def test_the_shares_below_each_level_and_within_the_outer_two():
    targets = np.arange(10.0)
    report = measured(np.tile([0.5, 4.5, 8.5], (10, 1)), targets).report()
    assert [entry["below"] for entry in report["quantiles"]] == [0.1, 0.5, 0.9]
    assert report["intervals"] == [{"interval": "q10 to q90", "nominal": 0.8, "coverage": 0.8, "mean_width": 8.0}]
    assert report["metrics"]["crossing"] == 0


def test_quantiles_out_of_order_are_counted():
    quantiles = np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0], [2.0, 2.0, 2.0], [3.0, 2.0, 1.0]])
    assert measured(quantiles, np.zeros(4)).report()["metrics"]["crossing"] == 0.5


def test_merged_parts_are_one_whole_each_in_its_own_unit():
    first, second = measured(QUANTILES[:100], TARGETS[:100], 2.0), measured(QUANTILES[100:], TARGETS[100:], 4.0)
    losses = [part.compute()["loss"] for part in (first, second)]
    first.merge(second)
    assert first.compute()["loss"] == pytest.approx(np.average(losses, weights=[100, 201]))
    assert first.report()["intervals"] == measured().report()["intervals"]


def test_no_sample_has_no_figure():
    metric = QuantileMetric(LEVELS, NAMES)
    assert np.isnan(list(metric.compute().values())).all()
    assert metric.report()["intervals"] == []
    with pytest.raises(ValueError, match="quantiles"):
        metric.update(np.zeros((3, 2)), np.zeros(3))


def test_conformal_factors_by_hand():
    errors, scales = np.array([1.0, -4.0, 9.0, 0.0, 2.0, -6.0, 7.0, 3.0, 8.0]), np.full(9, 2.0)
    found = conformal_factors(errors, scales, [0.1, 0.5, 0.85, 0.9, 0.91])
    np.testing.assert_array_equal(found, [0.0, 2.0, 4.5, 4.5, np.nan])  # of ranks 1, 5, 9, 9 and 10
    assert conformal_factors(errors[:3], 1 / np.arange(1.0, 4), [0.5])[0] == 8  # 1, 8, 27: each by its own scale


def test_conformal_intervals_hold_new_values_as_often_as_they_say():
    random = np.random.default_rng(0)
    scales = random.uniform(0.5, 2, 20_000)
    errors = scales * random.standard_t(3, 20_000) * 5  # wider than the scales say, and no normal distribution
    for coverage in (0.5, 0.9, 0.95):
        inside = []
        for start in range(0, 20_000, 400):
            fitted, tested = slice(start, start + 200), slice(start + 200, start + 400)
            [factor] = conformal_factors(errors[fitted], scales[fitted], [coverage])
            inside.append((np.abs(errors[tested]) <= factor * scales[tested]).mean())
        error = np.std(inside, ddof=1) / np.sqrt(len(inside))
        assert abs(np.mean(inside) - np.ceil(201 * coverage) / 201) < 3 * error
