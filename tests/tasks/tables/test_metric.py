"""The regression metric, fed from batches."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.metrics.regression import RegressionMetric
from dlcli.tasks.tables.metric import NUM_WORST, TableRegressionMetric

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.permutation(60) + 1000
TARGETS = RANDOM.normal(20, 9, 60)
PREDICTIONS = TARGETS + RANDOM.normal(0, 3, 60)


def metric_of(*parts):
    metric = TableRegressionMetric(9.0, "huber")
    for part in parts:
        metric.update({"rows": ROWS[part], "targets": TARGETS[part]}, {"prediction": PREDICTIONS[part]})
    return metric


def test_figures_are_those_of_the_metric_over_all_rows():
    plain = RegressionMetric(9.0, "huber")
    plain.update(PREDICTIONS, TARGETS)
    assert metric_of(slice(0, 13), slice(13, 60)).compute() == plain.compute()
    assert metric_of(slice(0, 60)).report()["metrics"] == plain.report()["metrics"]


@pytest.mark.parametrize("cut", [0, 1, 59, 60])
def test_merged_shares_are_one_metric_over_all(cut):
    first = metric_of(slice(0, cut))
    first.merge(metric_of(slice(cut, 60)))
    assert first.report() == metric_of(slice(0, 60)).report()


def test_far_targets_are_measured_in_float64():
    metric = TableRegressionMetric(9.0, "mse", 1.7e12)
    metric.update({"rows": ROWS, "targets": np.float32(TARGETS)}, {"prediction": np.float32(PREDICTIONS)})
    near, far = metric_of(slice(0, 60)).compute(), metric.compute()
    assert far["rmse"] == pytest.approx(near["rmse"], rel=1e-4)
    assert far["mape"] < 1e-9
    assert metric.report()["points"]["targets"][0] == pytest.approx(1.7e12 + TARGETS[0], abs=1e-3)


def test_the_worst_rows_are_named_by_their_number_in_the_table():
    worst = metric_of(slice(0, 60)).report()["worst"]
    expected = np.argsort(-np.abs(PREDICTIONS - TARGETS))[:NUM_WORST]
    assert [entry["index"] for entry in worst] == ROWS[expected].tolist()
    assert [entry["target"] for entry in worst] == TARGETS[expected].tolist()
    assert all(type(entry["index"]) is int for entry in worst)


def test_without_rows_there_is_a_report_without_any():
    report = TableRegressionMetric(1.0, "mse").report()
    assert (report["num_samples"], report["worst"]) == (0, [])
