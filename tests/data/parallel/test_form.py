"""The form "parallel": read back as written, packed again when stale, and nothing in it trusted."""

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
from dlcli.data.parallel.cleaning import Cleaning
from dlcli.data.parallel.form import open_parallel
from dlcli.data.parallel.tokenizers import SPECIALS, VocabularyTokenizer
from dlcli.data.parallel.writer import SIDES, encode_split, tokenizer_file, write_form, write_pairs
from dlcli.data.text.lines import jsonl_file
from dlcli.data.text.writer import packed_file

PAIRS = {
    "train": [("我在家", "I am at home"), ("他在家", "He is at home"), ("好\u2028", "Good"), ("好", "Fine")],
    "test": [("他好", "He is fine"), ("谁", "Who")],
}
WORDS = ("I", "am", "at", "home", "He", "is", "Good", "Fine")
TOKENIZERS = {
    "source": VocabularyTokenizer("char", Cleaning("zh"), (*SPECIALS, *"我他在家好")),
    "target": VocabularyTokenizer("word", Cleaning("en"), (*SPECIALS, *WORDS)),
}
NAMES = ("source-ids", "source-offsets", "target-ids", "target-offsets", "lines")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "数据"
    root.mkdir()
    write_form(root, PAIRS, TOKENIZERS)
    items = {split: len(pairs) for split, pairs in PAIRS.items()}
    card = Card("parallel", "toy", (), {}, items=items, command="dl prepare anki X")
    write_json(root / CARD_NAME, card.to_json())
    return root


def change_card(folder, **changes):
    write_json(folder / CARD_NAME, dataclasses.replace(read_card(folder), **changes).to_json())


def arrays(form, split="train"):
    return [values(split, side).tolist() for side in SIDES for values in (form.ids, form.offsets)]


def test_sentences_and_tokens_come_back(folder):
    form = open_parallel(folder)
    assert form.splits() == ("train", "test") and form.num_pairs("train") == 4
    assert form.sentences("train", range(4)) == PAIRS["train"]
    assert form.sentences("test", [1, 0, 1]) == [PAIRS["test"][row] for row in (1, 0, 1)]
    assert form.sentences("test", []) == []
    assert form.languages == {"source": "zh", "target": "en"} and not form.is_joint
    assert form.tokenizers == TOKENIZERS
    for split, pairs in PAIRS.items():
        for place, side in enumerate(SIDES):
            ids, offsets = form.ids(split, side), form.offsets(split, side)
            assert isinstance(ids, np.memmap) and ids.dtype == np.int32 and offsets.dtype == np.int64
            for row, pair in enumerate(pairs):
                assert ids[offsets[row] : offsets[row + 1]].tolist() == TOKENIZERS[side].encode(pair[place])
    assert form.lengths("test", "target").tolist() == [3, 1]
    assert form.card.warnings == ()


def test_an_unknown_split_and_row_are_refused(folder):
    form = open_parallel(folder)
    with pytest.raises(DataError, match="no split 'valid'"):
        form.ids("valid", "source")
    with pytest.raises(IndexError):
        form.sentences("train", [4])


@pytest.mark.parametrize("name", [*NAMES, "index"])
def test_a_missing_or_damaged_packed_file_is_made_again(folder, name):
    before = arrays(open_parallel(folder))
    path = folder / "packed" / "packed.json" if name == "index" else packed_file(folder, "train", name)
    for content in (None, b"", b"\x93NUMPY"):
        path.unlink() if content is None else path.write_bytes(content)
        assert arrays(open_parallel(folder)) == before
        assert path.stat().st_size > 9


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("source-ids", np.full(8, 99, np.int32)),
        ("source-ids", np.zeros(8, np.int32)),
        ("target-ids", np.full(10, 5, np.int64)),
        ("source-offsets", np.array([0, 3, 6, 7, 9])),
        ("target-offsets", np.array([0, 4, 8, 8, 10])),
        ("target-offsets", np.array([0, 2**63 - 1, -1, 9, 10])),
        ("lines", np.array([0, 1, 2, 10**9])),
        ("lines", np.array([[0, 1, 2, 3]])),
    ],
)
def test_impossible_packed_values_are_made_again(folder, name, values):
    before = arrays(open_parallel(folder))
    np.save(packed_file(folder, "train", name), values)
    assert arrays(open_parallel(folder)) == before
    assert open_parallel(folder).sentences("train", range(4)) == PAIRS["train"]


def test_an_edited_file_is_packed_again_and_counted(folder):
    write_pairs(jsonl_file(folder, "train"), PAIRS["train"][1:])
    form = open_parallel(folder)
    assert form.num_pairs("train") == 3 and form.sentences("train", [0]) == [PAIRS["train"][1]]
    assert form.card.items == {"train": 3, "test": 2}
    assert form.card.warnings == ("train: 3 pairs found, 4 were prepared; those found are used",)


def test_another_tokenizer_packs_again(folder):
    other = dataclasses.replace(TOKENIZERS["target"], entries=(*SPECIALS, "home", "at"))
    write_json(tokenizer_file(folder, "target"), other.to_json())
    form = open_parallel(folder)
    packed = encode_split(folder, "train", {**TOKENIZERS, "target": other})
    assert form.ids("train", "target").tolist() == packed.ids["target"].tolist() != arrays(form)[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_not_writable_is_read_unpacked(folder):
    shutil.rmtree(folder / "packed")
    folder.chmod(0o500)
    try:
        assert open_parallel(folder).num_pairs("train") == 4
    finally:
        folder.chmod(0o700)


def test_a_full_disk_is_no_reason_not_to_read(folder, monkeypatch):
    before = arrays(open_parallel(folder))
    shutil.rmtree(folder / "packed")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dlcli.data.parallel.form.write_packed", full)
    assert arrays(open_parallel(folder)) == before
    assert not (folder / "packed").exists()


@pytest.mark.parametrize(
    "line", ["no JSON", "[1]", '{"source": "a"}', '{"source": 1, "target": "b"}', '{"source": " ", "target": "b"}']
)
def test_a_line_without_a_pair_is_named(folder, line):
    with jsonl_file(folder, "train").open("a", encoding="utf-8") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(DataError, match=r"train\.jsonl: line 5: not a line of"):
        open_parallel(folder)


def test_what_does_not_match_its_card_is_refused(folder):
    with pytest.raises(DataError, match="no prepared dataset"):
        open_parallel(folder / "none")
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match="no prepared sentence pairs"):
        open_parallel(folder / "empty")
    jsonl_file(folder, "test").write_text("\n")
    with pytest.raises(DataError, match="holds no pairs"):
        open_parallel(folder)
    jsonl_file(folder, "test").unlink()
    with pytest.raises(DataError, match="its file is missing"):
        open_parallel(folder)
    change_card(folder, items={"test": 0})
    with pytest.raises(DataError, match=r"its file is missing|no training split"):
        open_parallel(folder)
    change_card(folder, form="text", items={"train": 4})
    with pytest.raises(DataError, match="holds the form 'text', not sentence pairs"):
        open_parallel(folder)


@pytest.mark.parametrize("content", ["", "[", "{}", json.dumps({"kind": "word"}), "[" * 100_000])
def test_a_damaged_tokenizer_is_named(folder, content):
    tokenizer_file(folder, "source").write_text(content)
    with pytest.raises(DataError, match=r"tokenizer-source\.json: ") as caught:
        open_parallel(folder)
    assert caught.value.hint == "prepare the data again: dl prepare anki X"
