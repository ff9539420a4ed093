"""A message is one short line, whatever is in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.core.wording import MAX_LINE, brief, is_unicode, printable


@given(st.text(max_size=700), st.integers(10, 400))
def test_a_brief_line_is_printable_and_within_its_limit(text, limit):
    line = brief(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    line.encode()


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=MAX_LINE))
def test_a_short_printable_line_is_left_as_it_is(text):
    assert brief(text) == text


def test_the_beginning_and_the_end_of_a_long_line_remain():
    line = brief("a.csv: " + "x" * 6000 + " is not a number")
    assert line.startswith("a.csv: xxx") and line.endswith("xxx is not a number")
    assert line.count("…") == 1 and len(line) == MAX_LINE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb", "a\\nb"),
        ("\x1b[31m", "\\x1b[31m"),
        ("caf\udce9", "caf\\udce9"),
        ("名\u2028字", "名\\u2028字"),
        ("猫 é", "猫 é"),
    ],
)
def test_what_would_break_a_line_is_escaped(text, expected):
    assert printable(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("abc", True), ("猫😀", True), ("caf\udce9", False), ("\ud800", False)])
def test_bytes_that_are_no_text_are_told(text, expected):
    assert is_unicode(text) is expected
