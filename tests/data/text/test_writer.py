"""Writing labelled text: lines that come back as they were, and packed numbers that say where each text begins."""

from __future__ import annotations

import itertools
import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.core.errors import DataError
from dlcli.data.text.lines import jsonl_file
from dlcli.data.text.vocabulary import Vocabulary
from dlcli.data.text.writer import (
    coding_digest,
    id_blocks,
    is_fresh,
    pack,
    pack_in_memory,
    packed_file,
    parser,
    read_index,
    read_jsonl,
    renumber,
    seal,
    write_jsonl,
)

CLASSES = ("neg", "正面")
ROWS = [("今天 很 好", "正面"), ("", "neg"), ('quote " \\ \n\u2028 end', "neg"), ("😀", "正面")]
CHARACTERS = 'aZ0 猫"\\\n\r\t,\x00\x7f\u2028\U0001f600'


def code_points(texts, _labels):
    """Number the characters of each text by their code points, at least one for each text."""
    return [[ord(character) for character in text] or [1] for text in texts]


@pytest.fixture
def root(tmp_path):
    write_jsonl(jsonl_file(tmp_path, "train"), ROWS)
    return tmp_path


def loaded(root, split="train"):
    return {name: np.load(packed_file(root, split, name)) for name in ("ids", "offsets", "labels", "lines")}


@settings(max_examples=40)
@given(st.lists(st.tuples(st.text(CHARACTERS, max_size=12), st.sampled_from(CLASSES)), max_size=6))
def test_whatever_a_text_holds_it_comes_back_from_its_own_line(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "round.jsonl"
    write_jsonl(path, rows)
    content = path.read_bytes()
    found = list(read_jsonl(path, CLASSES))
    assert [(text, CLASSES[label]) for _, text, label in found] == rows
    assert content.count(b"\n") == len(rows)
    for start, text, _ in found:
        assert json.loads(content[start:].split(b"\n", 1)[0])["text"] == text


def test_a_line_is_json_that_people_can_read(root):
    first = jsonl_file(root, "train").read_text(encoding="utf-8").split("\n", 1)[0]
    assert first == '{"text": "今天 很 好", "label": "正面"}'


def test_empty_lines_are_passed_over_and_places_stay_those_of_the_bytes(root):
    path = jsonl_file(root, "train")
    path.write_bytes(b"\n  \n" + path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    content = path.read_bytes()
    found = list(read_jsonl(path, CLASSES))
    assert [text for _, text, _ in found] == [text for text, _ in ROWS]
    assert all(content[start : start + 8] == b'{"text":' for start, _, _ in found)


@pytest.mark.parametrize(
    "line",
    [b"", b"x", b"[]", b"null", b"{}", b'{"text": "a"}', b'{"text": 3, "label": "a"}', b'{"text": "a", "label": 1}',
     b'{"text": "a", "label": null}', b'"text"', b"[" * 100_000, b"\xff"],
    ids=lambda line: repr(line[:30]),
)  # fmt: skip
def test_what_is_no_text_with_a_label_is_refused_with_its_place(line):
    with pytest.raises(DataError, match="line 7"):
        parser(CLASSES)(line, "a.jsonl: line 7")


@pytest.mark.parametrize(
    ("addition", "facts"),
    [(b"{}\n", ["line 5"]), (b'\n{"text": "a", "label": "other"}\n', ["line 6", "'other'"])],
)
def test_a_line_that_does_not_fit_is_named_after_those_before_it(root, addition, facts):
    with jsonl_file(root, "train").open("ab") as stream:
        stream.write(addition)
    rows = read_jsonl(jsonl_file(root, "train"), CLASSES)
    assert len(list(itertools.islice(rows, len(ROWS)))) == len(ROWS)
    with pytest.raises(DataError) as caught:
        next(rows)
    assert all(fact in caught.value.message for fact in ["train.jsonl", *facts])


def test_a_file_of_texts_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"test\.jsonl"):
        next(read_jsonl(jsonl_file(tmp_path, "test"), CLASSES))


def test_the_packed_copy_holds_each_texts_numbers_label_and_line(root):
    pack(root, "train", CLASSES, code_points)
    arrays = loaded(root)
    assert {name: str(array.dtype) for name, array in arrays.items()} == {
        "ids": "int32",
        "offsets": "int64",
        "labels": "int64",
        "lines": "int64",
    }
    texts = [arrays["ids"][a:b].tolist() for a, b in itertools.pairwise(arrays["offsets"])]
    assert texts == code_points([text for text, _ in ROWS], ())
    assert arrays["labels"].tolist() == [1, 0, 0, 1]
    assert arrays["lines"].tolist() == [start for start, _, _ in read_jsonl(jsonl_file(root, "train"), CLASSES)]


def test_in_memory_it_is_the_same_and_nothing_is_written(root):
    kept = pack_in_memory(root, "train", CLASSES, code_points)
    assert [path.name for path in root.iterdir()] == ["train.jsonl"]
    pack(root, "train", CLASSES, code_points)
    for name, array in loaded(root).items():
        np.testing.assert_array_equal(getattr(kept, name), array)
        assert getattr(kept, name).dtype == array.dtype


@pytest.mark.parametrize(("name", "value"), [("_BLOCK", 3), ("_BLOCK_TEXTS", 1), ("_BLOCK_CHARACTERS", 2)])
def test_blocks_of_any_size_change_nothing(root, monkeypatch, name, value):
    pack(root, "train", CLASSES, code_points)
    before = {name: packed_file(root, "train", name).read_bytes() for name in loaded(root)}
    monkeypatch.setattr(f"dlcli.data.text.writer.{name}", value)
    pack(root, "train", CLASSES, code_points)
    assert {name: packed_file(root, "train", name).read_bytes() for name in before} == before


def test_the_classes_of_a_block_are_handed_on_with_its_texts(root):
    seen = []
    pack(root, "train", CLASSES, lambda texts, labels: seen.append((texts, labels)) or [[1]] * len(texts))
    assert seen == [(tuple(text for text, _ in ROWS), (1, 0, 0, 1))]


def test_a_failed_packing_leaves_the_old_copy_and_nothing_beside(root):
    pack(root, "train", CLASSES, code_points)
    before = loaded(root)
    with pytest.raises(DataError):
        pack(root, "train", ("neg",), code_points)
    assert len(list((root / "packed").iterdir())) == 4
    for name, array in loaded(root).items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("block", [1, 4, 2**20])
def test_numbers_are_replaced_in_place_one_by_one(root, monkeypatch, block):
    monkeypatch.setattr("dlcli.data.text.writer._BLOCK", block)
    path = root / "ids.npy"
    ids = np.random.default_rng(0).integers(0, 9, 13).astype(np.int32)
    np.save(path, ids)
    places = np.random.default_rng(1).permutation(9).astype(np.int32)
    renumber(path, places)
    np.testing.assert_array_equal(np.load(path), places[ids])
    blocks = list(id_blocks(path))
    np.testing.assert_array_equal(np.concatenate(blocks), places[ids])
    assert max(map(len, blocks)) <= block


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros(3, np.int64), np.zeros((2, 2), np.int32, order="F")])
def test_what_holds_no_int32_is_not_read_as_numbers_of_tokens(tmp_path, array):
    np.save(tmp_path / "ids.npy", array)
    with pytest.raises(ValueError, match="int32"):
        list(id_blocks(tmp_path / "ids.npy"))
    with pytest.raises(ValueError, match="int32"):
        renumber(tmp_path / "ids.npy", np.zeros(1, np.int32))


def test_another_version_of_numpys_format_is_not_read(tmp_path):
    with (tmp_path / "ids.npy").open("wb") as stream:
        np.lib.format.write_array(stream, np.zeros(3, np.int32), version=(2, 0))
    with pytest.raises(ValueError, match="version"):
        list(id_blocks(tmp_path / "ids.npy"))


def test_the_digest_of_a_coding_depends_on_tokens_their_order_and_the_tokenizer():
    def digest(*tokens, **spec):
        return coding_digest(Vocabulary(("<pad>", "<unk>", *tokens)), spec)

    assert digest("a", "b", name="char", strip=[]) == digest("a", "b", strip=[], name="char")
    digests = {digest("a", "b", name="char"), digest("b", "a", name="char"), digest("a", name="char")}
    assert len(digests | {digest("a", "b", name="jieba")}) == 4


def test_a_copy_is_fresh_as_long_as_text_and_coding_are_those_it_was_made_of(root):
    pack(root, "train", CLASSES, code_points)
    assert not is_fresh(root, "train", "coding")
    seal(root, ["train"], "coding")
    assert is_fresh(root, "train", "coding")
    assert not is_fresh(root, "train", "another")
    path = jsonl_file(root, "train")
    os.utime(path, ns=(0, 0))
    assert is_fresh(root, "train", "coding"), "as after copying a folder: the content decides"
    path.write_bytes(path.read_bytes().replace("今天".encode(), "昨天".encode()))
    assert not is_fresh(root, "train", "coding")


def test_sealing_a_split_leaves_what_is_known_of_the_others(root):
    pack(root, "train", CLASSES, code_points)
    seal(root, ["train"], "first")
    write_jsonl(jsonl_file(root, "test"), ROWS[:1])
    seal(root, ["test"], "second")
    assert (is_fresh(root, "train", "first"), is_fresh(root, "test", "second")) == (True, True)
    assert set(read_index(root)) == {"train", "test"}


@pytest.mark.parametrize("content", [None, "", "[]", "{}", "3", '{"schema": 2, "splits": {}}', "[" * 100_000])
def test_a_missing_or_damaged_index_knows_of_no_split(root, content):
    (root / "packed").mkdir()
    if content is not None:
        (root / "packed" / "packed.json").write_text(content)
    assert read_index(root) == {}
    assert not is_fresh(root, "train", "coding")
