"""The form "labelled text": read back as written, packed again when stale, and nothing in it trusted."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest

from dlcli.core.errors import DataError
from dlcli.core.files import write_json
from dlcli.data.card import CARD_NAME, Card, read_card
from dlcli.data.text import writer as text_writer
from dlcli.data.text.form import form_of, open_texts
from dlcli.data.text.lines import jsonl_file
from dlcli.data.text.tokenizing.tokenizer import build_tokenizer, make_spec
from dlcli.data.text.vocabulary import Vocabulary
from dlcli.data.text.writer import packed_file

TRAIN = [("今天 很 好", "positive"), ("不 好", "negative"), ("好\u2028好", "positive"), ("谁 知道", "negative")]
TEST = [("很 不 好", "negative"), ("全 新", "positive")]
TOKENS = ("<pad>", "<unk>", "好", "不", "很", "今天")
CLASSES = ("negative", "positive")
NAMES = ("ids", "offsets", "labels", "lines")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "数据"
    root.mkdir()
    text_writer.write_jsonl(jsonl_file(root, "train"), TRAIN)
    text_writer.write_jsonl(jsonl_file(root, "test"), TEST)
    write_json(root / "vocab.json", list(TOKENS))
    counts = {"train": {"negative": 2, "positive": 2}, "test": {"negative": 1, "positive": 1}}
    card = Card("text", "toy", CLASSES, counts, {"tokenizer": make_spec("whitespace")}, command="dl prepare toy X")
    write_json(root / CARD_NAME, card.to_json())
    open_texts(root)  # packs
    return root


def change_card(folder, **changes):
    card = dataclasses.replace(read_card(folder), **changes)
    write_json(folder / CARD_NAME, card.to_json())


def arrays(form, split):
    return [form.ids(split), form.offsets(split), form.labels(split)]


def test_texts_labels_and_tokens_come_back(folder):
    form = open_texts(folder)
    assert form.splits() == ("train", "test")
    assert form.texts("train", range(4)) == [text for text, _ in TRAIN]
    assert form.texts("test", [1, 0, 1]) == ["全 新", "很 不 好", "全 新"] and form.texts("test", []) == []
    assert form.labels("train").tolist() == [1, 0, 1, 0] and form.labels("train").dtype == np.int64
    assert isinstance(form.ids("train"), np.memmap) and form.ids("train").dtype == np.int32
    tokenizer, vocabulary = build_tokenizer(form.tokenizer_spec()), form.vocabulary()
    for split, rows in (("train", TRAIN), ("test", TEST)):
        ids, offsets = form.ids(split), form.offsets(split)
        for row, (text, _) in enumerate(rows):
            assert ids[offsets[row] : offsets[row + 1]].tolist() == vocabulary.encode(tokenizer.tokens(text)).tolist()
    assert form.card.warnings == ()


def test_an_unknown_split_and_row_are_refused(folder):
    form = open_texts(folder)
    with pytest.raises(DataError, match="no split 'valid'"):
        form.ids("valid")
    with pytest.raises(IndexError):
        form.texts("train", [4])


@pytest.mark.parametrize("name", [*NAMES, "index"])
def test_a_missing_packed_file_is_made_again(folder, name):
    path = folder / "packed" / "packed.json" if name == "index" else packed_file(folder, "train", name)
    before = path.read_bytes()
    path.unlink()
    open_texts(folder)
    assert path.read_bytes() == before


def test_a_line_added_by_hand_is_packed_counted_and_said(folder):
    with jsonl_file(folder, "train").open("a", encoding="utf-8") as stream:
        stream.write('\n{"label": "positive", "text": "好 好 好"}\n')
    form = open_texts(folder)
    assert form.card.counts["train"] == {"negative": 2, "positive": 3}
    assert form.card.warnings == ("train: 5 texts found, 4 were prepared; those found are used",)
    assert form.texts("train", [4]) == ["好 好 好"] and form.ids("train")[-3:].tolist() == [2, 2, 2]


def test_a_change_of_equal_size_is_seen(folder):
    path = jsonl_file(folder, "train")
    facts = path.stat()
    path.write_bytes(path.read_bytes().replace("今天".encode(), "不好".encode()))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    assert open_texts(folder).texts("train", [0]) == ["不好 很 好"]
    assert open_texts(folder).ids("train")[0] == 1


def test_a_copied_folder_keeps_its_packed_copy(folder, tmp_path, monkeypatch):
    shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile)
    monkeypatch.setattr(text_writer, "pack", None)  # would fail
    copied = arrays(open_texts(tmp_path / "copy"), "train")
    for before, after in zip(arrays(open_texts(folder), "train"), copied, strict=True):
        np.testing.assert_array_equal(before, after)


def test_another_vocabulary_or_tokenizer_packs_again(folder):
    write_json(folder / "vocab.json", ["<pad>", "<unk>", "很"])
    assert open_texts(folder).ids("train").max() == 2
    change_card(folder, details={"tokenizer": make_spec("whitespace", stopwords=["很"])})
    assert open_texts(folder).ids("train").max() == 1


def test_a_folder_that_cannot_be_written_is_packed_in_memory(folder, monkeypatch):
    expected = arrays(open_texts(folder), "train")
    shutil.rmtree(folder / "packed")

    def refuse(*_arguments):
        raise PermissionError(13, "read-only")

    monkeypatch.setattr(text_writer, "pack", refuse)
    form = open_texts(folder)
    for before, after in zip(expected, arrays(form, "train"), strict=True):
        np.testing.assert_array_equal(before, after)
    assert not (folder / "packed").exists() and form.texts("train", [1]) == ["不 好"]


HOSTILE = {
    "token numbers beyond the vocabulary": ("ids", lambda a: np.where(a == a.max(), len(TOKENS), a)),
    "padding inside a text": ("ids", lambda a: np.where(a == 1, 0, a)),
    "negative numbers": ("ids", lambda a: -a),
    "another type": ("ids", lambda a: a.astype(np.int64)),
    "fewer tokens": ("ids", lambda a: a[:-1]),
    "another shape": ("ids", lambda a: a[:, None]),
    "offsets that fall": ("offsets", lambda a: a[::-1].copy()),
    "offsets that overflow": ("offsets", lambda a: np.array([0, 2**62 + 1, -(2**62) - 1, 5, a[-1]])),
    "an empty text": ("offsets", lambda a: np.array([0, 0, *a[2:]])),
    "offsets of floats": ("offsets", lambda a: a.astype(float)),
    "a class too many": ("labels", lambda a: a + 1),
    "a negative class": ("labels", lambda a: a - 1),
    "labels of fewer texts": ("labels", lambda a: a[:-1]),
    "a single number": ("labels", lambda a: np.int64(1)),
    "lines beyond the file": ("lines", lambda a: a * 1000),
    "lines of fewer texts": ("lines", lambda a: a[1:]),
    "Python objects": ("lines", lambda a: np.array([object()] * len(a))),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_packed_file_is_not_used(folder, case):
    name, change = HOSTILE[case]
    expected = [packed_file(folder, "train", name).read_bytes() for name in NAMES]
    path = packed_file(folder, "train", name)
    np.save(path, change(np.load(path)), allow_pickle=True)
    form = open_texts(folder)
    assert form.texts("train", [0]) == [TRAIN[0][0]]
    assert [packed_file(folder, "train", name).read_bytes() for name in NAMES] == expected


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"no array", b"\x93NUMPY\x01\x00\x00\x10" + b"{" * 4096])
def test_a_packed_file_that_is_no_array_is_not_used(folder, content):
    before = packed_file(folder, "train", "lines").read_bytes()
    packed_file(folder, "train", "lines").write_bytes(content)
    open_texts(folder)
    assert packed_file(folder, "train", "lines").read_bytes() == before


def test_a_header_that_claims_more_than_there_is_is_not_believed(folder):
    path = packed_file(folder, "train", "labels")
    before = path.read_bytes()
    path.write_bytes(before.replace(b"(4,)", b"(9000000000000,)").replace(b" " * 12 + b"\n", b"\n"))
    open_texts(folder)
    assert path.read_bytes() == before


@pytest.mark.parametrize("index", ["null", "[]", '{"schema": 1}', '{"schema": 1, "splits": {"train": 3}}', "{"])
def test_a_damaged_index_packs_again(folder, index):
    (folder / "packed" / "packed.json").write_text(index, encoding="utf-8")
    assert open_texts(folder).labels("train").tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"form": "images"}, "holds the form 'images'"),
        ({"classes": ()}, "classes are empty or not distinct"),
        ({"classes": ("a", "a")}, "classes are empty or not distinct"),
        ({"details": {}}, "names no tokenizer"),
        ({"details": {"tokenizer": "jieba"}}, "names no tokenizer"),
        ({"counts": {"test": {}}}, "no training split"),
        ({"counts": {"train": {}, "valid": {}}}, "split 'valid', but its file is missing"),
        ({"classes": ("positive", "neutral")}, "the card has no class 'negative'"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(folder, changes, message):
    change_card(folder, **changes)
    shutil.rmtree(folder / "packed")
    with pytest.raises(DataError, match=message):
        open_texts(folder)


@pytest.mark.parametrize("content", ["", "{}", '["<pad>"]', '["<pad>", "<unk>", "a", "a"]', "[" * 10_000])
def test_a_damaged_vocabulary_is_refused(folder, content):
    (folder / "vocab.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"vocab\.json") as caught:
        open_texts(folder)
    assert caught.value.hint == "prepare the data again: dl prepare toy X"


@pytest.mark.parametrize(
    "line", ["x", "[]", '{"text": "a"}', '{"text": 1, "label": "positive"}', "[" * 100_000, "\xff"]
)
def test_a_damaged_line_is_named(folder, line):
    path = jsonl_file(folder, "train")
    path.write_bytes(path.read_bytes() + line.encode("latin-1") + b"\n")
    with pytest.raises(DataError, match=r"train\.jsonl: line 5: not a line of"):
        open_texts(folder)


def test_a_split_without_texts_is_refused(folder):
    jsonl_file(folder, "test").write_bytes(b"\n")
    with pytest.raises(DataError, match=r"test\.jsonl: holds no texts"):
        open_texts(folder)


def test_a_file_that_changed_while_open_is_told(folder):
    form = open_texts(folder)
    jsonl_file(folder, "train").write_text("{}\n", encoding="utf-8")
    with pytest.raises(DataError, match="byte 0"):
        form.texts("train", [0])


def test_folders_that_are_no_prepared_texts_say_what_to_do(tmp_path):
    with pytest.raises(DataError, match="no prepared dataset") as caught:
        open_texts(tmp_path / "weibo")
    assert caught.value.hint == "make it with `dl prepare weibo SOURCE`"
    with pytest.raises(DataError, match="holds no prepared texts"):
        open_texts(tmp_path)


def test_the_form_can_be_read_before_its_card_is_written(folder):
    card = read_card(folder)
    (folder / CARD_NAME).unlink()
    assert form_of(folder, card).vocabulary() == Vocabulary(TOKENS)


def test_the_ids_are_written_in_blocks_of_any_size(folder, monkeypatch):
    expected = packed_file(folder, "train", "ids").read_bytes()
    for block in (1, 3, 1000):
        monkeypatch.setattr(text_writer, "_BLOCK", block)
        shutil.rmtree(folder / "packed")
        open_texts(folder)
        assert packed_file(folder, "train", "ids").read_bytes() == expected
    path = packed_file(folder, "train", "ids")
    before = np.load(path)
    text_writer.renumber(path, np.arange(10, dtype=np.int32) + 1)
    np.testing.assert_array_equal(np.load(path), before + 1)


def test_written_lines_are_json_with_text_and_label(folder):
    lines = jsonl_file(folder, "train").read_bytes().splitlines()
    assert [json.loads(line) for line in lines] == [{"text": text, "label": label} for text, label in TRAIN]
