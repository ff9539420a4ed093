"""Wrongly classified texts, as a table and as a picture."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.visualize.text_mistakes import EMPTY, MOST_DRAWN, WIDTH_PX, draw_text_mistakes, mistakes_table

WORST = [{"label": 0, "predicted": 1, "confidence": 0.999}, {"label": 1, "predicted": 0, "confidence": 0.8}]
LABELS = ["消极", "positive"]
STRANGE = ["", "\x00\ud800", "a" * 5000, "今天\n很好", "😀"]


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
    picture = draw_text_mistakes(WORST[:1], [text], LABELS)
    assert (picture.dtype, picture.shape[1:]) == (np.uint8, (WIDTH_PX, 3))


def test_no_mistakes_and_uneven_texts_are_refused() -> None:
    with pytest.raises(ValueError, match="no mistakes"):
        draw_text_mistakes([], [], LABELS)
    with pytest.raises(ValueError, match="1 texts for 2 mistakes"):
        draw_text_mistakes(WORST, ["one"], LABELS)


def test_each_mistake_and_each_of_its_lines_makes_the_picture_higher() -> None:
    heights = [len(draw_text_mistakes(WORST[:count], ["短"] * count, LABELS, title="t")) for count in (1, 2)]
    longer = [len(draw_text_mistakes(WORST[:1], ["长" * count], LABELS, title="t")) for count in (10, 80, 150, 900)]
    assert heights[1] > heights[0]
    assert longer == sorted(set(longer))  # one line, two, three, four
    assert longer[0] == heights[0]


def test_a_text_that_is_empty_or_blank_is_drawn_as_one_without_words() -> None:
    pictures = [draw_text_mistakes(WORST[:1], [text], LABELS) for text in ("", " \n\t", EMPTY)]
    assert np.array_equal(pictures[0], pictures[1])
    assert np.array_equal(pictures[0], pictures[2])


def test_the_heading_counts_the_mistakes_that_are_drawn() -> None:
    few, same, other = (
        draw_text_mistakes(WORST[:1] * count, ["x"] * count, LABELS, title=title)
        for count, title in ((1, None), (1, "The 1 most confident mistakes"), (1, "Mistakes"))
    )
    assert np.array_equal(few, same)
    assert not np.array_equal(few, other)
    drawn = draw_text_mistakes(WORST[:1] * 30, ["x"] * 30, LABELS)
    assert np.array_equal(
        drawn,
        draw_text_mistakes(WORST[:1] * 30, ["x"] * 30, LABELS, title=f"The {MOST_DRAWN} most confident mistakes"),
    )
