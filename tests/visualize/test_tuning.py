"""A study as two pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcli.visualize.tuning import draw_history, draw_importance

TRIALS = [(0, 0.7, False), (1, 0.2, False), (2, 0.75, False), (3, 0.3, True), (4, 0.72, False)]


def test_the_line_is_the_best_so_far_and_pruned_trials_are_apart(drawn: list[dict[str, Any]]) -> None:
    draw_history(TRIALS, "accuracy", "digits-1", larger_is_better=True, best=2)
    by_label = {curve["label"]: curve for curve in drawn}
    assert list(by_label["best so far"]["y"]) == [0.7, 0.7, 0.75, 0.75]
    assert list(by_label["best so far"]["x"]) == [0, 1, 2, 4]
    assert list(by_label["pruned trial, its best epoch"]["x"]) == [3]


def test_where_less_is_better_the_line_falls(drawn: list[dict[str, Any]]) -> None:
    draw_history(TRIALS, "rmse", "prices-1", larger_is_better=False, best=1)
    assert list(next(curve for curve in drawn if curve["label"] == "best so far")["y"]) == [0.7, 0.2, 0.2, 0.2]


@pytest.mark.parametrize("trials", [TRIALS[:1], TRIALS, [(3, 0.3, True)], [(0, 0.0, False)]])
def test_any_number_of_trials_gives_a_picture(trials: list[tuple[int, float, bool]]) -> None:
    picture = draw_history(trials, "accuracy", "数据-1", larger_is_better=True)
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    assert picture.std() > 0


def test_equal_studies_give_equal_pictures() -> None:
    one, other = (draw_history(TRIALS, "accuracy", "digits-1", larger_is_better=True, best=2) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_importances_are_bars_and_more_options_make_a_higher_picture() -> None:
    few = draw_importance({"learning_rate": 0.8, "batch_size": 0.2}, "accuracy", "digits-1")
    many = draw_importance({f"option_{index}": 0.1 for index in range(10)}, "accuracy", "digits-1")
    assert many.shape[0] > few.shape[0]
    assert many.shape[1] == few.shape[1]


def test_nothing_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="no trials"):
        draw_history([], "accuracy", "x", larger_is_better=True)
    with pytest.raises(ValueError, match="no importances"):
        draw_importance({}, "accuracy", "x")
