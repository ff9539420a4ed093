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
