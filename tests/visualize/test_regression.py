"""Pictures of a regression."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.visualize.regression import draw_predicted, draw_residuals, draw_row

TARGETS = np.linspace(5, 50, 40)
BLUE = np.array([0x00, 0x72, 0xB2])


def dots(picture):
    """Return the places, (N, 2) row and column, of pixels that are more blue than anything else."""
    red, _, blue = (picture[..., k].astype(int) for k in range(3))
    return np.argwhere(blue - red > 60)


def test_true_predictions_lie_on_the_diagonal():
    picture = draw_predicted(TARGETS, TARGETS, "MEDV")
    places = dots(picture)
    assert np.corrcoef(places[:, 1], -places[:, 0])[0, 1] > 0.999


def test_too_high_predictions_lie_above_those_that_are_true():
    higher = np.append(TARGETS[:-1] + 8, 50)  # the last one keeps the axes alike
    first, second = (dots(draw_predicted(TARGETS, values, "MEDV")) for values in (TARGETS, higher))
    assert second[:, 0].mean() < first[:, 0].mean() - 10


@pytest.mark.parametrize("count", [0, 1, 40])
@pytest.mark.parametrize("draw", [draw_predicted, draw_residuals])
def test_any_number_of_rows_is_drawn(draw, count):
    picture = draw(TARGETS[:count], TARGETS[:count] + 1, "房价 $x$")
    assert picture.dtype == np.uint8
    assert picture.ndim == 3


def test_a_row_has_a_line_for_each_column_and_no_more_than_forty():
    heights = [len(draw_row([(f"c{k}", "1")] * count, "y: 3")) for k, count in enumerate((1, 10, 40, 400))]
    assert heights[0] < heights[1] < heights[2] == heights[3]
