"""Texts that look the same are the same."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.data.text.cleaning import clean_text


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_form_of_a_text_changes_nothing(form):
    assert clean_text(unicodedata.normalize(form, "délicieux 한국어")) == "délicieux 한국어"


@pytest.mark.parametrize("blank", ["", " \t\r\n", "\u3000", "\u200b", "\ufeff", "\0", "\u00ad\u2060", "\u3164", "\x1f"])
def test_what_cannot_be_seen_is_no_text(blank):
    assert clean_text(blank) == ""
    assert clean_text(f"{blank}好 a{blank}") == "好 a"


def test_marks_inside_a_text_are_kept():
    family = "👩\u200d👧 a\u200bb"
    assert clean_text(family) == family


@given(st.text())
def test_cleaning_twice_is_cleaning_once_and_can_be_stored(text):
    once = clean_text(text)
    assert clean_text(once) == once
    once.encode()
