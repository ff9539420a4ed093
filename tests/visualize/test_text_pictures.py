"""Pictures of texts: attention, word vectors, lengths, mistakes."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.visualize.attention import draw_attention
from dlcli.visualize.embeddings import draw_embeddings, nearest_neighbours, principal_plane
from dlcli.visualize.fonts import font_for, sized_font, text_width
from dlcli.visualize.lengths import draw_lengths
from dlcli.visualize.text_lines import printable, wrap
from dlcli.visualize.text_mistakes import draw_text_mistakes, mistakes_table

WORST = [{"label": 0, "predicted": 1, "confidence": 0.999}, {"label": 1, "predicted": 0, "confidence": 0.8}]
LABELS = ["消极", "positive"]
STRANGE = ["", "\x00\ud800", "a" * 5000, "今天\n很好", "😀"]


def is_picture(picture: np.ndarray) -> bool:
    return picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3


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
    assert is_picture(draw_attention(STRANGE, np.ones(len(STRANGE)), title="标题\n", label="消极"))


@pytest.mark.parametrize("weights", [[1.0], [1.0, np.nan], [1.0, -0.1], [[1.0, 1.0]]])
def test_attention_refuses_what_are_no_weights(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        draw_attention(["a", "b"], np.array(weights), title="t", label="l")


def test_nearest_neighbours_are_those_of_largest_cosine() -> None:
    vectors = np.array([[1, 0], [2, 0.1], [0, 3], [-1, 0], [0, 0], [1, 1]], np.float32)
    found = nearest_neighbours(vectors, 0, 3)
    assert [index for index, _ in found] == [1, 5, 2]
    assert found[1][1] == pytest.approx(np.sqrt(0.5))
    assert len(nearest_neighbours(vectors, 0, 99)) == 5
    assert dict(nearest_neighbours(vectors, 0, 99))[3] == pytest.approx(-1)
    assert all(cosine == 0 for _, cosine in nearest_neighbours(vectors, 4, 5))


@pytest.mark.parametrize(("index", "k"), [(-1, 1), (3, 1), (0, 0)])
def test_neighbours_of_no_row_are_refused(index: int, k: int) -> None:
    with pytest.raises(ValueError, match="neighbours"):
        nearest_neighbours(np.eye(3), index, k)


def test_principal_plane_keeps_the_distances_of_flat_vectors() -> None:
    angles = np.array([0.1, 0.7, 2.0, 4.0])
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    turned = circle @ np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0][:2]
    points, share = principal_plane(turned * [[1.0], [2.0], [3.0], [4.0]])
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    assert distances == pytest.approx(np.linalg.norm(circle[:, None] - circle, axis=2))
    assert share == pytest.approx(1)


def test_map_does_not_depend_on_the_sign_of_the_components() -> None:
    vectors = np.random.default_rng(0).normal(size=(30, 8))
    rotated = vectors @ np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0]
    assert principal_plane(vectors)[0] == pytest.approx(principal_plane(rotated)[0])


@pytest.mark.parametrize("vectors", [np.ones((3, 4)), np.zeros((3, 4)), np.eye(3), np.arange(3.0)[:, None]])
def test_map_of_vectors_without_spread_is_drawn(vectors: np.ndarray) -> None:
    assert is_picture(draw_embeddings(["好", "😀", "\ud800"], vectors, title="词"))


def test_names_on_the_map_never_overlap() -> None:
    # All points on one place: one name has room at its right, one at its left.
    words = ["的", "了", "是", "我"]
    together = draw_embeddings(words, np.ones((4, 3)), title="t")
    two = draw_embeddings(words[:2], np.ones((2, 3)), title="t")
    assert np.array_equal(together[-1000:], two[-1000:])


@pytest.mark.parametrize("vectors", [np.eye(2), np.array([[np.nan], [1], [2]])])
def test_map_refuses_what_are_no_vectors(vectors: np.ndarray) -> None:
    with pytest.raises(ValueError, match="vector"):
        draw_embeddings(["a", "b", "c"], vectors, title="t")


def test_lengths_do_not_depend_on_the_number_of_texts() -> None:
    lengths = np.array([1, 5, 9, 30])
    few = draw_lengths({"消极": lengths, "b": lengths + 3}, title="长度")
    many = draw_lengths({"消极": np.tile(lengths, 2), "b": np.tile(lengths + 3, 2)}, title="长度")
    assert is_picture(few)
    assert np.array_equal(few[200:, :900], many[200:, :900])  # all but the legend's counts


@pytest.mark.parametrize(
    "lengths", [{"a": [0]}, {"a": [3, 3], "none": []}, {f"$c{i}$": [i, 10_000] for i in range(12)}]
)
def test_lengths_of_any_texts_are_drawn(lengths: dict[str, list[int]]) -> None:
    picture = draw_lengths({name: np.array(values, int) for name, values in lengths.items()}, title="t")
    assert is_picture(picture)


def test_no_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="no lengths"):
        draw_lengths({"a": np.array([], int)}, title="t")


def test_table_of_mistakes_names_the_classes_and_keeps_the_whole_text() -> None:
    assert mistakes_table(WORST, ["好\n吗", "x" * 3000], LABELS) == [
        {"label": "消极", "predicted": "positive", "confidence": 0.999, "text": "好 吗"},
        {"label": "positive", "predicted": "消极", "confidence": 0.8, "text": "x" * 3000},
    ]
    with pytest.raises(ValueError, match="1 texts for 2 mistakes"):
        mistakes_table(WORST, ["one"], LABELS)


def test_picture_of_mistakes_is_bounded_in_texts_and_lines() -> None:
    long = draw_text_mistakes(WORST * 10, ["长" * 300] * 20, LABELS)
    longer = draw_text_mistakes(WORST * 50, ["长" * 10_000] * 100, LABELS)
    assert np.array_equal(long, longer)


@pytest.mark.parametrize("text", STRANGE)
def test_mistake_of_any_text_is_drawn(text: str) -> None:
    assert is_picture(draw_text_mistakes(WORST[:1], [text], LABELS))


@pytest.mark.parametrize("text", ["今天天气很好，" * 40, "a few words and no more " * 20, "x" * 900, "好 x" * 200])
def test_wrapped_lines_fit_and_lose_nothing(text: str) -> None:
    face = sized_font(font_for([text]).path, 19)
    lines = wrap(text, face, 300, 1000)
    assert all(text_width(line, face) <= 300 for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    cut = wrap(text, face, 300, 2)
    assert (len(cut), cut[0], cut[1][-1]) == (2, lines[0], "…")


def test_words_of_letters_are_not_broken() -> None:
    face = sized_font(font_for([]).path, 19)
    lines = wrap("some longer words here", face, text_width("some longer", face), 9)
    assert lines == ["some longer", "words here"]


def test_only_what_can_be_printed_is_left() -> None:
    assert printable(" a\x00b\n\ud800 好\u200b ") == "a b 好"
