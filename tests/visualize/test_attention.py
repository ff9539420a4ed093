"""The heat strip over the words of a text."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.visualize import attention
from dlcli.visualize.attention import MOST_LINES, WIDTH_PX, draw_attention

STRANGE = ["", "\x00\ud800", "a" * 5000, "今天\n很好", "😀"]


def has_colour(picture: np.ndarray, rgb: tuple[int, int, int]) -> bool:
    return bool((picture == np.array(rgb)).all(axis=2).any())


DARKEST = (110, 0, 0)


def test_heat_grows_with_the_weight_relative_to_the_largest() -> None:
    def draw(weights: list[float]) -> np.ndarray:
        return draw_attention(["很", "好"], np.array(weights), title="t", label="l")[:-40]  # without the legend

    assert np.array_equal(draw([0.2, 0.4]), draw([0.1, 0.2]))
    assert has_colour(draw([0.0, 1.0]), DARKEST)
    assert not has_colour(draw([0.0, 0.0]), DARKEST)
    assert not np.array_equal(draw([0.2, 0.4]), draw([0.4, 0.2]))


def test_attention_of_many_words_stays_a_picture_of_bounded_height() -> None:
    few = draw_attention(["词语"] * 2000, np.full(2000, 1 / 2000), title="t", label="l")
    many = draw_attention(["词语"] * 10_000, np.full(10_000, 1e-4), title="t", label="l")
    assert few.shape == many.shape
    assert many.shape[0] < 2000


def test_attention_takes_any_text() -> None:
    picture = draw_attention(STRANGE, np.ones(len(STRANGE)), title="标题\n", label="消极")
    assert (picture.dtype, picture.shape[1:]) == (np.uint8, (WIDTH_PX + 32, 3))


@pytest.mark.parametrize("weights", [[1.0], [1.0, np.nan], [1.0, -0.1], [[1.0, 1.0]]])
def test_attention_refuses_what_are_no_weights(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        draw_attention(["a", "b"], np.array(weights), title="t", label="l")


@pytest.fixture
def headings(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return a list that gathers the lines over each picture."""
    found: list[list[str]] = []
    add_title = attention.add_title
    monkeypatch.setattr(
        attention, "add_title", lambda picture, lines: (found.append(lines), add_title(picture, lines))[1]
    )
    return found


def cell_colours(picture: np.ndarray, *, legend_px: int = 44) -> list[tuple[int, ...]]:
    """Return the colours of the cells of one line from left to right; their corners hold no text."""
    outline = np.array([228, 228, 228])
    rows = np.flatnonzero((picture[:-legend_px] == outline).all(axis=2).sum(axis=1) > 20)
    inside = picture[rows[0] + 1]
    edges = np.flatnonzero((inside == outline).all(axis=1))
    return [tuple(inside[left + 1].tolist()) for left in edges[::2]]


def test_cells_stand_in_the_order_of_the_words_on_the_colour_of_their_weight() -> None:
    # The ends of the scale and its fifths are the anchors themselves.
    weights = np.array([0.0, 5.0, 1.0, 4.0, 2.0, 3.0])
    picture = draw_attention(list("abcdef"), weights, title="t", label="l")
    expected = [attention.ANCHORS[int(weight)] for weight in weights]
    np.testing.assert_allclose(cell_colours(picture), expected, atol=1)


def test_every_colour_of_the_scale_is_darker_than_the_one_before() -> None:
    greys = np.array(attention.ANCHORS) @ (0.299, 0.587, 0.114)
    assert (np.diff(greys) < 0).all()
    many = draw_attention(list("abcdefgh"), np.arange(8), title="t", label="l")
    assert (np.diff(np.array(cell_colours(many)) @ (0.299, 0.587, 0.114)) < 0).all()


@pytest.mark.parametrize(("weight", "ink"), [(0.0, (25, 25, 25)), (1.0, (255, 255, 255))])
def test_a_word_is_dark_on_a_light_cell_and_white_on_a_dark_one(weight: float, ink: tuple[int, int, int]) -> None:
    picture = draw_attention(["HHHH", "x" * 9], np.array([weight, 1.0]), title="t", label="l")
    rows = np.flatnonzero((picture[:-44] == (228, 228, 228)).all(axis=2).sum(axis=1) > 20)
    first = picture[rows[0] + 2 : rows[-1] - 2, 16 + 2 : 16 + 60]
    assert (first == ink).all(axis=2).any()


def test_what_is_not_drawn_is_counted_with_its_part_of_the_weight(headings: list[list[str]]) -> None:
    # Words wider than the widest cell: two of them a line.
    words = ["W" * 60] * (2 * MOST_LINES + 10)
    weights = np.ones(len(words))
    weights[-10:] = 8.0
    draw_attention(words, weights, title="t", label="l")
    draw_attention(words[: 2 * MOST_LINES], weights[: 2 * MOST_LINES], title="t", label="l")
    draw_attention(words, 0 * weights, title="t", label="l")
    assert headings[0][2] == "the first 80 of 90 words; 50.0% of the weight lies after them"
    assert headings[1] == ["t", "l"]
    assert headings[2][2].endswith("0.0% of the weight lies after them")


def test_title_and_label_are_each_one_line(headings: list[list[str]]) -> None:
    draw_attention(["好"], np.ones(1), title="运行\n一", label="消极\x00 93 %")
    assert headings == [["运行 一", "消极 93 %"]]


@pytest.mark.parametrize("tokens", [[], ["a", "b", "c"]])
def test_there_is_a_weight_for_every_word_and_a_word(tokens: list[str]) -> None:
    with pytest.raises(ValueError, match=rf"weights .* for {len(tokens)} tokens"):
        draw_attention(tokens, np.ones(max(0, len(tokens) - 1)), title="t", label="l")
