"""Tokenizers of both sides: the same ids again, sentences that come back, and assets that are not trusted."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import pickle

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import sentencepiece_model_pb2

from dlcli.core.errors import DataError, RunError, UsageError
from dlcli.data.parallel import tokenizers as module
from dlcli.data.parallel.cleaning import Cleaning
from dlcli.data.parallel.fitting import Fit, fit_joint, fit_tokenizer
from dlcli.data.parallel.tokenizers import KINDS, UNKNOWN, share_vocabulary, tokenizer_from_json
from dlcli.data.text.tokenizing import pieces
from dlcli.data.text.tokenizing.pieces import train_pieces

EN, ZH = Cleaning("en"), Cleaning("zh")
ENGLISH = ["He is a student.", "She isn't a teacher, is she?", "I am at home.", "They're at school.", "Hi!"] * 3
CHINESE = ["他是学生。", "她不是老师，对吗？", "我在家。", "他们在学校。", "嗨！"] * 3
SIDES = [(EN, ENGLISH), (ZH, CHINESE)]
SIZES = {"word": 1000, "char": 1000, "bpe": 320}


@pytest.fixture(scope="module")
def fitted():
    return {
        (kind, cleaning.language): fit_tokenizer(Fit(kind, 1, SIZES[kind]), cleaning, texts)
        for kind in KINDS
        for cleaning, texts in SIDES
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("cleaning", "texts"), SIDES, ids=["en", "zh"])
def test_sentences_come_back(fitted, kind, cleaning, texts):
    tokenizer = fitted[kind, cleaning.language]
    ids = tokenizer.encode_all(texts)
    assert ids == [tokenizer.encode(text) for text in texts]
    assert [tokenizer.decode([1, *numbers, 2, 0]) for numbers in ids] == texts
    flat = {number for numbers in ids for number in numbers}
    assert min(flat) > UNKNOWN and max(flat) < tokenizer.size
    assert (tokenizer.pad, tokenizer.start, tokenizer.end, tokenizer.unknown) == (0, 1, 2, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_typed_gets_the_tokens_of_its_spelling(fitted, kind):
    tokenizer = fitted[kind, "zh"]
    assert tokenizer.encode("他是 学生。\u200b") == tokenizer.encode("他是学生。")
    assert fitted[kind, "en"].encode("  She isn’t a teacher , is she ?") == fitted[kind, "en"].encode(ENGLISH[1])


@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_back_from_json_and_from_a_pickle(fitted, kind):
    for language in ("en", "zh"):
        tokenizer = fitted[kind, language]
        for again in (
            tokenizer_from_json(json.loads(json.dumps(tokenizer.to_json()))),
            pickle.loads(pickle.dumps(tokenizer)),
        ):
            assert again == tokenizer and again.vocabulary == tokenizer.vocabulary and again.size == tokenizer.size
            assert again.encode("I am 我在 xyz") == tokenizer.encode("I am 我在 xyz")


def test_unseen_words_are_unknown_and_unseen_bytes_are_not(fitted):
    assert UNKNOWN in fitted["word", "en"].encode("A zebra is at home.")
    assert fitted["word", "en"].decode(fitted["word", "en"].encode("Zebra is a")) == "<unk> is a"
    assert fitted["bpe", "en"].decode(fitted["bpe", "en"].encode("A ż 犇 <pad> </s>")) == "A ż 犇 <pad> </s>"
    assert fitted["bpe", "zh"].decode(fitted["bpe", "zh"].encode("他是Tom Smith。")) == "他是Tom Smith。"
    for tokenizer in fitted.values():
        assert tokenizer.encode("") == [UNKNOWN]
        with pytest.raises(IndexError):
            tokenizer.decode([tokenizer.size])


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_characters="\u2581"), min_size=1))
def test_pieces_spell_whatever_is_written(fitted, text):
    for language in ("en", "zh"):
        tokenizer = fitted["bpe", language]
        cleaned = tokenizer.cleaning.clean(text)
        assert tokenizer.decode(tokenizer.encode(text)) == cleaned or not cleaned


def test_tokens_are_readable(fitted):
    for (_, language), tokenizer in fitted.items():
        tokens = tokenizer.tokens([1, *tokenizer.encode({"en": "Hi!", "zh": "嗨！"}[language]), 2])
        assert tokens[0] == "<s>" and tokens[-1] == "</s>" and tokens[-2][-1] in "!！"


def test_frequent_words_come_first_and_rare_ones_are_left_out():
    texts = ["b a", "b a", "b c", "d"]
    assert fit_tokenizer(Fit("word", 1, 100), EN, texts).entries[4:] == ("b", "a", "c", "d")
    assert fit_tokenizer(Fit("word", 2, 100), EN, texts).entries[4:] == ("b", "a")
    assert fit_tokenizer(Fit("word", 1, 5), EN, texts).entries[4:] == ("b",)
    with pytest.raises(DataError, match="9 times"):
        fit_tokenizer(Fit("word", 9, 100), EN, texts)


def test_equal_texts_give_equal_bytes_and_joint_ones_share_them():
    assert train_pieces(ENGLISH, 320, True) == train_pieces(list(ENGLISH), 320, True)
    source, target = fit_joint(Fit("bpe", 1, 340), (ZH, EN), [*CHINESE, *ENGLISH])
    assert share_vocabulary(source, target) and source.size == target.size
    assert target.decode(target.encode("Hi, he is at home.")) == "Hi, he is at home."
    assert source.decode(source.encode("他们在家。")) == "他们在家。"


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(UsageError, match=r"--vocab-size 100: .* alone are 2\d\d"):
        fit_tokenizer(Fit("bpe", 1, 100), EN, ENGLISH)
    with pytest.raises(UsageError, match="--joint"):
        fit_joint(Fit("char", 1, 100), (ZH, EN), ENGLISH)
    with pytest.raises(UsageError, match="--tokenizer word"):
        fit_tokenizer(Fit("word", 1, 100), Cleaning("th"), ["สวัสดี"])


def test_a_damaged_list_of_tokens_is_refused(fitted, monkeypatch):
    good = fitted["word", "zh"].to_json()
    bad = [
        None,
        {},
        {**good, "kind": "words"},
        {**good, "cleaning": None},
        {**good, "tokens": "abc"},
        {**good, "tokens": [*good["tokens"], 3]},
        {**good, "tokens": good["tokens"][1:]},
        {**good, "tokens": [*good["tokens"], "学生"]},
        {**good, "splitter": [1]},
        {**good, "splitter": {**good["splitter"], "version": "0.1"}},
        {**good, "kind": "char"},
    ]
    for value in bad:
        with pytest.raises(RunError, match=r"damaged|tokenised by jieba"):
            tokenizer_from_json(value)
    monkeypatch.setattr(module, "MAX_TOKENS", 5)
    with pytest.raises(RunError, match="the maximum is 5"):
        tokenizer_from_json(good)


def packed(model):
    return {
        "kind": "bpe",
        "cleaning": EN.to_json(),
        "sha256": hashlib.sha256(model).hexdigest(),
        "model": base64.b64encode(model).decode(),
    }


def test_a_damaged_model_is_refused(fitted, monkeypatch):
    good = fitted["bpe", "en"].to_json()
    other = train_foreign()
    twice = sentencepiece_model_pb2.ModelProto()
    twice.ParseFromString(fitted["bpe", "en"].model)
    twice.pieces[-1].piece = twice.pieces[-2].piece
    for value in (
        {**good, "sha256": "0" * 64},
        {**good, "model": good["model"][:-8]},
        {**good, "model": "§"},
        {**good, "model": 3},
        packed(b""),
        packed(b"no model"),
        packed(fitted["bpe", "en"].model[:-7]),
        packed(other),
        packed(twice.SerializeToString()),
    ):
        with pytest.raises(RunError, match="the tokenizer is damaged"):
            tokenizer_from_json(value)
    monkeypatch.setattr(pieces, "MAX_MODEL_BYTES", 99)
    with pytest.raises(RunError, match="too large"):
        tokenizer_from_json(good)


def train_foreign():
    """Return a model with a normalizer of its own and other special tokens."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(ENGLISH), model_writer=model, vocab_size=40, model_type="bpe", minloglevel=2
    )
    return model.getvalue()
