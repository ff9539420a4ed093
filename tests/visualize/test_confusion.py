"""The confusion matrix as a picture."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.axes import Axes

from dlcli.visualize import fonts
from dlcli.visualize.confusion import _number, draw_confusion


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("num_classes", [2, 21, 100])
def test_confusion_is_drawn_within_bounds_for_few_and_many_classes(num_classes: int) -> None:
    matrix = np.eye(num_classes, dtype=int) * 50
    matrix[0] = 0
    picture = draw_confusion(matrix, [f"class ${index}" for index in range(num_classes)], title="test")
    assert 300 < picture.shape[0] < 2500
    assert 300 < picture.shape[1] < 2500


def test_confusion_numbers_are_shares_of_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: dict[tuple[float, float], str] = {}
    monkeypatch.setattr(Axes, "text", lambda self, x, y, text, **_: texts.__setitem__((y, x), text))
    matrix = [[3, 1, 0], [0, 0, 0], [1, 0, 999]]
    draw_confusion(np.array(matrix), ["a", "b", "c"])
    expected = [["75", "25", ""], ["", "", ""], ["0.1", "", ">99"]]
    assert [[texts[row, column] for column in range(3)] for row in range(3)] == expected
    draw_confusion(np.array(matrix), ["a", "b", "c"], normalise=False)
    assert texts[2, 2] == "999"


def test_small_shares_are_not_written_as_zero_nor_large_ones_as_hundred() -> None:
    assert [_number(value) for value in (0.0, 0.01, 0.3, 9.96, 12.4, 99.96, 100.0)] == [
        "", "<0.1", "0.3", "10", "12", ">99", "100",
    ]  # fmt: skip


def test_names_that_no_font_can_draw_are_boxes_without_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "chinese_candidates", lambda: iter(()))
    fonts._font_for.cache_clear()
    try:
        assert draw_confusion(np.eye(2, dtype=int), ["猫", "狗"]).shape[2] == 3
        assert fonts.missing_glyphs(["猫", "狗", "cat"]) == "狗猫"
    finally:
        fonts._font_for.cache_clear()


def test_confusion_that_does_not_fit_its_names_is_an_error() -> None:
    with pytest.raises(ValueError, match="names"):
        draw_confusion(np.zeros((2, 3)), ["a", "b"])
