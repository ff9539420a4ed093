"""Sentences in, translations out, and every bad sentence answered with its reason."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tasks.translation.conftest import TOKENIZERS

from dlcli.core.errors import RunError, UsageError
from dlcli.data.parallel.cleaning import Cleaning
from dlcli.data.parallel.fitting import Fit, fit_joint
from dlcli.tasks.translation.codec import BATCH, MAX_CHARACTERS, TranslationCodec
from dlcli.tasks.translation.config import TranslationInference

ASSETS = {
    "tokenizers": {side: tokenizer.to_json() for side, tokenizer in TOKENIZERS.items()},
    "preprocess": {"max_length": 256},
}


@pytest.fixture
def codec():
    return TranslationCodec(json.loads(json.dumps(ASSETS)))


def encoded(codec, *inputs):
    return [codec.encode(source) for source in codec.expand(inputs)]


def test_a_sentence_becomes_its_tokens(codec):
    [item] = encoded(codec, "天地人")
    assert item.arrays["source"].tolist() == TOKENIZERS["source"].encode("天地人")
    assert item.arrays["source_lengths"] == 3
    assert item.context["warning"] == ""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        ("\u200b \u3000", "empty"),
        ("天" * 10_000, "10,000 tokens, more than 256: cut it"),
        ("天" * (MAX_CHARACTERS + 1), "characters, more than 100,000"),
        ("龘靐", "none of its tokens is known: this model translates from zh to en"),
        ("good morning", "none of its tokens is known"),
    ],
)
def test_what_cannot_be_translated_says_why(codec, text, fault):
    [item] = encoded(codec, text)
    assert item.arrays is None
    assert fault in item.error


def test_unseen_characters_and_another_script_are_translated_with_a_warning(codec):
    [item, other] = encoded(codec, "天地龘", "good morning 天")
    assert item.context["warning"] == "1 of 3 tokens are unknown"
    assert other.context["warning"] == "not in the script of the source: this model translates from zh to en"
    outputs = {"sentences": np.array([[[4, 5]]]), "scores": np.array([[-0.5]])}
    [answer] = codec.decode(outputs, [item])
    assert answer.record["warning"] == "1 of 3 tokens are unknown"


def test_the_wrong_direction_is_noticed_where_both_sides_share_their_pieces():
    texts = ["天地人你我他大小上下来去", "heaven and earth and man"] * 20
    source, target = fit_joint(Fit("bpe", 1, 300), (Cleaning("zh"), Cleaning("en")), texts)
    assets = {"tokenizers": {"source": source.to_json(), "target": target.to_json()}, "preprocess": {"max_length": 9}}
    codec = TranslationCodec(assets)
    [right, wrong] = encoded(codec, "天地", "earth")
    assert right.context["warning"] == ""
    assert "not in the script of the source" in wrong.context["warning"]
    [unseen] = encoded(codec, "龘")
    assert "none of its tokens is known" in unseen.error


def test_files_and_standard_input_hold_a_sentence_a_line(codec, tmp_path):
    (tmp_path / "lines.txt").write_text("天地\n\n人\n", encoding="utf-8")
    (tmp_path / "objects.jsonl").write_text(
        '{"source": "天", "target": "w1"}\n{"text": "地"}\n{"n": 1}\n', encoding="utf-8"
    )
    items = encoded(codec, str(tmp_path / "lines.txt"), str(tmp_path / "objects.jsonl"))
    assert [item.source.value.text for item in items[:4:2]] == ["天地", "人"]
    assert "line 2: an empty text" in items[1].error
    assert items[3].kept == {"target": "w1"}
    assert items[4].arrays is not None
    assert "line 3" in items[5].error
    sources = [*codec.read_lines(["天地", '{"source": "人", "id": 7}']), *codec.finish_lines()]
    assert [source.value.text for source in sources] == ["天地", "人"]
    assert sources[1].value.kept == {"id": 7}


def test_a_file_in_another_encoding_is_read_or_refused(codec, tmp_path):
    (tmp_path / "gb.txt").write_bytes("天地人你我他大小上下来去\n".encode("gb18030"))
    (tmp_path / "broken.txt").write_bytes(b"\xe5\xa4\xa9 \xff\xfe\x81 \x00\x01\xff\n")
    [item] = encoded(codec, str(tmp_path / "gb.txt"))
    assert item.source.value.text == "天地人你我他大小上下来去"
    assert all(item.error for item in encoded(codec, str(tmp_path / "broken.txt")))
    assert "no such file" in encoded(codec, str(tmp_path / "missing.txt"))[0].error.lower()


def test_batches_hold_sentences_of_like_length_and_each_once(codec):
    items = encoded(codec, *("天" * (1 + number * 37 % 90) for number in range(150)))
    seen, sizes = [], []
    for indices, arrays in codec.batches(items):
        assert len(indices) <= BATCH
        seen += indices
        sizes.append(arrays["source"].shape)
        for row, index in enumerate(indices):
            length = arrays["source_lengths"][row]
            assert arrays["source"][row, :length].tolist() == items[index].arrays["source"].tolist()
            assert not arrays["source"][row, length:].any()
    assert sorted(seen) == list(range(150))
    assert [width for _, width in sizes] == sorted((width for _, width in sizes), reverse=True)
    assert list(codec.batches([])) == []


def test_the_best_translations_are_listed_best_first(codec):
    items = encoded(codec, "天地", "人")
    outputs = {
        "sentences": np.array([[[4, 5, 0], [4, 0, 0]], [[6, 7, 8], [0, 0, 0]]]),
        "scores": np.array([[-0.25, -1.5], [-0.123456, -np.inf]], np.float32),
    }
    first, second = (answer.record for answer in codec.decode(outputs, items))
    assert first["nbest"] == [{"translation": "w0 w1", "score": -0.25}, {"translation": "w0", "score": -1.5}]
    assert first["translation"] == "w0 w1"
    assert second["nbest"] == [{"translation": "w2 w3 w4", "score": -0.1235}]
    outputs["scores"][:] = -np.inf  # every token was banned
    assert codec.decode(outputs, items)[0].record["translation"] == ""


def test_an_answer_is_drawn(codec):
    [source] = codec.expand(["天地"])
    [answer] = codec.decode({"sentences": np.array([[[4]]]), "scores": np.array([[-1.0]])}, [codec.encode(source)])
    picture = codec.draw(source, answer)
    assert picture.dtype == np.uint8
    assert picture.min() < 100


def test_more_best_than_the_beam_finds_are_refused():
    with pytest.raises(UsageError, match="more than the beam of 4 can return"):
        TranslationCodec(ASSETS, TranslationInference(nbest=5))


@pytest.mark.parametrize(
    "changes",
    [
        {"tokenizers": None},
        {"tokenizers": {"source": ASSETS["tokenizers"]["source"]}},
        {"tokenizers": {"source": 1, "target": 2}},
        {"preprocess": {"max_length": "9"}},
        {"preprocess": None},
    ],
)
def test_damaged_assets_are_refused(changes):
    with pytest.raises(RunError, match="damaged"):
        TranslationCodec({**ASSETS, **changes})
