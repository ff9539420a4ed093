"""Text as lines that fit a picture."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.visualize.fonts import ELLIPSIS, font_for, latin_font, sized_font, text_width
from dlcli.visualize.text_lines import LONGEST_WORD, printable, wrap

TEXTS = st.text(st.sampled_from("aWi1.é-好，。😀  \n\t\x00\ud800\u200b\u3000"), max_size=120)


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


@given(TEXTS)
def test_any_text_becomes_one_line_without_outer_or_double_spaces(text: str) -> None:
    line = printable(text)
    assert line == printable(line)
    assert line == " ".join(line.split())
    assert all(character.isprintable() for character in line)
    assert [c for c in line if c != " "] == [c for c in text if c.isprintable() and not c.isspace()]


@settings(max_examples=50)
@given(text=TEXTS, width=st.integers(40, 400), max_lines=st.integers(1, 5))
def test_any_text_is_wrapped_within_its_width_and_its_lines(text: str, width: int, max_lines: int) -> None:
    face = sized_font(latin_font(), 14)
    lines = wrap(text, face, width, max_lines)
    assert 1 <= len(lines) <= max_lines
    assert all(text_width(line, face) <= width for line in lines)
    whole = "".join(printable(text).split())
    shown = "".join("".join(lines).split())
    if not lines[-1].endswith(ELLIPSIS):
        assert shown == whole
    else:
        assert whole.startswith(shown.partition(ELLIPSIS)[0])


@pytest.mark.parametrize("text", ["", " ", "\n\x00"])
def test_no_text_is_one_empty_line(text: str) -> None:
    assert wrap(text, sized_font(latin_font(), 14), 100, 3) == [""]


def test_a_text_that_just_fits_is_not_cut() -> None:
    face = sized_font(latin_font(), 14)
    width = text_width("one two", face)
    assert wrap("one two", face, width, 1) == ["one two"]
    [cut] = wrap("one two three", face, width, 1)
    assert cut.endswith(ELLIPSIS)
    assert wrap("one two three", face, text_width("one two", face), 2) == ["one two", "three"]


def test_a_word_longer_than_a_line_is_broken_where_it_is_too_long_for_a_word() -> None:
    face = sized_font(latin_font(), 14)
    width = text_width("m" * LONGEST_WORD, face) + 1
    assert wrap("m" * (2 * LONGEST_WORD + 3), face, width, 9) == ["m" * LONGEST_WORD, "m" * LONGEST_WORD, "mmm"]
