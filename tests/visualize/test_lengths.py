"""The distribution of the lengths of texts."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from dlcli.visualize.lengths import MOST_CLASSES, draw_lengths


def test_lengths_do_not_depend_on_the_number_of_texts() -> None:
    lengths = np.array([1, 5, 9, 30])
    few = draw_lengths({"消极": lengths, "b": lengths + 3}, title="长度")
    many = draw_lengths({"消极": np.tile(lengths, 2), "b": np.tile(lengths + 3, 2)}, title="长度")
    assert np.array_equal(few[200:, :900], many[200:, :900])  # all but the legend's counts


@pytest.mark.parametrize(
    "lengths", [{"a": [0]}, {"a": [3, 3], "none": []}, {f"$c{i}$": [i, 10_000] for i in range(12)}]
)
def test_lengths_of_any_texts_are_drawn(lengths: dict[str, list[int]]) -> None:
    picture = draw_lengths({name: np.array(values, int) for name, values in lengths.items()}, title="t")
    assert (picture.dtype, picture.shape) == (np.uint8, (750, 1400, 3))


def test_no_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="no lengths"):
        draw_lengths({"a": np.array([], int)}, title="t")


def curves(figure: Figure) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the heights and the edges of each curve by the first line of its label."""
    [axes] = figure.axes
    handles, labels = axes.get_legend_handles_labels()
    data = {label.split("\n")[0]: handle.get_data() for handle, label in zip(handles, labels, strict=True)}
    return {name: (values, edges) for name, (values, edges, _) in data.items()}


def test_every_curve_has_an_area_of_100_per_cent_whatever_its_class_s_size(figures: list[Figure]) -> None:
    random = np.random.default_rng(0)
    draw_lengths({"消极": random.integers(1, 40, 30), "positive": random.integers(5, 40, 900)}, title="长度")
    for heights, edges in curves(figures[0]).values():
        assert heights.sum() == pytest.approx(100)
        assert np.unique(np.diff(edges)).size == 1  # every bin holds equally many whole numbers
        assert (edges % 1 == 0.5).all()


def test_a_curve_is_the_share_of_texts_of_each_length(figures: list[Figure]) -> None:
    draw_lengths({"a": np.array([0, 2, 2, 3])}, title="t")
    heights, edges = curves(figures[0])["a"]
    by_length = dict(zip((edges[:-1] + 0.5).tolist(), heights.tolist(), strict=True))
    assert {length: share for length, share in by_length.items() if share} == {0: 25, 2: 50, 3: 25}


def test_median_and_95th_percentile_of_all_texts_are_marked(figures: list[Figure]) -> None:
    first, second = np.arange(1, 60), np.arange(30, 90)
    draw_lengths({"a": first, "b": second}, title="t")
    everything = np.concatenate([first, second])
    [axes] = figures[0].axes
    marks = [line.get_xdata()[0] for line in axes.lines]
    assert marks == [np.median(everything), np.percentile(everything, 95)]
    assert [text.get_text() for text in axes.texts] == [f"median: {marks[0]:,.0f}", f"95 %: {marks[1]:,.0f}"]


def test_one_long_text_is_counted_and_does_not_press_the_others_together(figures: list[Figure]) -> None:
    lengths = np.tile(np.arange(1, 31), 40)
    draw_lengths({"a": np.append(lengths, 10_000)}, title="t")
    draw_lengths({"a": lengths}, title="t")
    (long,), (short,) = (figure.axes for figure in figures)
    assert long.get_xlim()[1] < 40
    assert "1 texts are longer, up to 10,000" in long.get_xlabel()
    assert short.get_xlabel() == "tokens"


def test_the_largest_classes_have_their_own_curve_and_the_others_one_together(figures: list[Figure]) -> None:
    sizes = [3, 50, 40, 2, 30, 20, 10, 60]
    draw_lengths({f"c{index}": np.full(size, 5) for index, size in enumerate(sizes)}, title="t")
    names = list(curves(figures[0]))
    assert len(names) == MOST_CLASSES + 1
    assert names == ["c1", "c2", "c4", "c5", "c6", "c7", "2 other classes"]
    [axes] = figures[0].axes
    assert axes.get_legend_handles_labels()[1][-1].endswith("5 texts")


def test_a_class_without_texts_has_no_curve(figures: list[Figure]) -> None:
    draw_lengths({"none": np.array([], int), "狗": np.array([4, 6])}, title="t")
    assert list(curves(figures[0])) == ["狗"]
    [axes] = figures[0].axes
    assert axes.get_legend_handles_labels()[1] == ["狗\nmedian 5, 2 texts"]
