"""Texts that stand in two splits are found by their letters, whatever stands between them and wherever they are cut."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.data.text.audit import duplicates
from dlcli.data.text.audit.duplicates import find_copies, letters_of, text_hashes
from dlcli.data.text.audit.leakage import NOTE
from dlcli.data.text.audit.report import audit_texts


class Form:
    """A prepared text form whose texts are cut at "|"."""

    def __init__(self, strip=(), vocabulary=None, **texts):
        self._texts = texts
        cut = {split: [text.split("|") for text in rows] for split, rows in texts.items()}
        found = sorted({token for rows in cut.values() for row in rows for token in row})
        self._tokens = ("<pad>", "<unk>", *(found if vocabulary is None else vocabulary))
        number = {token: index for index, token in enumerate(self._tokens)}
        self._ids = {split: [[number.get(token, 1) for token in row] for row in rows] for split, rows in cut.items()}
        self._strip = list(strip)

    def splits(self):
        return tuple(self._texts)

    def ids(self, split):
        return np.array([token for row in self._ids[split] for token in row], np.int32)

    def offsets(self, split):
        return np.concatenate([[0], np.cumsum([len(row) for row in self._ids[split]])]).astype(np.int64)

    def texts(self, split, rows):
        return [self._texts[split][row].replace("|", "") for row in rows]

    def vocabulary(self):
        return SimpleNamespace(tokens=self._tokens)

    def tokenizer_spec(self):
        return {"name": "char", "strip": self._strip}


def hashes(*texts, **options):
    form = Form(train=texts, **options)
    return text_hashes(form, "train", form.vocabulary().tokens).tolist()


def pairs(form):
    return {(copies.split, copies.other): copies.pairs for copies in find_copies(form)}


LETTERS = st.text("ab猫狗1é ，!", min_size=1, max_size=8)


@settings(max_examples=25)
@given(LETTERS, st.data())
def test_a_texts_hash_is_that_of_its_letters_wherever_it_is_cut(text, data):
    places = sorted(data.draw(st.sets(st.integers(1, len(text)), max_size=3)))
    cut = "|".join(text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True))
    whole, parts, bare = hashes(text, cut, letters_of(text) or "!")
    assert whole == parts == bare
    assert (whole == 0) == (letters_of(text) == "")


def test_hashes_tell_order_number_and_letters_apart():
    texts = ["ab", "ba", "aab", "abb", "猫a", "a猫", "a", "aa", "A", "1", "一"]
    assert len(set(hashes(*texts))) == len(texts)


@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_blocks_of_any_size_give_the_same_hashes(monkeypatch, block):
    texts = ["a|b|c", "，", "a|b", "c", "a|b|c|a|b|c"]
    whole = hashes(*texts)
    monkeypatch.setattr(duplicates, "BLOCK_TOKENS", block)
    assert hashes(*texts) == whole


def test_each_copy_names_its_row_and_the_first_of_the_other_split():
    form = Form(train=["今天|好", "不|好", "今|天好！"], valid=["x", "不好"], test=["今天 好", "新", "不 好。", "x!"])
    assert pairs(form) == {
        ("valid", "train"): [(1, 1)],
        ("test", "train"): [(0, 0), (2, 1)],
        ("test", "valid"): [(2, 1), (3, 0)],
    }
    assert all(copies.is_complete for copies in find_copies(form))


def test_texts_without_letters_are_no_copies_and_neither_are_those_of_one_split():
    assert pairs(Form(train=["！", "a", "a"], test=["！", "？", "b", "b"])) == {}


def test_equal_hashes_of_different_texts_are_read_and_told_apart():
    form = Form(vocabulary=["很", "好"], train=["很|好|龘"], test=["很|好|龖", "很|好|龘"])
    first, second = text_hashes(form, "test", form.vocabulary().tokens)
    assert first == second, "tokens outside the vocabulary are passed over"
    assert pairs(form) == {("test", "train"): [(1, 0)]}


def test_what_the_tokenizer_strips_does_not_tell_texts_apart():
    texts = {"train": ["好|[泪]"], "test": ["好|[赞]"]}
    assert pairs(Form(**texts)) == {}
    assert pairs(Form(vocabulary=["好"], strip=["emoticon"], **texts)) == {("test", "train"): [(0, 0)]}


def test_where_too_many_would_be_read_the_answer_says_that_it_is_not_complete(monkeypatch):
    texts = [f"text|{number}" for number in range(5)]
    monkeypatch.setattr(duplicates, "MOST_VERIFIED", 3)
    [copies] = find_copies(Form(train=texts, test=texts))
    assert not copies.is_complete
    assert copies.pairs == [(0, 0), (1, 1), (2, 2)]
    [copies] = find_copies(Form(train=texts[:3], test=texts[:3]))
    assert copies.is_complete


def test_copies_in_another_order_are_found_where_too_many_would_be_read(monkeypatch):
    texts = [f"text|{number}" for number in range(10)]
    monkeypatch.setattr(duplicates, "MOST_VERIFIED", 3)
    [copies] = find_copies(Form(train=texts, test=texts[::-1]))
    assert copies.pairs == [(0, 9), (1, 8), (2, 7)]
    assert not copies.is_complete


def test_one_text_that_stands_there_many_times_does_not_keep_others_from_being_read(monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_VERIFIED", 3)
    [copies] = find_copies(Form(train=["a", "a", "a", "a", "b"], test=["a", "b"]))
    assert copies.pairs == [(0, 0), (1, 4)]
    assert not copies.is_complete


def test_a_search_that_finds_nothing_says_so_if_it_is_not_complete(monkeypatch):
    form = Form(vocabulary=["很", "好"], train=["很|好|龘"], test=["很|好|龖"] * 4)
    assert find_copies(form) == []
    monkeypatch.setattr(duplicates, "MOST_VERIFIED", 3)
    [copies] = find_copies(form)
    assert (copies.pairs, copies.is_complete) == ([], False)
    form.card = SimpleNamespace(classes=(), details={})
    form.labels = lambda split: np.zeros(len(form.offsets(split)) - 1, np.int64)
    [finding] = audit_texts(form)["findings"]
    assert (finding["severity"], finding["what"]) == (NOTE, "test texts in train")
    assert finding["text"].startswith("too many of the 4 test texts resemble some of train")


@pytest.mark.parametrize(
    ("text", "letters"), [("", ""), ("，。 \n", ""), ("Ab-1 é猫", "Ab1é猫"), ("٣½x²", "٣½x²"), ("a[泪]b", "a泪b")]
)
def test_letters_are_those_and_the_digits_of_all_scripts(text, letters):
    assert letters_of(text) == letters


def test_stripped_units_have_no_letters():
    assert letters_of("a[泪]b@c", frozenset(["emoticon"])) == "abc"
    assert letters_of("a[泪] @c", frozenset(["emoticon", "mention"])) == "a"
