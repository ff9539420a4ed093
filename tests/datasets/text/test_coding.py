"""From texts to numbers: the vocabulary of the training texts, stop words, and what the card says of lengths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.data.card import Card
from dlcli.data.text.form import form_of
from dlcli.data.text.lines import jsonl_file
from dlcli.data.text.vocabulary import UNK
from dlcli.data.text.writer import write_jsonl
from dlcli.datasets.text.coding import look_over, tokenise
from dlcli.datasets.text.options import TextOptions

CLASSES = ("neg", "pos")
TRAIN = ["好 好 好 的", "好 电影 的", "不 好 的", "差 电影"]
TEST = ["好 新", "新 新"]


def coded(folder, stop_words=(), train=TRAIN, **options):
    folder.mkdir(exist_ok=True)
    splits = {"train": train, "test": TEST}
    for split, texts in splits.items():
        rows = [(text, CLASSES[row % 2]) for row, text in enumerate(texts)]
        write_jsonl(jsonl_file(folder, split), rows)
    counts = {split: {"neg": -(-len(texts) // 2), "pos": len(texts) // 2} for split, texts in splits.items()}
    options = TextOptions(**{"tokenizer": "whitespace", "min_count": 1, **options})
    card = tokenise(Card("text", "toy", CLASSES, counts), folder, options, stop_words)
    return card, form_of(folder, card)


def texts_of(form, split):
    """Return the tokens of each text of a split, by their numbers."""
    tokens, ids = form.vocabulary().tokens, form.ids(split)
    return [[tokens[number] for number in ids[a:b]] for a, b in itertools.pairwise(form.offsets(split))]


def test_tokens_are_numbered_by_frequency_then_by_code_point(tmp_path):
    card, form = coded(tmp_path)
    assert form.vocabulary().tokens == ("<pad>", "<unk>", "好", "的", "电影", "不", "差")
    assert (card.details["vocab_size"], card.details["min_count"]) == (7, 1)


def test_the_numbers_spell_the_training_texts_and_what_is_new_in_test_is_unknown(tmp_path):
    _, form = coded(tmp_path)
    assert texts_of(form, "train") == [text.split() for text in TRAIN]
    assert texts_of(form, "test") == [["好", "<unk>"], ["<unk>", "<unk>"]]
    assert form.labels("train").tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("options", "tokens"),
    [
        ({"min_count": 2}, ["好", "的", "电影"]),
        ({"min_count": 3}, ["好", "的"]),
        ({"min_count": 5}, ["好"]),
        ({"max_vocab": 3}, ["好"]),
        ({"max_vocab": 5, "min_count": 3}, ["好", "的"]),
    ],
)
def test_rare_tokens_become_unknown(tmp_path, options, tokens):
    _, form = coded(tmp_path, **options)
    assert list(form.vocabulary().tokens[2:]) == tokens
    expected = [[token if token in tokens else "<unk>" for token in text.split()] for text in TRAIN]
    assert texts_of(form, "train") == expected


def test_where_no_token_is_frequent_enough_the_option_is_named(tmp_path):
    with pytest.raises(DataError, match="6 times") as caught:
        coded(tmp_path, min_count=6)
    assert "--min-count" in caught.value.hint


def test_stop_words_are_in_no_text_and_in_the_tokenizers_specification(tmp_path):
    card, form = coded(tmp_path, stop_words=("的", "新"))
    assert texts_of(form, "train") == [["好"] * 3, ["好", "电影"], ["不", "好"], ["差", "电影"]]
    assert texts_of(form, "test") == [["好"], ["<unk>"]], "a text of stop words alone is one unknown token"
    assert card.details["tokenizer"]["stopwords"] == sorted(["的", "新"])


def test_a_stop_word_that_carries_the_label_is_warned_of_by_the_training_texts_alone(tmp_path):
    train = [f"a{row} {'真' if row % 2 else '假'} 的" for row in range(80)]
    card, _ = coded(tmp_path, stop_words=("真", "的", "新"), train=train)
    [warning] = [line for line in card.warnings if "label" in line]
    assert "'真'" in warning and "40 texts are pos" in warning
    assert "'的'" not in warning and "'新'" not in warning


def test_what_was_sealed_is_fresh_and_is_not_cut_again(tmp_path, monkeypatch):
    card, form = coded(tmp_path)
    monkeypatch.setattr("dlcli.data.text.writer.pack", lambda *_: pytest.fail("it was packed again"))
    again = form_of(tmp_path, card)
    for split in ("train", "test"):
        np.testing.assert_array_equal(again.ids(split), form.ids(split))


def test_emoticons_are_stripped_where_that_is_asked_for(tmp_path):
    train = [f"{text} [泪]" for text in TRAIN]
    assert "[泪]" in coded(tmp_path / "a", train=train)[1].vocabulary().tokens
    card, form = coded(tmp_path / "b", train=train, strip_emoticons=True)
    assert "[泪]" not in form.vocabulary().tokens
    assert card.details["tokenizer"]["strip"] == ["emoticon"]


def test_the_card_has_the_lengths_of_the_training_texts(tmp_path):
    train = [" ".join(["词"] * count) for count in (1, 2, 3, 4, 90)]
    card, _ = coded(tmp_path, train=train)
    assert look_over(card, tmp_path).details["lengths"] == {"mean": 20.0, "max": 90, "median": 3, "p95": 90, "p99": 90}


@pytest.mark.parametrize(("num_long", "is_said"), [(0, False), (1, True), (20, True)])
def test_long_texts_are_warned_of_from_a_twentieth_on(tmp_path, num_long, is_said):
    train = [" ".join(["词"] * (513 if row < num_long else 512)) for row in range(20)]
    card, form = coded(tmp_path, train=train)
    warnings = look_over(card, tmp_path).warnings
    assert any("512 tokens" in line for line in warnings) is is_said
    assert (form.ids("train") != UNK).all()
