"""The codec: answers by hand, what cannot be answered, and seeds of continuations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlcli.data.codec import Source
from dlcli.data.text.inputs import Text
from dlcli.data.text.preprocess import preprocess_of
from dlcli.data.text.tokenizing.tokenizer import make_spec
from dlcli.data.text.vocabulary import SPECIALS
from dlcli.tasks.language_model.codec import LanguageCodec
from dlcli.tasks.language_model.config import LanguageModelInference

ASSETS = {
    "vocab": [*SPECIALS, "I", "see", "it"],
    "preprocess": preprocess_of(6, make_spec("word-punct"), None),
}


def encoded(codec, text):
    return codec.encode(Source(text, Text(text)))


def test_the_answer_to_a_text_by_hand():
    codec = LanguageCodec(ASSETS, LanguageModelInference(next=2, generate=2))
    item = encoded(codec, "I saw it")
    assert item.arrays["tokens"].tolist() == [2, 1, 4]
    outputs = {
        "log_probs": np.log([[0.5, 0.25, 0.5, 0.25, 1.0]]),
        "next_ids": np.array([[0, 4]]),
        "next_log_probs": np.log([[0.75, 0.125]]),
        "generated": np.array([[3, 4, 0]]),
    }
    [answer] = codec.decode(outputs, [item])
    record = answer.record
    assert record["log_prob"] == pytest.approx(-6 * math.log(2), abs=1e-4)
    assert record["perplexity"] == pytest.approx(2 ** (6 / 4), abs=1e-4)
    assert record["perplexity_per_character"] == pytest.approx(2 ** (6 / 9), abs=1e-4)
    assert (record["tokens"], record["unknown"]) == (3, 1)
    assert record["next"] == [{"token": "<end>", "probability": 0.75}, {"token": "it", "probability": 0.125}]
    assert record["generated"] == "I saw it see it"
    assert codec.fields[-3:] == ("generated", "token", "probability")
    picture = codec.draw(item.source, answer)
    assert picture.shape[2] == 3


def test_the_characters_that_perplexity_is_shared_by_are_those_of_the_text_as_it_was_learned():
    spec = make_spec("word-punct", clean=["html"], strip=["emoticon"])
    codec = LanguageCodec({**ASSETS, "preprocess": preprocess_of(6, spec, None)}, LanguageModelInference())
    outputs = {"log_probs": np.log([[0.5, 0.25, 0.5, 0.25]])}
    figures = [
        codec.decode(outputs, [encoded(codec, text)])[0].record["perplexity_per_character"]
        for text in ("I see it", '<p class="x">I see it</p>', "I see it[哈哈]")
    ]
    assert figures == [pytest.approx(2 ** (6 / 9), abs=1e-4)] * 3


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "an empty text"),
        (" \u200b ", {}, "an empty text"),
        ("zebra zoo", {}, "none of its tokens is known"),
        ("I see it I see it I", {}, "a text of 7 tokens: the model reads at most 6"),
        ("I see it", {"generate": 4}, "a text of 3 tokens and 4 more: the model reads at most 6"),
        ("x" * 1_000_001, {}, "more than 1,000,000"),
    ],
)
def test_what_cannot_be_answered_says_why(text, options, message):
    item = encoded(LanguageCodec(ASSETS, LanguageModelInference(**options)), text)
    assert item.arrays is None
    assert message in item.error


def test_a_seed_is_a_function_of_the_draw_seed_and_the_text():
    seeds = {}
    for draw_seed in (0, 1):
        codec = LanguageCodec(ASSETS, LanguageModelInference(generate=2, draw_seed=draw_seed, count=2))
        seeds |= {(draw_seed, text): int(encoded(codec, text).arrays["seeds"]) for text in ("I see", "I see it")}
        drawn = [codec.encode(source) for source in codec.expand(())]
        assert [item.arrays["tokens"].tolist() for item in drawn] == [[], []]
        seeds |= {(draw_seed, number): int(item.arrays["seeds"]) for number, item in enumerate(drawn)}
        assert seeds[draw_seed, "I see"] == int(encoded(codec, "I see").arrays["seeds"])
    assert len({*seeds.values()}) == len(seeds)
    assert list(LanguageCodec(ASSETS).expand(())) == []


def test_batches_hold_every_item_once():
    codec = LanguageCodec(ASSETS)
    items = [encoded(codec, " ".join(["I"] * (1 + number % 4))) for number in range(40)]
    seen = []
    for indices, arrays in codec.batches(items):
        seen += indices
        for row, index in enumerate(indices):
            assert arrays["lengths"][row] == 1 + index % 4
    assert sorted(seen) == list(range(40))
