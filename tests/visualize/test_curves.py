"""A training's course as a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from dlcli.visualize.curves import MOST_MARKED, draw_curves


def epoch(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "epoch": number, "step": number * 10, "loss": 1 / number, "val_loss": 0.5 + (number - 3) ** 2 / 10,
        "accuracy": 1 - 0.5 / number, "lr": 0.1**number, "seconds": 1.0, "items_per_s": 9.0,
    } | changes  # fmt: skip


def test_curves_show_losses_metrics_and_learning_rate_of_every_epoch(drawn: list[dict[str, Any]]) -> None:
    draw_curves([epoch(number) for number in range(1, 6)], "run")
    by_label = {curve["label"]: curve for curve in drawn if curve["label"]}
    assert list(by_label) == ["training", "validation", "accuracy", "lr"]
    for curve in by_label.values():
        assert curve["x"].tolist() == [1, 2, 3, 4, 5]
    assert by_label["training"]["y"].tolist() == [1 / number for number in range(1, 6)]


def test_best_epoch_is_the_given_one_or_that_of_the_lowest_validation_loss(drawn: list[dict[str, Any]]) -> None:
    records = [epoch(number) for number in range(1, 6)]
    draw_curves(records, "run")
    assert {curve["x"].item() for curve in drawn if curve["label"] is None} == {3}
    drawn.clear()
    draw_curves(records, "run", best_epoch=5)
    assert {curve["x"].item() for curve in drawn if curve["label"] is None} == {5}


def test_single_epoch_is_visible() -> None:
    one, none = (draw_curves([epoch(1, **changes)], "run") for changes in ({}, {"loss": None}))
    assert one.dtype == np.uint8
    assert one.shape[2] == 3
    assert one.min() < 100
    assert (one != none).any()


def test_missing_figures_are_gaps(drawn: list[dict[str, Any]]) -> None:
    draw_curves([epoch(1), epoch(2, val_loss=None), epoch(3)], "run")
    [validation] = [curve["y"] for curve in drawn if curve["label"] == "validation"]
    assert np.isnan(validation).tolist() == [False, True, False]
    draw_curves([{"epoch": 1, "loss": None}], "run with nothing finite")
    with pytest.raises(ValueError, match="no epochs"):
        draw_curves([], "run")


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes if axes.axison]


def test_losses_share_a_panel_and_every_metric_has_its_own(figures: list[Figure]) -> None:
    draw_curves([epoch(number, loss_box=0.3, loss_class=0.1, top5=0.9) for number in (1, 2, 3)], "run")
    assert titles(figures[0]) == ["loss", "accuracy", "top5", "learning rate"]
    losses = figures[0].axes[0]
    assert [text.get_text() for text in losses.get_legend().get_texts()] == [
        "training", "validation", "loss_box", "loss_class",
    ]  # fmt: skip
    assert figures[0].axes[1].get_legend() is None


def test_what_is_no_figure_has_no_panel(figures: list[Figure]) -> None:
    draw_curves([{"epoch": 1, "loss": 2.0, "note": "x", "is_best": True, "seconds": 3.0, "step": 7}], "run")
    assert titles(figures[0]) == ["loss"]


@pytest.mark.parametrize(("num_metrics", "columns"), [(0, 1), (1, 2), (2, 2), (3, 2), (4, 3), (8, 3)])
def test_panels_stay_near_a_square_and_those_left_over_are_blank(
    num_metrics: int, columns: int, figures: list[Figure]
) -> None:
    draw_curves([{"epoch": 1, "loss": 1.0} | {f"m{index}": 0.5 for index in range(num_metrics)}], "run")
    assert figures[0].axes[0].get_gridspec().ncols == columns
    assert len(titles(figures[0])) == 1 + num_metrics


@pytest.mark.parametrize(
    ("records", "best", "says"),
    [
        ([epoch(1), epoch(2), epoch(3)], 2, "训练    ◆ best epoch 2"),
        ([epoch(1), epoch(2), epoch(3)], None, "训练    ◆ lowest val_loss, epoch 3"),
        ([{"epoch": 4, "loss": 2.0}, {"epoch": 5, "loss": 1.0}], None, "训练    ◆ lowest loss, epoch 5"),
        ([{"epoch": 1, "loss": None}], None, "训练"),
    ],
)
def test_the_heading_says_which_epoch_is_marked_and_why(
    records: list[dict[str, Any]], best: int | None, says: str, figures: list[Figure]
) -> None:
    draw_curves(records, "训练", best_epoch=best)
    assert figures[0].get_suptitle() == says


def test_marked_figures_stand_over_the_higher_curve_and_under_the_lower_one(figures: list[Figure]) -> None:
    draw_curves([epoch(1), epoch(2, loss=0.25, val_loss=0.5, loss_part=0.1)], "run", best_epoch=2)
    texts = {text.get_text(): text for text in figures[0].axes[0].texts}
    assert set(texts) == {"0.25", "0.5"}  # the parts of a loss are marked without figures
    assert texts["0.25"].get_position()[1] < 0 < texts["0.5"].get_position()[1]
    assert texts["0.25"].get_verticalalignment() == "top"


def test_a_best_epoch_that_was_not_recorded_is_marked_by_its_line_alone(figures: list[Figure]) -> None:
    draw_curves([epoch(1), epoch(2)], "run", best_epoch=9)
    loss = figures[0].axes[0]
    assert [line.get_xdata()[0] for line in loss.lines][-1] == 9
    assert not loss.texts


@pytest.mark.parametrize(("rates", "scale"), [([1.0, 1e-3], "log"), ([1.0, 0.1], "linear"), ([1.0, 0.0], "linear")])
def test_a_learning_rate_over_more_than_two_decades_is_drawn_by_its_logarithm(
    rates: list[float], scale: str, figures: list[Figure]
) -> None:
    draw_curves([epoch(number, lr=rate) for number, rate in enumerate(rates, 1)], "run")
    assert figures[0].axes[-2 if len(titles(figures[0])) % 2 else -1].get_yscale() == scale


@pytest.mark.parametrize(("count", "marker"), [(MOST_MARKED, "o"), (MOST_MARKED + 1, "None")])
def test_few_epochs_are_dots_and_many_a_line(count: int, marker: str, figures: list[Figure]) -> None:
    draw_curves([{"epoch": number, "loss": 1.0} for number in range(1, count + 1)], "run")
    assert figures[0].axes[0].lines[0].get_marker() == marker
