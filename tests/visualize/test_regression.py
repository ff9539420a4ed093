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


@pytest.mark.parametrize("draw", [draw_predicted, draw_residuals])
def test_every_row_is_a_dot_at_its_place(draw, figures):
    predictions = TARGETS + np.sin(TARGETS)
    draw(TARGETS, predictions, "房价")
    places = figures[0].axes[0].collections[0].get_offsets()
    expected = (TARGETS, predictions) if draw is draw_predicted else (predictions, predictions - TARGETS)
    np.testing.assert_allclose(places, np.stack(expected, axis=1))


@pytest.mark.parametrize(
    ("targets", "predictions"), [(TARGETS, 3 - 2 * TARGETS), (TARGETS[:1], TARGETS[:1]), (TARGETS[:0], TARGETS[:0])]
)
def test_both_axes_have_one_scale_that_holds_all_rows_and_the_line(targets, predictions, figures):
    draw_predicted(targets, predictions, "y")
    [axes] = figures[0].axes
    assert axes.get_xlim() == axes.get_ylim()
    low, high = axes.get_xlim()
    assert low < high
    assert all(low < value < high for value in (*targets, *predictions))
    [line] = axes.lines
    np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())


def test_the_sizes_of_all_errors_are_counted(figures):
    draw_residuals(TARGETS, TARGETS + np.cos(TARGETS), "y")
    _, right = figures[0].axes
    assert sum(bar.get_width() for bar in right.patches) == len(TARGETS)


def test_axes_name_the_target_and_cut_a_long_name(figures):
    for name in ("房价 $x$", "n" * 90):
        draw_predicted(TARGETS, TARGETS, name)
        draw_residuals(TARGETS, TARGETS, name)
    labels = [figure.axes[0].get_xlabel() for figure in figures]
    assert labels[:2] == ["true 房价 $x$", "predicted 房价 $x$"]
    assert all(label.endswith("…") and len(label) < 60 for label in labels[2:])
    assert figures[1].axes[0].get_ylabel() == "predicted - true"
    assert not any(figure.axes[0].xaxis.label.get_parse_math() for figure in figures)


def test_a_row_shows_its_answer_and_each_column_with_its_value(figures):
    draw_row([("面积", "88.5"), ("city", "Lyon")], "price: 3")
    draw_row([(f"c{index}", str(index)) for index in range(60)], "price: 3")
    few, many = ([text.get_text() for text in figure.axes[0].texts] for figure in figures)
    assert few == ["price: 3", "面积", "88.5", "city", "Lyon"]
    assert many[1:] == [text for index in range(40) for text in (f"c{index}", str(index))]
