"""Figures of regression: as scikit-learn has them, over all samples whatever the batches."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn import metrics as sk

from dlcli.metrics.regression import RegressionMetric, mean_loss

RANDOM = np.random.default_rng(0)
TARGETS = RANDOM.normal(20, 9, 300)
PREDICTIONS = TARGETS + RANDOM.normal(0.5, 3, 300)


def measured(targets=TARGETS, predictions=PREDICTIONS, **options):
    metric = RegressionMetric(**options)
    metric.update(np.asarray(predictions), np.asarray(targets))
    return metric


def test_figures_are_those_of_scikit_learn():
    figures = measured().compute()
    assert figures["rmse"] == pytest.approx(sk.root_mean_squared_error(TARGETS, PREDICTIONS))
    assert figures["mae"] == pytest.approx(sk.mean_absolute_error(TARGETS, PREDICTIONS))
    assert figures["r2"] == pytest.approx(sk.r2_score(TARGETS, PREDICTIONS))
    assert figures["mape"] == pytest.approx(sk.mean_absolute_percentage_error(TARGETS, PREDICTIONS))


@pytest.mark.parametrize(
    ("kind", "loss"),
    [("mse", F.mse_loss), ("mae", F.l1_loss), ("smooth-l1", F.smooth_l1_loss), ("huber", F.huber_loss)],
)
def test_the_loss_is_what_training_minimises(kind, loss):
    errors = RANDOM.normal(0, 1.5, 200)
    expected = float(loss(torch.from_numpy(errors), torch.zeros(200, dtype=torch.float64)))
    assert mean_loss(errors, kind) == pytest.approx(expected)
    metric = measured(np.zeros(200), errors * 9, std=9.0, loss=kind)
    assert metric.compute()["loss"] == pytest.approx(expected)


def test_batches_and_merging_change_no_figure():
    whole = measured().compute()
    first, second = RegressionMetric(), RegressionMetric()
    for start in range(0, 300, 70):
        part = slice(start, start + 70)
        (first if start < 140 else second).update(PREDICTIONS[part], TARGETS[part])
    first.merge(second)
    assert first.compute() == whole


def test_merged_folds_have_the_figures_of_all_samples_and_each_its_own_unit_of_the_loss():
    folds = [measured([target], [target + error], std=std) for target, error, std in ((1, 1, 1.0), (5, 3, 2.0))]
    first, second = folds
    first.merge(second)
    figures = first.compute()
    assert figures["rmse"] == pytest.approx(5**0.5)
    assert (figures["mae"], figures["r2"]) == (2, pytest.approx(1 - 10 / 8))
    assert figures["loss"] == pytest.approx((1 + 1.5**2) / 2)


def test_figures_that_are_undefined_are_nan():
    assert all(map(math.isnan, RegressionMetric().compute().values()))
    constant = measured([3.0, 3.0], [1.0, 2.0]).compute()
    assert math.isnan(constant["r2"])
    assert math.isnan(measured([0.0], [1.0]).compute()["mape"])


def test_mape_passes_over_targets_of_zero():
    assert measured([0.0, 2.0], [5.0, 3.0]).compute()["mape"] == pytest.approx(0.5)


def test_a_constant_shift_is_the_mean_error():
    metrics = measured(TARGETS, TARGETS + 2).report()["metrics"]
    assert metrics["mean_error"] == pytest.approx(2)
    assert metrics["median_error"] == pytest.approx(2)
    assert metrics["max_error"] == pytest.approx(2)


def test_the_worst_samples_come_first_with_their_places():
    worst = measured([0.0, 0.0, 0.0, 0.0], [1.0, -9.0, 3.0, 0.0]).worst(2)
    assert [(entry["index"], entry["prediction"]) for entry in worst] == [(1, -9.0), (2, 3.0)]


def test_a_report_keeps_pairs_and_not_too_many():
    report = measured(np.arange(5000.0), np.arange(5000.0) + 1).report()
    targets, predictions = (np.array(report["points"][name]) for name in ("targets", "predictions"))
    assert len(targets) == 2000
    np.testing.assert_array_equal(predictions, targets + 1)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="predictions"):
        RegressionMetric().update(np.zeros((3, 1)), np.zeros(3))


FIGURES = ("loss", "rmse", "mae", "r2", "mape")


def test_median_and_largest_error_are_those_of_scikit_learn():
    metrics = measured().report()["metrics"]
    assert metrics["median_error"] == pytest.approx(sk.median_absolute_error(TARGETS, PREDICTIONS))
    assert metrics["max_error"] == pytest.approx(sk.max_error(TARGETS, PREDICTIONS))
    assert metrics["mean_error"] == pytest.approx((PREDICTIONS - TARGETS).mean())


@pytest.mark.parametrize("factor", [1e-3, -1.0, 250.0])
def test_another_unit_scales_errors_and_leaves_what_has_no_unit(factor):
    plain = measured(std=9.0).compute()
    scaled = measured(TARGETS * factor, PREDICTIONS * factor, std=9.0 * abs(factor)).compute()
    for name in ("loss", "r2", "mape"):
        assert scaled[name] == pytest.approx(plain[name]), name
    for name in ("rmse", "mae"):
        assert scaled[name] == pytest.approx(plain[name] * abs(factor)), name


def test_another_zero_leaves_all_but_the_relative_error():
    plain, moved = measured().compute(), measured(TARGETS + 1000, PREDICTIONS + 1000).compute()
    for name in ("loss", "rmse", "mae", "r2"):
        assert moved[name] == pytest.approx(plain[name]), name
    assert moved["mape"] < plain["mape"]


def test_figures_do_not_depend_on_the_order_of_samples():
    order = np.random.default_rng(3).permutation(300)
    assert measured(TARGETS[order], PREDICTIONS[order]).compute() == pytest.approx(measured().compute())


def test_right_answers_have_no_error_and_the_mean_explains_nothing():
    perfect = measured(TARGETS, TARGETS).compute()
    assert perfect == dict(zip(FIGURES, (0, 0, 0, 1, 0), strict=True))
    constant = measured(TARGETS, np.full(300, TARGETS.mean())).compute()
    assert constant["r2"] == pytest.approx(0)
    assert constant["rmse"] == pytest.approx(TARGETS.std())


@pytest.mark.parametrize("kind", ["mse", "mae", "smooth-l1", "huber"])
def test_a_loss_is_symmetric_and_grows_with_the_error(kind):
    sizes = np.linspace(0, 3, 13)
    losses = [mean_loss(np.array([size]), kind) for size in sizes]
    assert losses == [mean_loss(np.array([-size]), kind) for size in sizes]
    assert losses[0] == 0
    assert losses == sorted(set(losses))


def test_the_parabola_meets_the_line_without_a_step():
    below, above = (mean_loss(np.array([size]), "huber") for size in (1 - 1e-9, 1 + 1e-9))
    assert below == pytest.approx(above) == pytest.approx(0.5)


def test_a_report_names_the_figures_of_which_less_is_better():
    report = measured().report()
    assert set(report["metrics"]) - set(report["lower_is_better"]) == {"r2", "mean_error"}
    empty = RegressionMetric().report()
    assert (empty["num_samples"], empty["points"]) == (0, {"targets": [], "predictions": []})
    assert set(empty["lower_is_better"]) == {"loss", "rmse", "mae", "mape"}


@pytest.mark.parametrize(("count", "kept"), [(1, 1), (2, 2), (1999, 1999), (2000, 2000), (2001, 2000)])
def test_points_are_evenly_taken_from_the_first_to_the_last(count, kept):
    targets = measured(np.arange(float(count)), np.zeros(count)).report()["points"]["targets"]
    assert (len(targets), targets[0], targets[-1]) == (kept, 0, count - 1)
    assert targets == sorted(set(targets))
    assert count < 2 or max(np.diff(targets)) <= 2


@pytest.mark.parametrize(("k", "expected"), [(0, []), (2, [2, 0]), (9, [2, 0, 1])])
def test_equal_errors_come_in_the_order_of_arrival(k, expected):
    worst = measured([0.0, 0.0, 0.0], [1.0, -1.0, 5.0]).worst(k)
    assert [entry["index"] for entry in worst] == expected


@pytest.mark.parametrize("shapes", [((3,), (4,)), ((3, 1), (3, 1)), ((), ())])
def test_one_number_a_sample_is_taken(shapes):
    with pytest.raises(ValueError, match="targets"):
        RegressionMetric().update(np.zeros(shapes[0]), np.zeros(shapes[1]))
