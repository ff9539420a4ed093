"""One spelling: what is cleaned stays as it is, and each rule by an example."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.core.errors import RunError
from dlcli.data.parallel.cleaning import NORMAL_FORMS, Cleaning

TEXTS = st.one_of(st.text(), st.text(alphabet="aB,.;:?! \"'’“你好，？！：\u3000\u200bé１Ａ()¨İ…\u0301"))


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.sampled_from(["zh", "en", "fr", "th", "ja"]), st.sampled_from(NORMAL_FORMS), st.booleans())
def test_cleaning_twice_is_cleaning_once(text, language, normal_form, is_lower):
    clean = Cleaning(language, normal_form, is_lower).clean
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("language", "text", "cleaned"),
    [
        ("en", " It’s\u00a0“fine” ,  Tom\u200b ! ", 'It\'s "fine", Tom!'),
        ("en", "wait ...", "wait..."),
        ("en", "Yes,but 3,000 and a :) face", "Yes, but 3,000 and a :) face"),
        ("fr", "Tu viens ? Oui ,bien sûr !", "Tu viens ? Oui, bien sûr !"),
        ("zh", "你好,Tom?你 有 １,0００块!", "你好，Tom？你有1,000块！"),
        ("zh", "现在是10:30吗", "现在是10:30吗"),
        ("zh", "Hi, Tom!", "Hi, Tom!"),
        ("ja", "そう ですか?", "そうですか？"),
        ("th", "สวัสดี ครับ", "สวัสดี ครับ"),
        ("en", "\u200b \u3000", ""),
    ],
)
def test_each_rule(language, text, cleaned):
    assert Cleaning(language).clean(text) == cleaned


def test_nfc_leaves_full_width_letters_and_lower_case_is_a_choice():
    assert Cleaning("zh", "nfc").clean("Ａ１") == "Ａ１"
    assert Cleaning("en", is_lower=True).clean("ÉCOLE Ⅳ") == "école iv"


def test_it_comes_back_from_json_and_nothing_in_it_is_trusted():
    cleaning = Cleaning("fr", "nfc", True)
    assert Cleaning.from_json(cleaning.to_json()) == cleaning
    good = cleaning.to_json()
    for bad in (None, [], {}, {**good, "more": 1}, {**good, "language": "cmn"}, {**good, "normal_form": "nfd"}):
        with pytest.raises(RunError, match="damaged"):
            Cleaning.from_json(bad)
    for key, value in (("is_lower", 1), ("language", 3), ("normal_form", [])):
        with pytest.raises(RunError, match="damaged"):
            Cleaning.from_json({**good, key: value})
