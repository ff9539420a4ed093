"""Texts without labels: read from lines, deduplicated, split by their own hash, and tokenised."""

from __future__ import annotations

import gzip
import json
from itertools import chain

import numpy as np
import pytest

from dlcli.core.errors import DataError, UsageError
from dlcli.core.files import write_json
from dlcli.data.card import CARD_NAME, read_card
from dlcli.data.text.collection import collect_texts
from dlcli.data.text.findings import examine_texts
from dlcli.data.text.form import open_texts
from dlcli.data.text.tokenizing.joining import join_tokens
from dlcli.datasets.text.options import TextLinesOptions
from dlcli.datasets.text.unlabelled import TextLinesImporter, draw_of

LINES = [f"we saw {number} dogs, and it's fine" for number in range(60)]


def prepare(folder, source, **options):
    importer = TextLinesImporter(TextLinesOptions(**{"tokenizer": "word-punct", "min_count": 1, **options}))
    folder.mkdir()
    card = importer.write(importer.locate(source), folder, lambda line: None)
    write_json(folder / CARD_NAME, card.to_json())
    return open_texts(folder)


def texts_of(form):
    return {split: form.texts(split, range(len(form.labels(split)))) for split in form.splits()}


def test_equal_texts_are_one_and_what_is_blank_is_none(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join([*LINES, "", " \u200b", f" {LINES[3]} "]), encoding="utf-8")
    form = prepare(tmp_path / "data", tmp_path / "a.txt")
    assert sorted(chain.from_iterable(texts_of(form).values())) == sorted(LINES)
    assert form.card.classes == ()
    assert form.card.details["rows"] == {"read": 61, "broken": 0, "duplicates": 1}
    assert form.card.details["task"] == "language-model"
    assert read_card(tmp_path / "data").num_items("train") == len(form.labels("train"))
    line = (tmp_path / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert list(json.loads(line)) == ["text"]


def test_lines_are_cleaned_before_they_are_compared_and_counted(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join([*LINES, f"<b>{LINES[3]}</b>", "GOOD &amp; bad"]), encoding="utf-8")
    form = prepare(tmp_path / "data", tmp_path / "a.txt", clean="html,case,entities")
    assert sorted(chain.from_iterable(texts_of(form).values())) == sorted([*LINES, "good & bad"])
    assert form.card.details["cleaned"] == {"html": 1, "case": 1, "entities": 1}
    assert form.card.details["rows"]["duplicates"] == 1


def test_a_split_is_a_function_of_text_and_seed(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join(LINES), encoding="utf-8")
    with gzip.open(tmp_path / "b.txt.gz", "wt", encoding="utf-8") as stream:
        stream.write("\n".join([*(f"more {number}" for number in range(50)), *reversed(LINES)]))
    first, second = (texts_of(prepare(tmp_path / name[0], tmp_path / name)) for name in ("a.txt", "b.txt.gz"))
    for split in ("train", "valid", "test"):
        assert set(first[split]) == set(second[split]) & set(LINES)
    assert first != texts_of(prepare(tmp_path / "c", tmp_path / "a.txt", seed=1))
    draws = np.array([draw_of(f"text {number}", 0) for number in range(2000)])
    np.testing.assert_allclose(np.histogram(draws, bins=10, range=(0, 1))[0], 200, atol=60)


def test_a_column_of_a_folder_of_files(tmp_path):
    (tmp_path / "in").mkdir()
    for name, rows in (("a.tsv", LINES[:30]), ("b.txt", LINES[30:])):
        (tmp_path / "in" / name).write_text("".join(f"x\t{row}\ty\n" for row in rows) + "no column\n", encoding="utf-8")
    form = prepare(tmp_path / "data", tmp_path / "in", column=2)
    assert sorted(chain.from_iterable(texts_of(form).values())) == sorted(LINES)
    assert form.card.details["rows"]["broken"] == 2
    assert any("line 31: 1 columns" in text for text in form.card.warnings)


@pytest.mark.parametrize("tokenizer", ["word-punct", "spaced-char", "bpe", "char", "jieba"])
def test_packed_ids_are_those_of_the_tokenizer_that_travels(tmp_path, tokenizer):
    from dlcli.data.text.tokenizing.tokenizer import build_tokenizer

    (tmp_path / "a.txt").write_text("\n".join(LINES), encoding="utf-8")
    form = prepare(tmp_path / "data", tmp_path / "a.txt", tokenizer=tokenizer, max_vocab=400)
    tokenizer_of_run = build_tokenizer(json.loads(json.dumps(form.tokenizer_spec())))
    vocabulary, offsets = form.vocabulary(), form.offsets("train")
    for row, text in enumerate(form.texts("train", range(5))):
        tokens = tokenizer_of_run.tokens(text)
        ids = form.ids("train")[offsets[row] : offsets[row + 1]].tolist()
        assert ids == vocabulary.numbers(tokens)
        if tokenizer not in ("char", "jieba"):  # these keep no blanks
            assert join_tokens(tokenizer, tokens) == text
    if tokenizer == "bpe":
        assert set(range(256)) <= {int(token[3:5], 16) for token in vocabulary.tokens if token.startswith("<0x")}


def test_an_edited_file_is_read_anew_and_doctor_and_collection_know_no_classes(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join(LINES), encoding="utf-8")
    form = prepare(tmp_path / "data", tmp_path / "a.txt")
    with (tmp_path / "data" / "train.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"text": "we saw no dogs"}\n')
    again = open_texts(tmp_path / "data")
    assert len(again.labels("train")) == len(form.labels("train")) + 1
    assert any("texts found" in warning for warning in again.card.warnings)
    assert not [finding for finding in examine_texts(tmp_path / "data") if finding.state == "fault"]
    item = collect_texts(tmp_path / "data").item(0)
    assert item.label == ""
    with (tmp_path / "data" / "train.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"label": "no text"}\n')
    with pytest.raises(DataError, match="not a line of"):
        open_texts(tmp_path / "data")


def test_what_cannot_be_prepared_is_refused(tmp_path):
    (tmp_path / "empty.txt").write_text("\n \n", encoding="utf-8")
    (tmp_path / "one.txt").write_text("alone\nalone\n", encoding="utf-8")
    (tmp_path / "none").mkdir()
    for name, message in (("empty.txt", "no usable line"), ("one.txt", "one text is left"), ("none", "holds no .txt")):
        with pytest.raises(DataError, match=message):
            prepare(tmp_path / f"of {name}", tmp_path / name)
    with pytest.raises(DataError, match="no such file"):
        prepare(tmp_path / "x", tmp_path / "gone.txt")
    with pytest.raises(UsageError, match="leave less than"):
        TextLinesImporter(TextLinesOptions(valid_fraction=0.5, test_fraction=0.5))


def test_two_texts_are_enough_and_one_of_them_is_for_training(tmp_path):
    (tmp_path / "two.txt").write_text("a b\nc d\n", encoding="utf-8")
    form = prepare(tmp_path / "data", tmp_path / "two.txt", valid_fraction=0.45, test_fraction=0.5)
    assert "train" in form.splits()
