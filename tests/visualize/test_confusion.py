"""The confusion matrix as a picture."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcli.visualize import fonts
from dlcli.visualize.confusion import MOST_NUMBERED, _number, draw_confusion


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("num_classes", [2, 21, 100])
def test_confusion_is_drawn_within_bounds_for_few_and_many_classes(
    num_classes: int, request: pytest.FixtureRequest
) -> None:
    if num_classes > 2:
        request.getfixturevalue("figures")  # the pixels of many cells take seconds, and here only their number counts
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


MATRIX = np.array([[9, 1, 0], [0, 0, 0], [2, 0, 6]])
NAMES = ["猫", "狗", "$bird$"]


def test_cells_are_per_cent_of_the_true_class_and_a_class_without_samples_is_grey(figures: list[Figure]) -> None:
    draw_confusion(MATRIX, NAMES)
    [image] = figures[0].axes[0].images
    values = image.get_array()
    np.testing.assert_allclose(values[[0, 2]], [[90, 10, 0], [25, 0, 75]])
    assert values.mask.tolist() == [[False] * 3, [True] * 3, [False] * 3]
    assert image.to_rgba(values)[1, 0, :3] == pytest.approx([0xDD / 255] * 3)


def test_the_colour_grows_with_the_square_root(figures: list[Figure]) -> None:
    draw_confusion(MATRIX, NAMES)
    draw_confusion(MATRIX, NAMES, normalise=False)
    per_cent, counts = (figure.axes[0].images[0].norm for figure in figures)
    assert [float(per_cent(value)) for value in (0, 1, 25, 100)] == pytest.approx([0, 0.1, 0.5, 1])
    assert [float(counts(value)) for value in (0, 2.25, 9)] == pytest.approx([0, 0.5, 1])


@pytest.mark.parametrize(
    ("matrix", "title", "says"),
    [
        (MATRIX, None, "83.33% of 18 right"),
        (MATRIX * 1000, "运行, test", "运行, test: 83.33% of 18,000 right"),
        (MATRIX * 0, "run", "run: no samples"),
    ],
)
def test_the_heading_tells_the_accuracy(
    matrix: np.ndarray, title: str | None, says: str, figures: list[Figure]
) -> None:
    draw_confusion(matrix, NAMES, title=title)
    assert figures[0].axes[0].get_title() == says


def test_both_axes_name_the_classes_without_mathematics(figures: list[Figure]) -> None:
    draw_confusion(MATRIX, [*NAMES[1:], "a class with a very long name"])
    axes = figures[0].axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["狗", "$bird$", "a class with a ve…"]
        assert not any(label.get_parse_math() for label in labels)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")


@pytest.mark.parametrize(("normalise", "unit"), [(True, "per cent of the true class"), (False, "samples")])
def test_the_scale_names_its_unit(normalise: bool, unit: str, figures: list[Figure]) -> None:
    draw_confusion(MATRIX, NAMES, normalise=normalise)
    assert figures[0].axes[1].get_ylabel() == unit


@pytest.mark.parametrize("num_classes", [MOST_NUMBERED, MOST_NUMBERED + 1])
def test_cells_hold_numbers_only_where_they_can_be_read(num_classes: int, figures: list[Figure]) -> None:
    draw_confusion(np.eye(num_classes, dtype=int), [f"c{index}" for index in range(num_classes)])
    texts = figures[0].axes[0].texts
    assert len(texts) == (num_classes**2 if num_classes == MOST_NUMBERED else 0)


def test_a_number_is_white_on_a_dark_cell_alone(figures: list[Figure]) -> None:
    draw_confusion(MATRIX, NAMES)
    colours = {text.get_text(): text.get_color() for text in figures[0].axes[0].texts}
    assert (colours["90"], colours["75"]) == ("white", "white")
    assert (colours["10"], colours["25"]) == ("#333333", "#333333")


@pytest.mark.parametrize(("num_classes", "name", "angle"), [(3, "a", 0), (30, "a long name", 45), (60, "a name", 90)])
def test_names_wider_than_their_cell_are_turned(num_classes: int, name: str, angle: int, figures: list[Figure]) -> None:
    draw_confusion(np.eye(num_classes, dtype=int), [name] * num_classes)
    assert {label.get_rotation() for label in figures[0].axes[0].get_xticklabels()} == {angle}
