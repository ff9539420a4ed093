"""A training's course as a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcli.visualize.curves import draw_curves


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
