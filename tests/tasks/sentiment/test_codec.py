"""Texts as users give them: arguments, files, JSON lines, odd bytes; answered or refused, never a traceback."""

from __future__ import annotations

import json

import pytest

from dlcli.core.errors import RunError
from dlcli.data.codec import Answer
from dlcli.data.text.columns import FILE, Reading
from dlcli.data.text.sources import MAX_SHOWN
from dlcli.data.text.tokenizing.tokenizer import make_spec
from dlcli.tasks.inference import ClassInference
from dlcli.tasks.sentiment.codec import MAX_CHARACTERS, TextCodec

ASSETS = {
    "labels": ["negative", "positive"],
    "vocab": ["<pad>", "<unk>", "good", "bad", "好"],
    "preprocess": {"max_length": 6, "tokenizer": make_spec("whitespace")},
}


def codec(**changes):
    return TextCodec({**ASSETS, **changes}, ClassInference(top_k=2))


def source_of(argument):
    [source] = codec().expand([argument])
    return source


def encode(argument):
    return codec().encode(source_of(argument))


def texts(sources):
    return [source.value.text for source in sources]


def test_a_text_becomes_its_tokens_numbers():
    encoded = encode("good 好 strange bad")
    assert encoded.arrays["tokens"].tolist() == [2, 4, 1, 3]
    assert int(encoded.arrays["lengths"]) == 4


def test_only_the_first_tokens_are_read():
    assert encode("good " * 10_000).arrays["tokens"].tolist() == [2] * 6
    assert codec().words(source_of("a b c d e f g h")) == ["a", "b", "c", "d", "e", "f"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "\0\0",
        "\n",
        "\u3000",
        "\u200b",
        "x" * (MAX_CHARACTERS + 1),
        '{"text": 3}',
        "\udcff\udcfe",
        "{}",
        '{"a": 1}',
    ],
)
def test_what_is_no_text_is_refused_with_a_reason(text):
    encoded = encode(text)
    assert encoded.arrays is None
    assert encoded.error


@pytest.mark.parametrize("text", ["😀", "\ud800", "[哈哈]", "a\0b", "{", "[1]", "[" * 5000, "好" * 10_000])
def test_odd_texts_are_answered(text):
    assert encode(text).arrays is not None


def test_a_json_line_is_its_text_and_keeps_the_rest():
    line = json.dumps({"id": 7, "text": "good 好", "input": "x", "error": "y"}, ensure_ascii=False)
    encoded = encode(line)
    assert encoded.source.name == "good 好"
    assert encoded.kept == {"id": 7, "input": "x", "error": "y"}
    assert encoded.arrays["tokens"].tolist() == [2, 4]


def test_bytes_that_are_not_utf8_are_read_as_gb18030():
    odd = "好的".encode("gb18030").decode("utf-8", "surrogateescape")
    assert texts(codec().read_lines([odd])) == ["好的"]


def test_files_stand_for_their_lines_and_other_arguments_for_themselves(tmp_path):
    (tmp_path / "评论 1.txt").write_bytes("good\r\n\r\n好\n".encode("gb18030"))
    (tmp_path / "b.jsonl").write_text('{"text": "bad"}\n', encoding="utf-8")
    expanded = texts(
        codec().expand([str(tmp_path / "评论 1.txt"), "a. text", str(tmp_path / "*.jsonl"), str(tmp_path)])
    )
    assert expanded == ["good", "", "好", "a. text", "bad", "bad", "good", "", "好"]


def test_an_empty_argument_is_no_folder(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("good")
    monkeypatch.chdir(tmp_path)
    assert texts(codec().expand(["", " "])) == ["", " "]


def test_a_line_of_standard_input_names_no_file(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("good")
    monkeypatch.chdir(tmp_path)
    assert texts(codec().read_lines(["a.txt", '{"text": "bad"}'])) == ["a.txt", "bad"]


def test_a_text_is_read_once_and_never_as_json_again():
    line = json.dumps({"text": json.dumps({"text": "bad"})})
    [source] = codec().read_lines([line])
    assert source.name == source.value.text == '{"text": "bad"}'
    assert codec().words(source) == ['{"text":', '"bad"}']


def test_a_long_text_is_named_by_its_beginning_and_read_whole():
    source = source_of("x" * 3 * MAX_SHOWN)
    assert source.name == "x" * MAX_SHOWN + "…"
    assert len(source.value.text) == 3 * MAX_SHOWN


def test_texts_of_unequal_length_are_one_batch():
    items = [encode(text) for text in ("good", "bad 好 good")]
    [(indices, arrays)] = codec().batches(items)
    assert list(indices) == [0, 1]
    assert arrays["tokens"].tolist() == [[2, 0, 0], [3, 4, 2]]
    assert arrays["lengths"].tolist() == [1, 3]


def test_a_file_that_is_not_there_is_no_text(tmp_path):
    encoded = encode(str(tmp_path / "reviews.txt"))
    assert encoded.arrays is None
    assert "No such file" in encoded.error


def test_answers_are_labels_with_probabilities():
    import numpy as np

    [answer] = codec().decode({"logits": np.array([[0.0, 1.0]], dtype=np.float32)}, [encode("good")])
    record = answer.record
    assert record["label"] == "positive"
    assert record["probability"] == pytest.approx(0.731059)
    assert [entry["label"] for entry in record["top"]] == ["positive", "negative"]


def test_a_text_is_drawn_with_its_answer():
    picture = codec().draw(source_of("good 好 day"), Answer({"label": "positive", "probability": 0.9}))
    assert picture.ndim == 3
    assert picture.std() > 0


@pytest.mark.parametrize(
    "changes",
    [
        {"vocab": None},
        {"vocab": ["<pad>"]},
        {"labels": []},
        {"preprocess": {}},
        {"preprocess": {"max_length": 0, "tokenizer": {}}},
        {"preprocess": {"max_length": 5, "tokenizer": {"name": "x"}}},
    ],
)
def test_damaged_assets_are_refused(changes):
    with pytest.raises(RunError):
        codec(**changes)


def test_a_run_on_texts_that_are_a_file_each_reads_a_file_as_one_text(tmp_path):
    reading = Reading(FILE, "", codec="gb18030").to_json()
    whole = codec(preprocess={**ASSETS["preprocess"], "reading": reading})
    (tmp_path / "a.txt").write_text("good\n\nbad\n")
    (tmp_path / "b.txt").write_bytes("好 很好 真好".encode("gb18030"))
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "long.txt").write_text("x" * (MAX_CHARACTERS + 1))
    (tmp_path / "rows.csv").write_text("id,text\n1,good\n2,bad\n")
    sources = {source.name: source for source in whole.expand([str(tmp_path)])}
    encoded = {name.rpartition("/")[2]: whole.encode(source) for name, source in sources.items()}
    assert encoded["a.txt"].arrays["tokens"].tolist() == [2, 3] and encoded["b.txt"].arrays["tokens"][0] == 4
    assert encoded["empty.txt"].error == "an empty text" and "more than 1,000,000" in encoded["long.txt"].error
    assert {"good", "bad"} <= sources.keys(), "a table still has a text in each row"
    assert texts(codec().expand([str(tmp_path / "a.txt")])) == ["good", "", "bad"]


def test_a_network_that_reads_characters_gets_those_that_the_tokenizer_leaves():
    spec = make_spec("whitespace", strip=["emoticon"])
    ours = codec(preprocess={"max_length": 6, "tokenizer": spec, "max_characters": 8})
    encoded = [ours.encode(ours.read_lines([line])[0]) for line in ("真好[哈哈]啊", "Good " * 2_000, "[哈哈]")]
    read = ["".join(map(chr, each.arrays["characters"])) for each in encoded]
    assert read == ["真好 啊", "good goo", "\1"]
    [(_, batch)] = ours.batches(encoded)
    assert batch["characters"].shape == (3, 8)
    assert batch["character_lengths"].tolist() == [4, 8, 1]
    assert batch["lengths"].tolist() == [2, 6, 1]


@pytest.mark.parametrize("most", [0, -1, 10**9, "9", 2.5, True])
def test_impossible_numbers_of_characters_are_damage(most):
    with pytest.raises(RunError, match="damaged"):
        codec(preprocess={**ASSETS["preprocess"], "max_characters": most})
