"""Bags of words: naive Bayes worked by hand, and what both models learn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlcli.data.text.tokenizing.tokenizer import build_tokenizer, make_spec
from dlcli.tasks.sentiment.word_baselines import COUNTS, TFIDF, word_baselines

WORDS = make_spec("words")


def figures(train, labels, text, label, spec=WORDS):
    return word_baselines(
        build_tokenizer(spec).tokens_of_all, train, np.array(labels), [text], np.array([label]), num_classes=2
    )


def test_naive_bayes_is_the_one_of_the_textbook():
    # Manning, Raghavan & Schuetze 2008, table 13.1 and example 13.1, without the words of a single document.
    train = ["Chinese Beijing Chinese", "Chinese Chinese Beijing", "Chinese Macao", "Tokyo Japan Chinese"]
    found = figures(train, [1, 1, 1, 0], "Chinese Chinese Tokyo", 1)
    yes, no = 3 / 4 * (6 / 9) ** 2, 1 / 4 * (2 / 3) ** 2  # the words: Chinese and Beijing
    assert found[COUNTS]["num_features"] == 2
    assert found[COUNTS]["loss"] == pytest.approx(-math.log(yes / (yes + no)))


def test_words_that_tell_the_label_are_learned_and_their_order_tells_nothing():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 60)
    texts = [" ".join(random.permutation(["it", "was", ("bad", "good")[label]])) for label in labels]
    found = word_baselines(
        build_tokenizer(WORDS).tokens_of_all, texts[:40], labels[:40], texts[40:], labels[40:], num_classes=2
    )
    assert found[COUNTS]["accuracy"] == found[TFIDF]["accuracy"] == 1.0


def test_words_are_cleaned_as_the_networks_are():
    spec = make_spec("words", stem="english", stopwords=["it"])
    found = figures(["it flies", "it fly", "not"], [0, 0, 1], "flying", 0, spec)
    assert found[COUNTS]["num_features"] == 1, "fli; not occurs once, it is a stop word"


def test_without_any_word_there_is_no_model():
    assert figures(["a", "b"], [0, 1], "a", 0) == {}
