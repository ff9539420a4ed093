"""The characters of texts: what a network that hashes their n-grams sees, and what it must not see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.data.text.characters import NO_CHARACTERS, character_reader, pack_characters, text_reader
from dlcli.data.text.cleaning import clean_text
from dlcli.data.text.tokenizing.tokenizer import build_tokenizer, make_spec
from dlcli.datasets.text.coding import TextCleaning
from dlcli.datasets.text.options import CodingOptions

PLAIN, WITHOUT_EMOTICONS = make_spec("char"), make_spec("char", strip=["emoticon"])


def seen(text, spec=PLAIN, most=100):
    return "".join(map(chr, character_reader(spec, most)(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Abc  D\n\te", "abc d e"),
        ("e\u0301", "\u00e9"),
        ("\U0001f600好", "\U0001f600好"),
        ("\ud800x", "?x"),
        ("x" * 10_000, "x" * 100),
    ],
)
def test_texts_that_look_alike_have_equal_characters(text, expected):
    assert seen(text) == expected


def test_what_the_tokenizer_strips_is_not_seen_by_the_back_door():
    assert seen("真好[哈哈]啊", WITHOUT_EMOTICONS) == "真好 啊"  # as prepared data holds it
    assert seen("真好[哈哈]啊") == "真好[哈哈]啊"


@pytest.mark.parametrize("text", ["", "  ", "\u200b", "[哈哈]"])
def test_a_text_without_characters_has_one_that_no_text_contains(text):
    assert character_reader(WITHOUT_EMOTICONS, 5)(text).tolist() == [NO_CHARACTERS]


def test_packed_characters_are_those_of_each_text():
    texts = ["one two", "", "三", "x" * 50]
    read = character_reader(PLAIN, 20)
    packed = pack_characters(texts, read)
    assert packed.codes.dtype == np.int32
    for row, text in enumerate(texts):
        codes = packed.codes[packed.offsets[row] : packed.offsets[row + 1]]
        np.testing.assert_array_equal(codes, read(text))
    assert pack_characters([], read).offsets.tolist() == [0]


def test_a_text_is_cleaned_as_the_tokenizer_cleans_it():
    spec = make_spec("char", clean=["html", "width"])
    assert seen("<b>Ｇood</b> &amp; bad", spec) == "".join(seen("Good &amp; bad"))


@pytest.mark.parametrize("name", ["char", "whitespace", "words", "word-punct", "spaced-char", "jieba"])
@given(
    st.lists(st.sampled_from(["[哈哈]", "[泪]", " ", "今天", "真好", "x1", "!", "@小明 ", "<br>", "&amp;"]), max_size=8)
)
def test_a_text_and_what_prepared_data_holds_of_it_are_read_alike(name, pieces):
    text = "".join(pieces)
    options = CodingOptions(tokenizer=name, strip_emoticons=True, clean="html")
    spec = make_spec(name, strip=["emoticon"], clean=["html"])
    stored = clean_text(TextCleaning(options)(text))
    tokenizer = build_tokenizer(spec)
    assert text_reader(spec)(text) == stored
    assert tokenizer.tokens(text) == tokenizer.tokens(stored)
    assert tokenizer.tokens_of_all([text]) == [tokenizer.tokens(stored)]
    assert seen(text, spec) == seen(stored, spec)
