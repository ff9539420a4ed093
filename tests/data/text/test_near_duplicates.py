"""Texts that are equal but for case and marks, or for a word, are found in every script; others are not."""

from __future__ import annotations

import pytest

from dlcli.data.text import near_duplicates
from dlcli.data.text.near_duplicates import normalised, similar_texts

TEXTS = [
    "The room was clean, the staff friendly and the breakfast excellent.",
    "酒店的位置很好，离地铁站只有五分钟，房间也很干净，下次还会来住。",
    "I would not stay here again: it was loud at night and nobody answered the phone.",
    "服务员态度非常差，等了一个小时才办好入住手续。",
]


def found(texts):
    pairs = similar_texts(texts)
    return sorted(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.similarity.round(3).tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  Good,\tvery GOOD!! ", "good very good"),
        ("ＡＢＣ　１２", "abc 12"),
        ("很好。真的！", "很好 真的"),
        ("?!", "?!"),
        ("", ""),
        ("Straße", "strasse"),
    ],
)
def test_case_marks_width_and_blanks_do_not_count(text, plain):
    assert normalised(text) == plain


def test_texts_that_are_equal_but_for_case_and_marks_are_paired_with_the_first():
    assert found([*TEXTS, TEXTS[0].upper(), "the room was clean the staff friendly and the breakfast excellent"]) == [
        (0, 4, 1.0),
        (0, 5, 1.0),
    ]


def test_a_text_with_one_other_word_is_similar_and_another_opinion_is_not():
    changed = [TEXTS[0].replace("excellent", "excellent too"), TEXTS[1].replace("五", "六")]
    pairs = found([*TEXTS, *changed])
    assert [pair[:2] for pair in pairs] == [(0, 4), (1, 5)]
    assert all(near_duplicates.SIMILAR <= value < 1 for _, _, value in pairs)


@pytest.mark.parametrize("texts", [[], ["a"], ["a", "b"], ["", "?"]])
def test_texts_too_short_for_runs_of_characters_have_no_near_duplicates(texts):
    assert found(texts) == []


def test_of_too_many_texts_only_equal_ones_are_paired_and_that_is_said(monkeypatch):
    monkeypatch.setattr(near_duplicates, "MAX_TEXTS", 3)
    pairs = similar_texts([*TEXTS, TEXTS[3] + "!", TEXTS[1].replace("五", "六")])
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([3], [4])
    assert "more than 3 different texts" in pairs.notes[0]
