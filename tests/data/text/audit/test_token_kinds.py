"""Kinds of token: each token has one, and a text's units are counted apart from its words."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.data.text.audit.token_kinds import LENGTH, PATTERNS, SHOWN, count_units, kind_of_token, read_counts
from dlcli.data.text.tokenizing.kinds import KINDS, split_units

EXAMPLES = {
    "emoticon": "[哈哈]",
    "url": "http://t.cn/a1",
    "mention": "@小明",
    "hashtag": "#电影#",
    "marks": "！?",
    "digits": "２０12",
    "latin": "Ok",
    "emoji": "😀😀",
}


def test_every_kind_has_a_name_for_users_and_an_example():
    assert set(SHOWN) == {*KINDS, *PATTERNS, LENGTH}
    assert set(EXAMPLES) == set(SHOWN) - {LENGTH}
    assert len(set(SHOWN.values())) == len(SHOWN)


@pytest.mark.parametrize(("kind", "token"), EXAMPLES.items())
def test_a_token_of_a_kind_is_known_and_with_a_word_beside_it_is_a_word(kind, token):
    assert kind_of_token(token) == kind
    assert kind_of_token(token + "好") == ("mention" if kind == "mention" else "")
    assert kind_of_token("好" + token) == ""


@pytest.mark.parametrize("token", ["", "好", "!a", "1a", "a1", " ", "。", "é", "😀a", "<unk>"])
def test_everything_else_is_a_word(token):
    assert kind_of_token(token) == ""


@pytest.mark.parametrize(("kind", "token"), EXAMPLES.items())
def test_a_unit_is_counted_once_as_its_kind(kind, token):
    counts = count_units(f"好 {token} 好")
    expected = {"marks": 2, "emoji": 2}.get(kind, 1)  # these are counted by the character
    assert counts[kind] == expected
    assert {name for name, count in counts.items() if count and name != LENGTH} == {kind}
    assert counts[LENGTH] == len(token) + 4


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["[泪]", "@a", " ", "好", "!", "12", "ab", "😀"]), max_size=8), st.data())
def test_stripped_kinds_count_as_if_they_were_not_there(pieces, data):
    text = "".join(pieces)
    stripped = frozenset(data.draw(st.sets(st.sampled_from(["emoticon", "mention"]))))
    counts = count_units(text, stripped)
    assert not stripped & counts.keys()
    assert counts[LENGTH] == sum(len(piece) for piece, kind in split_units(text) if kind not in stripped)
    everything = count_units(text)
    assert everything[LENGTH] == len(text)
    for kind in ("marks", "digits", "emoji"):
        assert counts.get(kind, 0) == everything.get(kind, 0)


def form_of(texts, strip=()):
    """Return what of a prepared text form is read here."""
    return SimpleNamespace(
        labels=lambda split: np.arange(len(texts)) % 3,
        texts=lambda split, rows: [texts[row] for row in rows],
        tokenizer_spec=lambda: {"name": "char", "strip": list(strip)},
    )


def test_counts_are_read_for_every_kind_of_every_text():
    texts = ["好!", "[泪][泪]", "", "a 12"]
    counts, labels = read_counts(form_of(texts), "train", 100)
    assert set(counts) == set(SHOWN)
    assert counts["emoticon"].tolist() == [0, 2, 0, 0]
    assert counts["marks"].tolist() == [1, 0, 0, 0]
    assert counts[LENGTH].tolist() == [2, 6, 0, 4]
    assert labels.tolist() == [0, 1, 2, 0]
    stripped, _ = read_counts(form_of(texts, ["emoticon"]), "train", 100)
    assert stripped["emoticon"].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("most", [1, 2, 3, 7, 10, 50])
def test_of_many_texts_some_are_read_from_the_first_to_the_last(most):
    texts = ["x" * row for row in range(10)]
    counts, labels = read_counts(form_of(texts), "train", most)
    rows = counts[LENGTH]
    assert len(rows) == min(most, 10)
    assert rows[0] == 0 and (most == 1 or rows[-1] == 9)
    assert np.ptp(np.diff(rows)) <= 1 if len(rows) > 2 else True
    assert labels.tolist() == [row % 3 for row in rows]
