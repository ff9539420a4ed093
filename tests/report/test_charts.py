"""The geometry of the curves on a page."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.report.charts import BOTTOM, LEFT, MAX_POINTS, RIGHT, TOP, curve_charts, line_chart, ticks


def points(path):
    return [tuple(map(float, pair.split(","))) for pair in path.split()]


def test_a_curve_spans_the_area_and_rises_where_its_values_do():
    chart = line_chart("loss", {"training": (np.array([1.0, 2, 3]), np.array([3.0, 2, 1]))})
    (path,) = chart.lines[0].paths
    found = points(path)
    assert (found[0][0], found[-1][0]) == (LEFT, RIGHT)
    assert TOP < found[0][1] < found[1][1] < found[2][1] < BOTTOM  # down is larger
    assert chart.alt == "loss by epoch: training 1.0000 at the end"


def test_a_gap_cuts_a_curve_and_a_lone_value_is_a_dot():
    values = np.array([1.0, 2, np.nan, 3, np.nan, 4, 5])
    (line,) = line_chart("x", {"a": (np.arange(7.0), values)}).lines
    assert [len(points(path)) for path in line.paths] == [2, 2]
    assert len(line.dots) == 1


def test_a_long_curve_keeps_its_ends_and_few_points():
    (line,) = line_chart("x", {"a": (np.arange(5000.0), np.random.default_rng(0).random(5000))}).lines
    found = points(line.paths[0])
    assert len(found) <= MAX_POINTS + 1
    assert (found[0][0], found[-1][0]) == (LEFT, RIGHT)


def test_the_best_epoch_is_marked_within_the_curve_only():
    records = [{"epoch": epoch, "loss": 1 / epoch, "lr": 10.0**-epoch} for epoch in (1, 2, 3, 4)]
    loss, rate = curve_charts(records, 1)
    assert loss.mark == LEFT
    assert [label for _, label in rate.y_ticks] == ["0.0001", "0.001", "0.01", "0.1"]
    assert curve_charts(records, 9)[0].mark is None


@pytest.mark.parametrize("values", [[np.nan, np.nan], []])
def test_without_a_finite_value_there_is_no_chart(values):
    assert line_chart("x", {"a": (np.arange(float(len(values))), np.array(values, float))}) is None


@pytest.mark.parametrize(
    ("low", "high", "whole", "expected"),
    [
        (0, 1, False, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (1, 3, True, [1, 2, 3]),
        (-0.1, 0.1, False, [-0.1, -0.05, 0, 0.05, 0.1]),
    ],
)
def test_ticks_are_round(low, high, whole, expected):
    assert ticks(low, high, whole=whole) == pytest.approx(expected)


def test_one_epoch_is_drawn_in_the_middle():
    (line,) = line_chart("x", {"a": (np.array([1.0]), np.array([0.5]))}).lines
    assert line.dots == [((LEFT + RIGHT) / 2, pytest.approx((TOP + BOTTOM) / 2))]
