"""A vocabulary numbers tokens; the counter finds it exactly, however little it holds in memory."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.core.errors import RunError
from dlcli.data.text.vocabulary import PAD_TOKEN, UNK, UNK_TOKEN, TokenCounter, Vocabulary, translation_between

WORDS = ["<pad>", "<unk>", "好", "不", "a", "b", "c", "\n", "😀", "d\u2028"]


def test_unknown_tokens_and_none_at_all_are_unknown():
    vocabulary = Vocabulary((PAD_TOKEN, UNK_TOKEN, "好", "不"))
    encoded = vocabulary.encode(["不", "坏", "好"])
    assert encoded.dtype == np.int64 and encoded.tolist() == [3, UNK, 2]
    assert vocabulary.encode([]).tolist() == [UNK]
    assert len(vocabulary) == 4


def test_a_text_cannot_write_padding():
    vocabulary = Vocabulary((PAD_TOKEN, UNK_TOKEN))
    assert vocabulary.encode([PAD_TOKEN, UNK_TOKEN]).tolist() == [UNK, UNK]


@pytest.mark.parametrize(
    "value",
    [None, {}, [], ["<pad>"], ["<unk>", "<pad>"], ["<pad>", "<unk>", 3], ["<pad>", "<unk>", "a", "a"], "<pad>"],
)
def test_a_damaged_vocabulary_is_refused(value):
    with pytest.raises(RunError, match="damaged"):
        Vocabulary.from_json(value)


def test_a_vocabulary_survives_json():
    vocabulary = Vocabulary((PAD_TOKEN, UNK_TOKEN, "好"))
    assert Vocabulary.from_json(list(vocabulary.tokens)) == vocabulary


def expected(texts, min_count, most):
    counts = Counter(token for text in texts for token in text)
    ranked = sorted((token for token in counts if counts[token] >= min_count), key=lambda t: (-counts[t], t))
    ranked = [token for token in ranked if token not in (PAD_TOKEN, UNK_TOKEN)]
    return (PAD_TOKEN, UNK_TOKEN, *ranked[: most - 2])


@settings(max_examples=150, deadline=None)
@given(
    texts=st.lists(st.lists(st.sampled_from(WORDS), max_size=6), min_size=1, max_size=30),
    in_memory=st.sampled_from([0, 1, 3, 100]),
    min_count=st.integers(1, 3),
    most=st.integers(2, 12),
)
def test_the_counter_is_exact_however_little_it_holds(tmp_path_factory, texts, in_memory, min_count, most):
    folder = tmp_path_factory.mktemp("tables")
    counter = TokenCounter(folder, most=in_memory)
    rows = [counter.numbers(text) for text in texts]
    counts = np.bincount(np.concatenate(rows), minlength=counter.num_numbers)
    assert len(counts) == counter.num_numbers
    vocabulary, places = counter.frequent(counts, min_count=min_count, most=most)
    assert vocabulary.tokens == expected(texts, min_count, most)
    for text, row in zip(texts, rows, strict=True):
        assert places[row].tolist() == vocabulary.encode(text).tolist()
    counter.remove_tables()
    assert not list(folder.iterdir())


def test_tokens_of_one_vocabulary_have_their_numbers_in_another():
    own, wanted = ("<pad>", "<unk>", "a", "b"), ("<pad>", "<unk>", "b", "c")
    assert translation_between(own, own) is None
    assert translation_between(own, wanted).tolist() == [0, 1, 1, 2]
