"""Sentences are cut into words and put together again."""

from __future__ import annotations

import pytest

from dlcli.data.text.tokenizing.joining import join_unspaced, join_words, split_words

SENTENCES = [
    "Hello, world!",
    "I don't know; it's Tom's.",
    "We met at 10:30 p.m., for $3,000.50 (or 20%).",
    '"Is it well-known?" he asked.',
    "He said 'yes' and 'no'.",
    "Wait... what?",
    "C'est l'été, n'est-ce pas?",
    "Он спросил: «Кто там?»",
    "He and/or she is home.",
]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_blanks_come_back(sentence):
    assert join_words(split_words(sentence)) == sentence


def test_words_are_those_a_vocabulary_wants():
    assert split_words("I don't owe $3,000.") == ["I", "don", "'t", "owe", "$", "3,000", "."]
    assert split_words("'quoted' rock-'n'-roll") == ["'", "quoted", "'", "rock", "-", "'", "n", "'", "-", "roll"]


def test_any_words_make_a_sentence():
    assert join_words([]) == ""
    assert join_words(["'s", ",", '"']) == "'s, \""
    assert join_words(["he", "'ll", "<unk>", "it"]) == "he'll <unk> it"


def test_languages_without_blanks_have_one_between_foreign_words():
    assert join_unspaced(["我", "是", "Tom", "Smith", "，", "3", "岁"]) == "我是Tom Smith，3岁"
    assert join_unspaced([]) == ""
