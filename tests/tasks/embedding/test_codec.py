"""Sums of words, what is refused of them, and the nearest words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcli.core.errors import RunError
from dlcli.data.text.tokenizing.tokenizer import make_spec
from dlcli.tasks.embedding.codec import WordCodec
from dlcli.tasks.embedding.config import EmbeddingInference

TOKENS = ["<pad>", "<unk>", "king", "man", "woman", "queen", "rare"]
ASSETS = {"vocab": TOKENS, "counts": [0, 0, 5, 5, 5, 5, 0], "preprocess": {"tokenizer": make_spec("whitespace")}}


def encoded(text: str, codec: WordCodec | None = None) -> Any:
    codec = codec or WordCodec(ASSETS)
    [source] = codec.expand([text])
    return codec.encode(source)


@pytest.mark.parametrize(
    ("text", "tokens", "signs"),
    [
        ("king", [2], [1]),
        ("king - man + woman", [2, 3, 4], [1, -1, 1]),
        ("  king   woman ", [2, 4], [1, 1]),
        ("- man + king", [3, 2], [-1, 1]),
        ("king − man", [2, 3], [1, -1]),
    ],
)
def test_a_sum_has_its_words_and_their_factors(text, tokens, signs):
    found = encoded(text).arrays
    assert found["tokens"].tolist() == tokens
    assert found["signs"].tolist() == signs


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("prince", "no vector for 'prince'"),
        ("king + rare", "no vector for 'rare'"),
        ("<pad>", "no vector for '<pad>'"),
        ("+ -", "no word"),
        ("", "an empty text"),
        ("king - king", "cancel"),
        ("king " * 1001, "1,001 words"),
        ("k" * 10_001, "10,001 characters"),
    ],
)
def test_what_has_no_answer_says_why(text, reason):
    found = encoded(text)
    assert found.arrays is None
    assert reason in found.error
    assert len(found.error) < 300


def test_answers_leave_out_the_words_of_the_sum_and_those_without_a_vector():
    codec = WordCodec(ASSETS, EmbeddingInference(top_k=2))
    item = encoded("king", codec)
    [answer] = codec.decode({"cosines": np.array([[0.99, 0.98, 1.0, 0.1, 0.3, 0.9, 0.97]], np.float32)}, [item])
    assert answer.record["nearest"] == [{"word": "queen", "cosine": 0.9}, {"word": "woman", "cosine": 0.3}]
    assert (answer.record["word"], answer.record["cosine"]) == ("queen", 0.9)
    assert codec.draw(item.source, answer).shape[2] == 3


@pytest.mark.parametrize(
    "damage",
    [
        {"counts": [0] * 7},
        {"counts": [1, 0, 5, 5, 5, 5, 0]},
        {"counts": [0, 0, 5]},
        {"counts": None},
        {"preprocess": 3},
    ],
)
def test_damaged_assets_are_refused(damage):
    with pytest.raises(RunError, match="damaged"):
        WordCodec({**ASSETS, **damage})
